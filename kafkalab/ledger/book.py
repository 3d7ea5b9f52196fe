"""What one producer session sent and how each send ended, in numpy columns.

The row of a record is its sequence number. Rows lie in chunks of a fixed size, so that a book grows without ever
copying what it has; a record takes 41 bytes. One thread may register sends while another registers outcomes: they
write different columns, and the outcome is written last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

from kafkalab.errors import InvalidArgument

__all__ = ["CHUNK", "Book", "Chunk", "Outcome", "checksums", "chunk_keys", "grouped", "session_indices"]

_BITS = 16
_KEY_BITS = 40 - _BITS  # a sequence number has twelve decimal digits
#: Rows of a chunk.
CHUNK = 1 << _BITS
Integers = npt.NDArray[np.int64]


class Outcome(IntEnum):
    """How a send ended, as the ledger was told."""

    UNKNOWN = 0
    ACKNOWLEDGED = 1
    FAILED = 2


class Chunk:
    """Columns of ``CHUNK`` records in the order of their sequence numbers; all zeros to begin with.

    Attributes:
        topic: uint16, the topic's code; 0 for a sequence number that was reserved and not sent.
        key: uint32, CRC-32; 0 for none.
        value: uint32, CRC-32; 0 for none.
        tombstone: bool, the value is None, which in a compacted topic deletes the key.
        sent_at: float64, seconds.
        outcome: uint8, an :class:`Outcome`.
        partition: int32, of an acknowledged record.
        offset: int64, of an acknowledged record.
        settled_at: float64, seconds: when it was acknowledged or failed.
        aborted: bool, its transaction was aborted.
    """

    __slots__ = (
        "aborted",
        "key",
        "offset",
        "outcome",
        "partition",
        "sent_at",
        "settled_at",
        "tombstone",
        "topic",
        "value",
    )

    def __init__(self) -> None:
        # Zeros cost no memory until they are written to.
        self.topic = np.zeros(CHUNK, np.uint16)
        self.key = np.zeros(CHUNK, np.uint32)
        self.value = np.zeros(CHUNK, np.uint32)
        self.tombstone = np.zeros(CHUNK, np.bool_)
        self.sent_at = np.zeros(CHUNK, np.float64)
        self.outcome = np.zeros(CHUNK, np.uint8)
        self.partition = np.zeros(CHUNK, np.int32)
        self.offset = np.zeros(CHUNK, np.int64)
        self.settled_at = np.zeros(CHUNK, np.float64)
        self.aborted = np.zeros(CHUNK, np.bool_)


class Book:
    """The records of one producer session.

    Args:
        session: its number, 0 to 2**32 - 1.

    Attributes:
        rows: sequence numbers reserved so far.
        sent: records sent so far.
        settled: how many have each :class:`Outcome`; of ``UNKNOWN``, a number without meaning.
    """

    def __init__(self, session: int) -> None:
        self.session = session
        self.rows = 0
        self.sent = 0
        self.settled = [0] * len(Outcome)
        self.chunks: list[Chunk] = []

    def reserve(self, count: int) -> int:
        """Make room for ``count`` more records and return the first one's sequence number."""
        first = self.rows
        while len(self.chunks) * CHUNK < first + count:
            self.chunks.append(Chunk())
        self.rows = first + count
        return first

    def send(
        self,
        first: int,
        topics: npt.NDArray[np.uint16],
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        at: npt.NDArray[np.float64],
    ) -> None:
        """Register that the records from ``first`` on were handed to the client, to ``topics`` (codes).

        Raises:
            InvalidArgument: these sequence numbers were not reserved.
        """
        self._demand_reserved(first, first + len(values) - 1)
        columns = {"key": checksums(keys), "value": checksums(values), "sent_at": at}
        # Only a value without a checksum can be None.
        columns["tombstone"] = empty = columns["value"] == 0
        for index in np.flatnonzero(empty).tolist():
            empty[index] = values[index] is None
        for chunk, rows, part in _slices(self.chunks, first, len(values)):
            for name, column in columns.items():
                getattr(chunk, name)[rows] = column[part]
            self.sent += int(np.count_nonzero(chunk.topic[rows] == 0))
            chunk.topic[rows] = topics[part]

    def settle(self, sequences: Integers, outcome: Outcome, at: npt.NDArray[np.float64], **columns: Integers) -> None:
        """Register the outcome of sends; ``columns`` are ``partition`` and ``offset`` of acknowledged ones.

        Raises:
            InvalidArgument: a sequence number was not reserved.
        """
        for chunk, rows, part in self.pieces(sequences):
            for name, column in columns.items():
                getattr(chunk, name)[rows] = column[part]
            chunk.settled_at[rows] = at[part]
            for before, count in enumerate(np.bincount(chunk.outcome[rows]).tolist()):
                self.settled[before] -= count
            # Last: whoever reads it meanwhile finds the other columns written.
            chunk.outcome[rows] = outcome
            self.settled[outcome] += len(rows)

    def abort(self, sequences: Integers) -> None:
        """Register that the transaction of these records was aborted.

        Raises:
            InvalidArgument: a sequence number was not reserved.
        """
        for chunk, rows, _ in self.pieces(sequences):
            chunk.aborted[rows] = True

    def pieces(self, sequences: Integers) -> Iterator[tuple[Chunk, Integers, Integers]]:
        """Iterate the chunks of ``sequences``: the chunk, rows in it, and which of ``sequences`` these are.

        Raises:
            InvalidArgument: a sequence number was not reserved.
        """
        if len(sequences):
            self._demand_reserved(int(sequences.min()), int(sequences.max()))
        for number, part in grouped(sequences >> _BITS):
            yield self.chunks[number], sequences[part] & (CHUNK - 1), part

    def _demand_reserved(self, lowest: int, highest: int) -> None:
        if lowest < 0 or highest >= self.rows:
            wrong = lowest if lowest < 0 else highest
            raise InvalidArgument(
                f"sequence number {wrong} was not reserved in this session, which has {self.rows}: "
                "take it from identities() or enter()."
            )


def _slices(chunks: list[Chunk], first: int, count: int) -> Iterator[tuple[Chunk, slice, slice]]:
    """Iterate the chunks of rows in a row: the chunk, rows in it, and which of them these are."""
    done = 0
    while done < count:
        number, row = divmod(first + done, CHUNK)
        size = min(count - done, CHUNK - row)
        yield chunks[number], slice(row, row + size), slice(done, done + size)
        done += size


def checksums(parts: Sequence[bytes | None]) -> npt.NDArray[Any]:
    """Return the CRC-32 of each (uint32); 0 for None, and so for what is empty."""
    return np.array([0 if part is None else crc32(part) for part in parts], np.uint32)


def chunk_keys(books: Sequence[Book], sessions: Integers, sequences: Integers) -> Integers:
    """Return a key of the chunk that each record's row is in, ascending by book and row; -1 for no row of these books.

    Args:
        books: those to look in.
        sessions: numbers of sessions; -1 for none.
        sequences: of the same records.
    """
    if not books:
        return np.full(len(sessions), -1, np.int64)
    numbers = np.array([book.session for book in books], np.int64)
    rows = np.array([book.rows for book in books], np.int64)
    order = np.argsort(numbers)
    index = order[np.searchsorted(numbers[order], sessions).clip(max=len(books) - 1)]
    known = (numbers[index] == sessions) & (sequences < rows[index])
    return np.where(known, (index << _KEY_BITS) | (sequences >> _BITS), -1)


def session_indices(keys: Integers) -> Integers:
    """Return the index of the book that each key of a chunk belongs to, -1 for a key of -1."""
    return keys >> _KEY_BITS


def grouped(keys: Integers) -> Iterator[tuple[int, Integers]]:
    """Iterate the distinct keys in ascending order, each with the indices where it stands, ascending."""
    if not len(keys):
        return
    if (keys == keys[0]).all():
        yield int(keys[0]), np.arange(len(keys))
        return
    order = np.argsort(keys, kind="stable")
    ends = np.flatnonzero(np.diff(keys[order])) + 1
    for part in np.split(order, ends):
        yield int(keys[part[0]]), part
