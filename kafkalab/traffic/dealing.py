"""Records dealt out to producers, so that all of one key go through the same one: their order has a meaning then."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from zlib import crc32

from kafkalab.simulation.source import Record
from kafkalab.traffic.frontier import Mark
from kafkalab.traffic.pacing import Pace

__all__ = ["Chunk", "Dealer", "EndOfRecords"]

_MOST_MARKS = 1000  # where nobody asks for them
_MOST_WAITING = 8  # chunks that a slow producer may be behind before the others wait for it


class EndOfRecords(Exception):
    """There is nothing left to send."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Records that one producer sends together, column by column.

    Attributes:
        due: seconds after :attr:`Dealer.began`.
        topics: real names.
        keys: bytes or None.
        values: bytes or None.
        timestamps: milliseconds since 1970.
        headers: pairs of name and value, beside the identity.
    """

    due: float
    topics: Sequence[str]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    timestamps: Sequence[int]
    headers: Sequence[tuple[tuple[str, bytes], ...]]

    @classmethod
    def of(cls, due: float, records: Iterable[Record], name: Callable[[str], str]) -> Chunk:
        """Return the columns of ``records``; ``name`` gives a topic's real name."""
        topics, *columns = zip(*records, strict=True)
        real = {topic: name(topic) for topic in set(topics)}
        return cls(due, [real[topic] for topic in topics], *columns)

    def __len__(self) -> int:
        return len(self.values)


class Dealer:
    """Takes records from a source when a producer asks for more, whichever it is.

    Args:
        records: in the order of sending; read from one thread at a time.
        producers: how many ask.
        pace: when they are due.
        name: gives a topic's real name.
        size: records in a chunk, at most.

    Attributes:
        began: time.monotonic() seconds from which chunks are due: when the first were dealt, since the time that a
            source or a topic takes to be made must not be made up for by a burst.
        marks: how far it was after each run of records that was dealt; the last thousand, for who takes them out.
    """

    def __init__(
        self, records: Iterable[Record], producers: int, pace: Pace, name: Callable[[str], str], size: int
    ) -> None:
        self._records = iter(records)
        self._pace = pace
        self._name = name
        self._size = size
        self._waiting: list[deque[Chunk]] = [deque() for _ in range(producers)]
        self._keyless = 0
        self._counts = [0] * producers
        self.marks: deque[Mark] = deque(maxlen=_MOST_MARKS)
        self.began: float | None = None
        self._lock = threading.Lock()

    def take(self, producer: int) -> Chunk | None:
        """Return that producer's next chunk, or None while another has too many waiting.

        Raises:
            EndOfRecords: it has sent its last one.
        """
        with self._lock:
            mine = self._waiting[producer]
            while not mine:
                if any(len(waiting) >= _MOST_WAITING for waiting in self._waiting):
                    return None
                self._deal()
            return mine.popleft()

    def _deal(self) -> None:
        records = list(islice(self._records, self._size))
        if not records:
            raise EndOfRecords
        for due, part in self._pace.runs([record.timestamp_ms for record in records]):
            for number, dealt in self._dealt(records[part]):
                self._waiting[number].append(Chunk.of(due, dealt, self._name))
                self._counts[number] += len(dealt)
            self.marks.append(Mark(records[part][-1].timestamp_ms, tuple(self._counts)))
        if self.began is None:
            self.began = time.monotonic()

    def _dealt(self, records: list[Record]) -> Iterator[tuple[int, list[Record]]]:
        if len(self._waiting) == 1:
            yield 0, records
            return
        hands: list[list[Record]] = [[] for _ in self._waiting]
        for record in records:
            hands[self._producer_of(record)].append(record)
        yield from ((number, hand) for number, hand in enumerate(hands) if hand)

    def _producer_of(self, record: Record) -> int:
        if record.key is None:
            self._keyless += 1
            return self._keyless % len(self._waiting)
        return crc32(record.key) % len(self._waiting)
