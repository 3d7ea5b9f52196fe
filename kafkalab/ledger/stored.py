"""What a ledger needs of whatever reads a log back; a cluster gives it, and tests write it by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Log", "PartitionBounds", "Reading", "StoredBatch"]


@dataclass(frozen=True)
class StoredBatch:
    """Records of one partition as a reader saw them, in the order of their offsets.

    Attributes:
        topic: its name.
        partition: its number.
        offsets: int64, increasing.
        identities: the value of the header ``kafkalab`` of each record, None where it has none.
        keys: uint32, CRC-32 of each key; 0 for none.
        values: uint32, CRC-32 of each value; 0 for none.
    """

    topic: str
    partition: int
    offsets: npt.NDArray[np.int64]
    identities: Sequence[bytes | None]
    keys: npt.NDArray[np.uint32]
    values: npt.NDArray[np.uint32]


@dataclass(frozen=True)
class PartitionBounds:
    """How far a reader got in one partition.

    Attributes:
        start: the log start offset; what was below is gone by retention or deletion of records.
        end: the end offset asked for before reading (the last stable one for a read_committed reader).
        reached: whether the reader came to ``end``; a verdict on what was lost needs this of every partition.
        compacts: whether the topic's cleanup policy has compaction.
        held_up: whether an open transaction keeps a read_committed reader from records at ``end`` and behind it.
    """

    start: int
    end: int
    reached: bool
    compacts: bool
    held_up: bool = False


class Reading(Protocol):
    """One pass over the log from its start to its end; iterate it once, then look at ``bounds``."""

    def __iter__(self) -> Iterator[StoredBatch]:
        """Yield batches; those of one partition in the order of their offsets, partitions in any order."""

    @property
    def bounds(self) -> Mapping[tuple[str, int], PartitionBounds]:
        """Of every partition of the topics: complete when the iteration has ended."""


class Log(Protocol):
    """Whatever can be read back: a cluster."""

    def read_log(self, topics: Sequence[str], *, committed: bool = False, timeout: float = 60.0) -> Reading:
        """Return a fresh reading of ``topics`` from the earliest offset, in no group.

        Args:
            topics: their names; a topic that is not there has no partitions in ``bounds``.
            committed: leave out records of transactions that were aborted or are open (read_committed).
            timeout: seconds without progress in a partition after which the reader gives that partition up.
        """
