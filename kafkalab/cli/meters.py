"""What the live table measures again and again, no more often than it may cost."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from kafkalab.apps.figures import Figures
from kafkalab.apps.runner import Applications
from kafkalab.ledger import Ledger
from kafkalab.traffic import Run

__all__ = ["Meter", "Reader", "Readers", "Sparingly"]

_HISTORY = 40
_SHARE = 0.05  # of one core's time that the percentiles may take


class Sparingly:
    """Does something as often as it may, and so seldom that it takes a small part of the time.

    Of millions of records the percentiles take so long that they would slow down what they measure.

    Args:
        work: is done.
        clock: seconds.
    """

    def __init__(self, work: Callable[[], None], clock: Callable[[], float]) -> None:
        self._work = work
        self._clock = clock
        self._due = -math.inf

    def __call__(self) -> None:
        """Do it, where it is due."""
        began = self._clock()
        if began >= self._due:
            self._work()
            self._due = began + (self._clock() - began) / _SHARE


class Meter:
    """The speed of a run over the last looks, and its latency so far.

    Args:
        run: the traffic.
        clock: seconds.

    Attributes:
        latency: p50 and p95 in ms of all records so far; None where there is none.
    """

    def __init__(self, run: Run, clock: Callable[[], float] = time.monotonic) -> None:
        self.latency: tuple[float, float] | None = None
        self._run = run
        self._before = (0.0, 0)
        self._speeds: deque[float] = deque(maxlen=_HISTORY)
        self._measured = Sparingly(self._measure, clock)

    @property
    def speeds(self) -> list[float]:
        """Records acknowledged per second between one look and the next, the newest last."""
        return list(self._speeds)

    def look(self, elapsed: float, acknowledged: int) -> None:
        """Note how far the run is, which it says itself: seconds and records."""
        seconds, records = self._before
        if elapsed > seconds:
            self._speeds.append((acknowledged - records) / (elapsed - seconds))
            self._before = (elapsed, acknowledged)
        self._measured()

    def _measure(self) -> None:
        latencies = self._run.ledger.latencies()
        if len(latencies):
            p50, p95 = np.percentile(latencies * 1000, [50, 95])
            self.latency = (float(p50), float(p95))


@dataclass(frozen=True)
class Reader:
    """One application in the live table.

    Attributes:
        name: which.
        speed: records/s that it read since the look before.
        lag: records that are there and that it has not worked on.
        decisions: so far.
        latency: p50, p95 and p99 in ms from send to processed, of all so far; None where there is none.
    """

    name: str
    speed: float
    lag: int
    decisions: int
    latency: tuple[float, float, float] | None


class Readers:
    """The applications of a run, as they were at the last look.

    Args:
        applications: those that run.
        ledger: of the run.
        clock: seconds.

    Attributes:
        rows: one for each, in their order.
    """

    def __init__(self, applications: Applications, ledger: Ledger, clock: Callable[[], float] = time.monotonic) -> None:
        self.rows: Sequence[Reader] = ()
        self._applications = applications
        self._ledger = ledger
        self._clock = clock
        self._before: tuple[float, dict[str, int]] = (clock(), {})
        self.look = Sparingly(self._look, clock)

    def _look(self) -> None:
        before, read = self._before
        now, seen = self._clock(), self._applications.look(self._ledger)
        seconds = max(now - before, 1e-9)
        self.rows = [_row(each, (each.read - read.get(each.name, 0)) / seconds) for each in seen]
        self._before = (now, {each.name: each.read for each in seen})


def _row(seen: Figures, speed: float) -> Reader:
    p50, p95, p99 = (seen.latency[name] for name in ("p50_ms", "p95_ms", "p99_ms"))
    latency = None if math.isnan(p50) else (p50, p95, p99)
    return Reader(seen.name, speed, seen.lag, seen.decided, latency)
