"""The ledger: every record that was sent, how it ended, and what happened to the cluster meanwhile."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from kafkalab.errors import InvalidArgument
from kafkalab.ledger.book import CHUNK, Book, Chunk, Outcome
from kafkalab.ledger.check import Account, check
from kafkalab.ledger.identity import SESSION_DIGITS
from kafkalab.ledger.processing import Processor
from kafkalab.ledger.recovery import Event
from kafkalab.ledger.session import Session
from kafkalab.ledger.stored import Log, StoredBatch
from kafkalab.ledger.verdict import Verdict

__all__ = ["Counts", "Ledger"]

_SESSION_BITS = 4 * SESSION_DIGITS


class Counts(NamedTuple):
    """How many records were sent so far, acknowledged and failed."""

    sent: int
    acknowledged: int
    failed: int


class Ledger:
    """What was sent, and the verdict on what became of it.

    It knows of no cluster and has no clock: whoever sends tells it what and when, and :meth:`verify` compares that
    with a log that is read back.
    """

    def __init__(self) -> None:
        self._account = Account()
        self._lock = threading.Lock()

    def session(self, number: int | None = None) -> Session:
        """Open a producer session.

        Args:
            number: from 0 to 2**32 - 1; drawn from the system's entropy where it is not given, so that ledgers
                that share a topic can tell their records apart.

        Raises:
            InvalidArgument: the number is out of range, or another session of this ledger has it.
        """
        with self._lock:
            book = Book(self._free_number() if number is None else self._checked_number(number))
            session = Session(book, self._account.topics)
            self._account.sessions.append(session)
        return session

    def _free_number(self) -> int:
        taken = {book.session for book in self._books()}
        return next(number for number in iter(lambda: secrets.randbits(_SESSION_BITS), None) if number not in taken)

    def _checked_number(self, number: int) -> int:
        if not 0 <= number < 1 << _SESSION_BITS:
            raise InvalidArgument(f"number={number} is no session: give one from 0 to {(1 << _SESSION_BITS) - 1}.")
        if any(book.session == number for book in self._books()):
            raise InvalidArgument(f"session {number} is open already: give each producer a number of its own.")
        return number

    def event(self, name: str, at: float, done_at: float | None = None) -> None:
        """Note something done to the cluster: a fault that fired, or was undone.

        Args:
            name: what was done.
            at: when it began, in seconds of the clock that the sends were timed by.
            done_at: when it was complete; None for at once.
        """
        self._account.events.append(Event(name, at, done_at))

    def observed(self, batches: Iterable[StoredBatch]) -> None:
        """Note what a consumer saw meanwhile, to find contents that changed under an offset; any thread may call.

        It takes 16 bytes for each record, seen once or often.
        """
        self._account.observations.add(batches)

    def processor(self, name: str, topics: Sequence[str], output: str | None = None) -> Processor:
        """Declare a pipeline that consumes ``topics`` and lets each record have one effect.

        Args:
            name: what it is called in the verdict.
            topics: where its inputs were sent to by sessions of this ledger.
            output: the topic whose records are its effects, each with the header ``kafkalab`` of its input, as a
                reader of committed records sees them; without it the application tells them by ``done``.

        Raises:
            InvalidArgument: another processor of this ledger has that name.
        """
        if any(processor.name == name for processor in self._account.processors):
            raise InvalidArgument(f"there is a processor {name!r} already: give each one a name of its own.")
        processor = Processor(name, [topics] if isinstance(topics, str) else topics, output, self._account.sessions)
        self._account.processors.append(processor)
        return processor

    def verify(self, log: Log, *, committed: bool = False, timeout: float = 60.0) -> Verdict:
        """Read back every topic that was sent to and return what became of the records.

        Verify when the producers have ended: what is sent or settled during the reading does not count. A log that
        cannot be read is no error but a verdict that is not verified.

        Args:
            log: what is to be read, such as a cluster.
            committed: read as a consumer with ``isolation.level=read_committed`` does.
            timeout: seconds without progress after which the reader gives a partition up.
        """
        return check(self._account, log, committed=committed, timeout=timeout)

    @property
    def events(self) -> tuple[Event, ...]:
        """What was done to the cluster, in the order in which it was told."""
        return tuple(self._account.events)

    def _books(self) -> list[Book]:
        return [session.book for session in self._account.sessions]

    @property
    def topics(self) -> list[str]:
        """The topics that were sent to, in the order of their first record."""
        return self._account.topics.names

    @property
    def counts(self) -> Counts:
        """The counts so far: cheap, and safe to ask for from another thread while records are sent."""
        books = self._books()
        return Counts(
            sum(book.sent for book in books),
            sum(book.settled[Outcome.ACKNOWLEDGED] for book in books),
            sum(book.settled[Outcome.FAILED] for book in books),
        )

    def sent_times(self) -> npt.NDArray[np.float64]:
        """Return when each record was sent, in seconds (float64), session by session in the order of sending."""
        parts = [chunk.sent_at[:rows][chunk.topic[:rows] > 0] for _, _, chunk, rows in self._chunks()]
        return np.concatenate([np.empty(0), *parts])

    def latencies(self) -> npt.NDArray[np.float64]:
        """Return the seconds from send to acknowledgement of each acknowledged record (float64)."""
        parts = [(chunk.settled_at - chunk.sent_at)[rows] for _, _, chunk, rows in self._acknowledged()]
        return np.concatenate([np.empty(0), *parts])

    def acknowledgements(self) -> pd.DataFrame:
        """Return one row per acknowledged record, by session in the order of opening, then in that of sending.

        Columns: session (int64), sequence (int64), topic (category), partition (int32), offset (int64), sent_at and
        acknowledged_at (float64, seconds).
        """
        parts: dict[str, list[npt.NDArray[np.generic]]] = {name: [] for name in _ACKNOWLEDGEMENT}
        for book, first, chunk, rows in self._acknowledged():
            parts["session"].append(np.full(len(rows), book.session, np.int64))
            parts["sequence"].append(first + rows)
            parts["topic"].append(chunk.topic[rows].astype(np.int32) - 1)
            parts["partition"].append(chunk.partition[rows])
            parts["offset"].append(chunk.offset[rows])
            parts["sent_at"].append(chunk.sent_at[rows])
            parts["acknowledged_at"].append(chunk.settled_at[rows])
        columns = {
            name: np.concatenate([np.empty(0, dtype), *parts.pop(name)]) for name, dtype in _ACKNOWLEDGEMENT.items()
        }
        topic = pd.Categorical.from_codes(columns["topic"], pd.Index(self.topics, dtype="str"))
        return pd.DataFrame({**columns, "topic": topic}, copy=False)

    def _chunks(self) -> Iterator[tuple[Book, int, Chunk, int]]:
        """Iterate the book, first sequence number, chunk, and rows in use of each chunk."""
        for book in self._books():
            rows = book.rows
            for number, first in enumerate(range(0, rows, CHUNK)):
                yield book, first, book.chunks[number], min(CHUNK, rows - first)

    def _acknowledged(self) -> Iterator[tuple[Book, int, Chunk, npt.NDArray[np.int64]]]:
        for book, first, chunk, rows in self._chunks():
            good = (chunk.outcome[:rows] == Outcome.ACKNOWLEDGED) & (chunk.topic[:rows] > 0)
            yield book, first, chunk, np.flatnonzero(good)


_ACKNOWLEDGEMENT = {
    "session": np.int64,
    "sequence": np.int64,
    "topic": np.int32,
    "partition": np.int32,
    "offset": np.int64,
    "sent_at": np.float64,
    "acknowledged_at": np.float64,
}
