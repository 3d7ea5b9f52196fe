"""One producer session: hands out identities, and is told what was sent and how it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kafkalab.errors import InvalidArgument
from kafkalab.ledger.book import Book, Outcome
from kafkalab.ledger.identity import HEADER, encode
from kafkalab.ledger.topics import Topics

__all__ = ["Entry", "Session"]

Numbers = Sequence[int] | npt.NDArray[np.integer]
Times = float | Sequence[float] | npt.NDArray[np.float64]


class Session:
    """A producer's side of the ledger, made by :meth:`kafkalab.ledger.Ledger.session`.

    A session belongs to one producer: its records are numbered in the order in which they are sent, and that is
    the order in which those of one key must be found. Sends are registered by one thread, outcomes by one thread,
    which may be another. Every time is in seconds, all of the same clock.

    A record that was neither acknowledged nor failed when the ledger is verified is unknown: it may be found or not.
    """

    def __init__(self, book: Book, topics: Topics) -> None:
        #: The columns; for the verification.
        self.book = book
        self._topics = topics
        #: Why sends failed, and how often.
        self.reasons: Counter[str] = Counter()

    @property
    def number(self) -> int:
        """The session's number, 0 to 2**32 - 1: the first eight digits of its records' header."""
        return self.book.session

    @property
    def next_sequence(self) -> int:
        """The sequence number that is handed out next."""
        return self.book.rows

    def identities(self, count: int) -> list[bytes]:
        """Reserve the next ``count`` sequence numbers; return their values for the header ``kafkalab``.

        Raises:
            InvalidArgument: ``count`` is negative.
        """
        if count < 0:
            raise InvalidArgument(f"count={count} is not possible: give a whole number from 0.")
        return encode(self.number, self.book.reserve(count), count)

    def sent(
        self,
        first_sequence: int,
        topic: str | Sequence[str],
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        at: Times,
    ) -> None:
        """Register records with the sequence numbers from ``first_sequence`` on; call it before they are sent.

        Args:
            first_sequence: of the first of them; the others follow without a gap.
            topic: the name of the topic of all, or of each.
            keys: bytes or None; None and empty are one key to the ledger, whose checksums are the same.
            values: bytes or None; the same holds, apart from what compaction does.
            at: when the records were handed to the client: one time for all, or one for each.

        Raises:
            InvalidArgument: sequence numbers that were not reserved, or columns of different lengths.
        """
        count = len(values)
        _demand_lengths(count, keys=keys, **({} if isinstance(topic, str) else {"topic": topic}))
        self.book.send(first_sequence, self._topics.codes(topic, count), keys, values, _times(at, count))

    def acknowledged(self, sequences: Numbers, partitions: Numbers, offsets: Numbers, at: Times) -> None:
        """Register that these were written at these places, as the cluster said.

        An offset of -1 says nothing (``acks=0``, or a duplicate that the broker dropped): the record stays
        unknown. Under a transactional producer call it when the commit has succeeded, since what was written
        before may still be aborted by a time-out.

        Raises:
            InvalidArgument: a sequence number that was not reserved, an offset without a partition, or columns of
                different lengths.
        """
        _demand_lengths(len(sequences), partitions=partitions, offsets=offsets)
        columns = {"offset": _integers(offsets), "partition": _integers(partitions)}
        rows, times = _integers(sequences), _times(at, len(sequences))
        if len(rows) and min(columns["offset"].min(), columns["partition"].min()) < 0:
            known = columns["offset"] >= 0
            columns = {name: column[known] for name, column in columns.items()}
            rows, times = rows[known], times[known]
            if (columns["partition"] < 0).any():
                raise InvalidArgument("an acknowledgement names an offset and no partition: give both, or offset -1.")
        self.book.settle(rows, Outcome.ACKNOWLEDGED, times, **columns)

    def failed(self, sequences: Numbers, at: Times, reason: str = "") -> None:
        """Register that these were certainly not written; one of which that is not certain stays unknown.

        Raises:
            InvalidArgument: a sequence number that was not reserved.
        """
        self.book.settle(_integers(sequences), Outcome.FAILED, _times(at, len(sequences)))
        if len(sequences):
            self.reasons[reason] += len(sequences)

    def aborted(self, sequences: Numbers) -> None:
        """Register that the transaction of these records was certainly aborted.

        They are not lost where they are not found, and anomalous where a read_committed reader finds them.

        Raises:
            InvalidArgument: a sequence number that was not reserved.
        """
        self.book.abort(_integers(sequences))

    def enter(self, topic: str, key: bytes | None, value: bytes | None, at: float) -> Entry:
        """Reserve a sequence number and register one record, for a loop that sends one at a time."""
        sequence = self.next_sequence
        (identity,) = self.identities(1)
        self.sent(sequence, topic, [key], [value], at)
        return Entry(self, sequence, [(HEADER, identity)])

    def __repr__(self) -> str:
        return f"Session(number={self.number}, next_sequence={self.next_sequence})"


@dataclass(frozen=True)
class Entry:
    """One record of a session.

    Attributes:
        sequence: its sequence number.
        headers: its identity as the client takes it: ``producer.send(..., headers=entry.headers)``.
    """

    session: Session
    sequence: int
    headers: list[tuple[str, bytes]]

    def acknowledged(self, partition: int, offset: int, at: float) -> None:
        """Register that it was written there; see :meth:`Session.acknowledged`."""
        self.session.acknowledged([self.sequence], [partition], [offset], at)

    def failed(self, at: float, reason: str = "") -> None:
        """Register that it was certainly not written."""
        self.session.failed([self.sequence], at, reason)


def _integers(numbers: Numbers) -> npt.NDArray[np.int64]:
    return np.asarray(numbers, np.int64)


def _times(at: Times, count: int) -> npt.NDArray[np.float64]:
    times = np.asarray(at, np.float64)
    if times.ndim:
        _demand_lengths(count, at=times)
    return np.broadcast_to(times, count)


def _demand_lengths(count: int, **columns: Sequence[object] | npt.NDArray[np.generic]) -> None:
    for name, column in columns.items():
        if len(column) != count:
            raise InvalidArgument(f"{name} has {len(column)} entries for {count} records: give one for each.")
