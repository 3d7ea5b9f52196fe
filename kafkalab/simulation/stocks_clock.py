"""When a market is open, how busy each of its minutes is, and how far its prices' own clock has run.

Minutes of trading are numbered through: 0 is the first one of the Monday of the start's week, 390 the first one of
its Tuesday, 1950 that of the Monday after. Nights and weekends have no numbers, so the wall clock jumps over them.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["MINUTE_MS", "OVERNIGHT", "SESSION_MINUTES", "SessionClock", "session_rhythm"]

MINUTE_MS = 60_000
SESSION_MINUTES = 390  # 09:30 to 16:00
OVERNIGHT = 0.2  # the share of a day's variance that falls between a close and the next open
_OPEN_MINUTE = 9 * 60 + 30
_DAY_MINUTES = 24 * 60
_WORKDAYS = 5

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.float64]


def session_rhythm() -> Floats:
    """Return how busy each of the 390 minutes of a session is, relative to their mean of 1.

    A U over the day (Jain and Joh, 1988; explained by Admati and Pfleiderer, 1988) and on top of it the burst of
    the orders that waited for the open, which is over after some twenty minutes.
    """
    minute = np.arange(SESSION_MINUTES)
    across = (2 * minute + 1) / SESSION_MINUTES - 1  # -1 at the open, 1 at the close
    busy = 0.6 + 1.6 * across**2 + 4 * np.exp(-minute / 6)
    # Rounded, so that the last bit of exp cannot move a count of trades.
    relative: Floats = np.round(busy / busy.mean(), 6)
    return relative


class SessionClock:
    """The trading hours of weekdays, 09:30 to 16:00 UTC, from a start on.

    Args:
        start: in UTC; the first minute of trading is the first whole one from here on.

    Attributes:
        first: that minute's number.
    """

    def __init__(self, start: dt.datetime) -> None:
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
        self._monday_ms = int(midnight.timestamp() * 1000) - start.weekday() * _DAY_MINUTES * MINUTE_MS
        into_session = -((midnight - start) // dt.timedelta(minutes=1)) - _OPEN_MINUTE  # rounded up
        on_weekday = min(max(into_session, 0), SESSION_MINUTES)
        week = _WORKDAYS * SESSION_MINUTES
        self.first = min(start.weekday() * SESSION_MINUTES + on_weekday, week)
        rhythm = session_rhythm()
        self._progress = np.concatenate([[0.0], np.cumsum(rhythm) / rhythm.sum()])

    def minute_ms(self, minute: Ints) -> npt.NDArray[np.int64]:
        """Return when trading minutes begin, in milliseconds since 1970 (UTC)."""
        session, into_session = np.divmod(minute.astype(np.int64), SESSION_MINUTES)
        week, weekday = np.divmod(session, _WORKDAYS)
        minutes = (week * 7 + weekday) * _DAY_MINUTES + _OPEN_MINUTE + into_session
        begins: npt.NDArray[np.int64] = self._monday_ms + minutes * MINUTE_MS
        return begins

    def price_clock(self, minute: Ints, within: Floats | float = 0.0) -> Floats:
        """Return the time by which variance accrues, in sessions: fast in busy minutes, and a jump over each night.

        Args:
            minute: numbers of trading minutes.
            within: how much of the minute has passed, 0 to 1.
        """
        session, into_session = np.divmod(minute, SESSION_MINUTES)
        begin, end = self._progress[into_session], self._progress[into_session + 1]
        progress: Floats = session + OVERNIGHT + (1 - OVERNIGHT) * (begin + within * (end - begin))
        return progress
