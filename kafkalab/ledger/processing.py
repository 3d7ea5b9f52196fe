"""Consume-process pipelines: which records have had their effect, and how often."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kafkalab.errors import InvalidArgument
from kafkalab.ledger.book import CHUNK, Book, chunk_keys, grouped
from kafkalab.ledger.identity import decode
from kafkalab.ledger.pages import Page
from kafkalab.ledger.session import Session

__all__ = ["Effects", "Processor"]


class Effects:
    """How often each record had its effect; four bytes per record."""

    def __init__(self) -> None:
        self._counts: dict[int, npt.NDArray[np.uint32]] = {}

    def add(self, books: Sequence[Book], identities: Sequence[bytes | None]) -> None:
        """Count one effect for each identity; one that is of none of these books is left out."""
        sessions, sequences = decode(identities)
        for key, part in grouped(chunk_keys(books, sessions, sequences)):
            if key >= 0:
                counts = self._counts.setdefault(key, np.zeros(CHUNK, np.uint32))
                np.add.at(counts, sequences[part] % CHUNK, 1)

    def of(self, page: Page) -> npt.NDArray[np.int64]:
        """Return the effects of each record of a page."""
        counts = self._counts.get(page.chunk_key)
        return np.zeros(len(page), np.int64) if counts is None else counts[: len(page)].astype(np.int64)


class Processor:
    """A pipeline that reads topics and lets each record have an effect, made by ``Ledger.processor``.

    Attributes:
        name: what it is called in a verdict.
        topics: the topics it reads.
        output: the topic whose records are its effects, each with its input's identity in the header ``kafkalab``;
            None where :meth:`done` tells them.
        told: the effects that :meth:`done` told.
    """

    def __init__(self, name: str, topics: Sequence[str], output: str | None, sessions: Sequence[Session]) -> None:
        self.name = name
        self.topics = tuple(topics)
        self.output = output
        self.told = Effects()
        self._sessions = sessions
        self._lock = threading.Lock()

    def done(self, identities: Sequence[bytes | None]) -> None:
        """Register that these records have had their effect, once more for each time that one is named.

        Args:
            identities: values of their header ``kafkalab``. Any thread may call.

        Raises:
            InvalidArgument: the effects of this processor are the records of its output topic.
        """
        if self.output is not None:
            raise InvalidArgument(f"the effects of {self.name!r} are read from {self.output!r}: leave out done().")
        with self._lock:
            self.told.add([session.book for session in self._sessions], identities)
