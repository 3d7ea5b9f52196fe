"""How long after each event every partition in use had taken a new record."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kafkalab.ledger.pages import Page, Pages, Places

__all__ = ["Event", "Recovery", "recoveries"]


class Event(NamedTuple):
    """Something done to the cluster; times in seconds of the clock that the sends were timed by.

    Attributes:
        name: what was done.
        at: when it began.
        done_at: when it was complete; None for at once.
    """

    name: str
    at: float
    done_at: float | None = None

    @property
    def over_at(self) -> float:
        """When it was complete."""
        return self.at if self.done_at is None else self.done_at


class Recovery(NamedTuple):
    """What followed an event.

    Attributes:
        name: of the event.
        at: when it began, in seconds of the ledger's clock.
        seconds: from then until every partition that was written to after it was complete had acknowledged a record
            sent after that; NaN where that was not seen.
    """

    name: str
    at: float
    seconds: float


class _Table:
    """What happened between one event and the next: one row per event, one column per place or topic.

    Attributes:
        acknowledged: float64, when the first record sent in that time was acknowledged in a place; else infinite.
        stored: bool, a record sent in that time was found or acknowledged there.
        used: bool, a record sent before the event was acknowledged there.
        doubtful: bool, a record sent in that time to a topic was not acknowledged, so that nobody knows its place.
    """

    def __init__(self, times: npt.NDArray[np.float64], places: Places) -> None:
        shape = (len(times) + 1, len(places))  # the first row is before all events
        self._times = times
        self._places = places
        self.acknowledged = np.full(shape, math.inf)
        self.stored = np.zeros(shape, np.bool_)
        self.doubtful = np.zeros((shape[0], int(places.topic.max(initial=0)) + 1), np.bool_)

    def take(self, page: Page) -> None:
        """Enter the records of a page."""
        row = np.searchsorted(self._times, page.sent_at, side="right")
        good = np.flatnonzero(page.acknowledged)
        place = self._places.acknowledged(page, good)
        np.minimum.at(self.acknowledged, (row[good], place), page.settled_at[good])
        found = np.flatnonzero(page.found)
        self.stored[row[found], self._places.found(page, found)] = True
        doubtful = np.flatnonzero(page.sent & ~page.acknowledged)
        self.doubtful[row[doubtful], page.topic[doubtful]] = True

    def recovered(self, event: int) -> float:
        """Return when the last of the partitions written to after an event took a record; NaN where one never did."""
        after = slice(event + 1, None)
        acknowledged = self.acknowledged[after].min(axis=0)
        used = np.isfinite(self.acknowledged[: event + 1].min(axis=0))
        # A send of which nobody knows where it went may have been to any partition that was in use before.
        maybe = used & self.doubtful[after].max(axis=0)[self._places.topic]
        needed = np.isfinite(acknowledged) | self.stored[after].max(axis=0) | maybe
        last = float(acknowledged[needed].max(initial=-math.inf))
        return last if math.isfinite(last) else math.nan


def recoveries(pages: Pages, places: Places, events: Sequence[Event]) -> tuple[Recovery, ...]:
    """Return the recovery from each event, in the order of their times.

    A partition counts as written to after an event where a record sent after it was acknowledged or found; and,
    where a record sent after it to the same topic was not acknowledged, any partition in use before the event:
    that record may have been meant for it. So a partition that stayed dead is not taken for one that was not used.
    """
    if not events:
        return ()
    # What is acknowledged while a broker is being stopped, which takes seconds, proves nothing.
    times = np.sort([event.over_at for event in events])
    table = _Table(times, places)
    for page in pages:
        table.take(page)
    return tuple(
        Recovery(event.name, event.at, table.recovered(int(np.searchsorted(times, event.over_at))) - event.at)
        for event in sorted(events, key=lambda event: event.at)
    )
