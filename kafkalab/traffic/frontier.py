"""How far everything is settled: the simulated time before which no record is on its way any more."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kafkalab.ledger.book import CHUNK, Chunk, Outcome
from kafkalab.ledger.session import Session

__all__ = ["Frontier", "Mark", "Settled"]

_PARTITION_BITS = 32


class Mark(NamedTuple):
    """A moment of dealing.

    Attributes:
        time_ms: simulated time of the last record that was dealt.
        counts: how many records each producer had been dealt by then.
    """

    time_ms: int
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Settled:
    """What is certain of a run, as far as the times of its source never go back.

    Attributes:
        time_ms: in each partition, every record before this simulated time lies before ``ends``.
        ends: by topic (its real name) and partition, the offset behind the last acknowledged record.
    """

    time_ms: int = -1
    ends: Mapping[tuple[str, int], int] = field(default_factory=dict)


class Frontier:
    """Follows the outcomes of a run, each once. A send that stays unknown holds it up until the end.

    Args:
        sessions: of the producers, in their order.
        marks: of the dealer; those that are passed are taken out.
        topics: returns the ledger's, by code from 1.
    """

    def __init__(self, sessions: Sequence[Session], marks: deque[Mark], topics: Callable[[], list[str]]) -> None:
        self._sessions = sessions
        self._marks = marks
        self._topics = topics
        self._settled = [0] * len(sessions)
        self._ends: dict[tuple[str, int], int] = {}
        self._last = Settled()

    def look(self) -> Settled:
        """Return what is settled now; one thread at a time."""
        for number, session in enumerate(self._sessions):
            self._follow(number, session)
        passed = None
        while self._marks and all(map(int.__ge__, self._settled, self._marks[0].counts)):
            passed = self._marks.popleft()
        if passed is not None:
            self._last = Settled(passed.time_ms, dict(self._ends))
        return self._last

    def _follow(self, number: int, session: Session) -> None:
        """Go on to the first record of a session that has no outcome."""
        while (first := self._settled[number]) < (rows := session.next_sequence):
            chunk, start = session.book.chunks[first // CHUNK], first % CHUNK
            part = slice(start, start + rows - first)
            # An outcome may be told a little before the send itself, whose topic is 0 until then.
            open_rows = (chunk.outcome[part] == Outcome.UNKNOWN) | (chunk.topic[part] == 0)
            count = int(open_rows.argmax()) if open_rows.any() else len(open_rows)
            self._note(chunk, slice(start, start + count))
            self._settled[number] += count
            if count < len(open_rows):
                return

    def _note(self, chunk: Chunk, rows: slice) -> None:
        acknowledged = chunk.outcome[rows] == Outcome.ACKNOWLEDGED
        topics = chunk.topic[rows][acknowledged].astype(np.int64) - 1
        places = (topics << _PARTITION_BITS) | chunk.partition[rows][acknowledged]
        names = self._topics()
        for place, offset in _highest(places, chunk.offset[rows][acknowledged]):
            key = (names[place >> _PARTITION_BITS], place & ((1 << _PARTITION_BITS) - 1))
            self._ends[key] = max(self._ends.get(key, 0), offset + 1)


def _highest(places: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return each place with its highest offset."""
    known, which = np.unique(places, return_inverse=True)
    highest = np.zeros(len(known), np.int64)
    np.maximum.at(highest, which, offsets)
    return list(zip(known.tolist(), highest.tolist(), strict=True))
