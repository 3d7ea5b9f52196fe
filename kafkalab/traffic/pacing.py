"""When each record is due: at a rate in real time, by its simulated time, or at once.

Due times count from the first record and not from one another, so that a late record delays no later one and
the rate does not drift: after a pause, such as a change of leader, what is overdue follows as fast as it goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

__all__ = ["TICK", "Pace"]

#: Seconds: records due within one tick are sent together.
TICK = 0.02
Seconds = npt.NDArray[np.float64]


class Pace:
    """Says when the next records are due, in seconds after the first.

    Args:
        rate: records/s in real time.
        speed: simulated seconds for each real one. Neither: every record is due at once.
    """

    def __init__(self, rate: float | None = None, speed: float | None = None) -> None:
        self._rate = rate
        self._speed = speed
        self._count = 0
        self._first: int | None = None
        self._latest = 0.0

    def due(self, timestamps_ms: Sequence[int]) -> Seconds:
        """Return when the next records are due, never earlier than one before; they have these simulated times."""
        count = len(timestamps_ms)
        if self._rate is not None:
            due = np.arange(self._count, self._count + count) / self._rate
        elif self._speed is not None:
            due = self._simulated(np.asarray(timestamps_ms, np.int64), self._speed)
        else:
            due = np.zeros(count)
        self._count += count
        return due

    def _simulated(self, timestamps_ms: npt.NDArray[np.int64], speed: float) -> Seconds:
        if not len(timestamps_ms):
            return np.empty(0)
        if self._first is None:
            self._first = int(timestamps_ms[0])
        due = (timestamps_ms - self._first) / 1000 / speed
        # A sensor's late reading carries an older time; it is sent when its turn comes.
        due = np.maximum.accumulate(np.maximum(due, self._latest))
        self._latest = float(due[-1])
        return due

    def runs(self, timestamps_ms: Sequence[int]) -> Iterator[tuple[float, slice]]:
        """Split the next records into runs that are sent together: when a run is due, and which records it is."""
        if self._rate is None and self._speed is None:
            yield 0.0, slice(0, len(timestamps_ms))
            return
        due = self.due(timestamps_ms)
        # Half a microsecond more, or 0.06 / 0.02 would fall into the tick before.
        ticks = np.floor((due + 5e-7) / TICK)
        bounds = [0, *(np.flatnonzero(np.diff(ticks)) + 1).tolist(), len(due)]
        for first, end in pairwise(bounds):
            if end > first:
                yield float(due[first]), slice(first, end)
