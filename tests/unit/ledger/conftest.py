"""Stories of records, written by hand: sent, acknowledged, stored."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.memory_log import MemoryLog, Place, Slot
from kafkalab.ledger import Entry, Ledger, PartitionBounds, Session, Verdict

__all__ = ["Story", "Told", "rows"]


@dataclass(frozen=True)
class Told:
    """A record that was sent."""

    entry: Entry
    topic: str
    key: bytes | None
    value: bytes | None

    @property
    def identity(self) -> bytes:
        return self.entry.headers[0][1]


@dataclass
class Story:
    """A ledger beside a log; the sessions are numbered from 1."""

    ledger: Ledger = field(default_factory=Ledger)
    slots: dict[Place, list[Slot]] = field(default_factory=lambda: defaultdict(list))
    bounds: dict[Place, PartitionBounds] = field(default_factory=dict)
    sessions: dict[int, Session] = field(default_factory=dict)

    def send(
        self, key: bytes | None = b"k", value: bytes | None = b"v", topic: str = "t", session: int = 1, at: float = 0.0
    ) -> Told:
        if session not in self.sessions:
            self.sessions[session] = self.ledger.session(session)
        return Told(self.sessions[session].enter(topic, key, value, at), topic, key, value)

    def store(self, record: Told, partition: int = 0, offset: int | None = None, **other: Any) -> int:
        """Append a record to a partition, at the next offset or a higher one; return its offset."""
        slots = self.slots[record.topic, partition]
        next_offset = slots[-1].offset + 1 if slots else 0
        slot = Slot(next_offset if offset is None else offset, record.identity, record.key, record.value)
        slots.append(replace(slot, **other))
        return slots[-1].offset

    def good(self, key: bytes | None = b"k", value: bytes | None = b"v", partition: int = 0, **how: Any) -> Told:
        """Send, store and acknowledge a record."""
        record = self.send(key, value, **how)
        record.entry.acknowledged(partition, self.store(record, partition), 1.0)
        return record

    def bound(
        self, start: int, end: int, *, reached: bool = True, compacts: bool = False, place: Place = ("t", 0)
    ) -> None:
        self.bounds[place] = PartitionBounds(start, end, reached=reached, compacts=compacts)
        self.slots[place] += []

    def log(self, gone: frozenset[Place] = frozenset()) -> MemoryLog:
        return MemoryLog(self.slots, self.bounds, gone)

    def verdict(self, *, committed: bool = False, gone: frozenset[Place] = frozenset()) -> Verdict:
        return self.ledger.verify(self.log(gone), committed=committed)


def rows(verdict: Verdict, kind: str) -> list[tuple[int, int, str, int, int]]:
    """Return the rows of a table without the details."""
    table = verdict.table(kind)[["session", "sequence", "topic", "partition", "offset"]]
    found: list[tuple[int, int, str, int, int]] = list(table.itertuples(index=False, name=None))
    assert len(found) == verdict.counts[kind]
    return found
