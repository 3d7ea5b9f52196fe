"""How far applications are, in figures, and how long it took from the send of a record until it was worked on."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["Figures", "Steps", "delays"]

Times = npt.NDArray[np.float64]


class Steps:
    """When how many records of one partition were worked on; one thread may add while others look.

    Args:
        start: the offset of the first.
    """

    def __init__(self, start: int) -> None:
        self.start = start
        self._counts = array("q")
        self._times = array("d")
        self._lock = threading.Lock()

    def add(self, count: int, at: float) -> None:
        """Note that the first ``count`` records were worked on at that second; neither goes back."""
        with self._lock:
            self._counts.append(count)
            self._times.append(at)

    def at(self, offsets: npt.NDArray[np.int64]) -> Times:
        """Return when the records with these offsets were worked on (float64, seconds); NaN for not yet."""
        with self._lock:
            counts, times = np.array(self._counts), np.append(np.array(self._times), np.nan)
        found: Times = times[np.searchsorted(counts, offsets - self.start, side="right")]
        return found

    @property
    def count(self) -> int:
        """How many were worked on so far."""
        with self._lock:
            return self._counts[-1] if self._counts else 0

    @property
    def last_at(self) -> float:
        """When the last one was; NaN where there is none."""
        with self._lock:
            return self._times[-1] if self._times else np.nan


def delays(acknowledged: pd.DataFrame, steps: Mapping[tuple[str, int], Steps]) -> Times:
    """Return the seconds from the send of each record until it was worked on, of those that were (float64).

    An application works on the records of a partition in their order. Where several producers race it sorts them a
    little: then the n-th record that it works on is taken for the n-th of the partition.

    Args:
        acknowledged: :meth:`kafkalab.ledger.Ledger.acknowledgements`.
        steps: by real topic and partition.
    """
    found = [np.empty(0)]
    for (topic, number), rows in acknowledged.groupby(["topic", "partition"], observed=True):
        place = (str(topic), cast("int", number))
        if place in steps:
            waited = steps[place].at(rows["offset"].to_numpy()) - rows["sent_at"].to_numpy()
            found.append(waited[~np.isnan(waited)])
    return np.concatenate(found)


@dataclass(frozen=True)
class Figures:
    """One application at a moment.

    Attributes:
        name: which.
        group: its consumer group, by its real name.
        read: records read from its topics.
        processed: records worked on.
        lag: records known to be there and not worked on.
        stored: records in its topics since the start; None while they grow, or where no broker told.
        decisions: how many outputs of each kind.
        fingerprint: of all outputs, see :class:`~kafkalab.apps.fingerprint.Fingerprint`.
        latency: p50_ms, p95_ms, p99_ms and max_ms from send to processed; NaN where nothing is.
        late: records out of order that were not sorted.
        too_late: readings that came after their window.
        redelivered: records that it was given twice, and worked on once.
        finished: whether it came to the end of its topics.
        last_at: when it last worked on a record, in ``time.monotonic()`` seconds; NaN for never.
    """

    name: str
    group: str
    read: int = 0
    processed: int = 0
    lag: int = 0
    stored: int | None = None
    decisions: Mapping[str, int] = field(default_factory=dict)
    fingerprint: str = ""
    latency: Mapping[str, float] = field(default_factory=dict)
    late: int = 0
    too_late: int = 0
    redelivered: int = 0
    finished: bool = False
    last_at: float = np.nan

    @property
    def decided(self) -> int:
        """How many outputs there are of all kinds."""
        return sum(self.decisions.values())

    @property
    def complete(self) -> bool:
        """Whether every stored record was worked on, exactly once: as many as there are offsets, none of them twice."""
        return self.finished and self.processed == self.stored
