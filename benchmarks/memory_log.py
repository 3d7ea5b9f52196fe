"""A log in memory, which a ledger reads back as it reads a cluster: what a reader could have found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from kafkalab.ledger import PartitionBounds, StoredBatch
from kafkalab.ledger.book import checksums

__all__ = ["MemoryLog", "MemoryReading", "Place", "Slot", "as_batch"]

Place = tuple[str, int]
"""A topic and a partition."""


@dataclass(frozen=True)
class Slot:
    """One record in a log.

    Attributes:
        offset: its offset.
        identity: the value of its header ``kafkalab``; None where it has none.
        key: bytes or None.
        value: bytes or None.
        hidden: not shown to a reader of committed records.
    """

    offset: int
    identity: bytes | None
    key: bytes | None = None
    value: bytes | None = None
    hidden: bool = False


@dataclass
class MemoryLog:
    """A log in memory, which can be read back.

    Attributes:
        slots: of each partition, in the order of their offsets.
        bounds: of each partition; one that is left out reaches from 0 to behind the last slot and was read to the end.
        gone: partitions that are there no more.
        batch: how many records a batch has at most.
        error: raised in the middle of a reading.
    """

    slots: Mapping[Place, Sequence[Slot]]
    bounds: Mapping[Place, PartitionBounds] = field(default_factory=dict)
    gone: frozenset[Place] = frozenset()
    batch: int = 3
    error: Exception | None = None

    def read_log(self, topics: Sequence[str], *, committed: bool = False, timeout: float = 60.0) -> MemoryReading:
        """Return a reading of ``topics``."""
        places = [place for place in self.slots if place[0] in topics and place not in self.gone]
        return MemoryReading(self, places, committed=committed)


class MemoryReading:
    """One pass over a :class:`MemoryLog`: a batch of each partition in turn."""

    def __init__(self, log: MemoryLog, places: Sequence[Place], *, committed: bool) -> None:
        self._log = log
        self._committed = committed
        self.bounds = {place: log.bounds.get(place) or _whole(log.slots[place]) for place in places}

    def __iter__(self) -> Iterator[StoredBatch]:
        """Yield the records between the bounds."""
        rest = {place: self._shown(place) for place in self.bounds}
        while any(rest.values()):
            for place, slots in rest.items():
                yield as_batch(place, slots[: self._log.batch])
                rest[place] = slots[self._log.batch :]
        if self._log.error is not None:
            raise self._log.error

    def _shown(self, place: Place) -> list[Slot]:
        bounds = self.bounds[place]
        return [
            slot
            for slot in self._log.slots[place]
            if bounds.start <= slot.offset < bounds.end and not (slot.hidden and self._committed)
        ]


def _whole(slots: Sequence[Slot]) -> PartitionBounds:
    return PartitionBounds(0, slots[-1].offset + 1 if slots else 0, reached=True, compacts=False)


def as_batch(place: Place, slots: Sequence[Slot]) -> StoredBatch:
    """Return some records of a partition as a reader gives them."""
    return StoredBatch(
        *place,
        np.array([slot.offset for slot in slots], np.int64),
        [slot.identity for slot in slots],
        checksums([slot.key for slot in slots]),
        checksums([slot.value for slot in slots]),
    )
