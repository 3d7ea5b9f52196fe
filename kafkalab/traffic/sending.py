"""One producer session: hands records to a client library, and tells the ledger what was sent and how it ended.

What the ledger has to know is kept by the chunk, since a client takes no more than some microseconds for a record:
identities are made, checksums taken and outcomes told for hundreds of records at a time.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from kafkalab.errors import TrafficFailed
from kafkalab.ledger import Session
from kafkalab.traffic.dealing import Chunk

__all__ = ["CHUNK_SIZE", "Halted", "Sender", "Signals"]

#: Records handed over together, at most: with 100, what is kept by the chunk costs kafka-python 16 %, with 500 none.
CHUNK_SIZE = 500
_LOOK_SECONDS = 0.01
_MOST_BYTES = 32 << 20  # as buffer.memory of Kafka's own producer


class Halted(Exception):
    """No more records are to be sent."""


@dataclass
class Signals:
    """What all producers of a run are told.

    Attributes:
        deadline: seconds after which a send without an outcome counts as unknown.
        halt: send no more, and wait for the outcomes of what was sent.
        abandon: do not wait for outcomes either.
        patience_from: time.monotonic() seconds; before it, the wait for the last outcomes has not begun.
    """

    deadline: float
    halt: threading.Event = field(default_factory=threading.Event)
    abandon: threading.Event = field(default_factory=threading.Event)
    patience_from: float = 0.0


class Sender(ABC):
    """A producer of one of the client libraries; used by one thread.

    Args:
        session: the ledger's page for it.
        signals: the run's.
        most: records that may be without an outcome at a time.
    """

    def __init__(self, session: Session, signals: Signals, most: int) -> None:
        self._session = session
        self._signals = signals
        self._most = most

    @property
    @abstractmethod
    def outstanding(self) -> int:
        """How many records have no outcome yet."""

    @abstractmethod
    def collect(self, seconds: float) -> None:
        """Tell the ledger of the outcomes there are; wait for one so long at most."""

    @abstractmethod
    def close(self) -> None:
        """End the client in about a second, whatever is outstanding; that stays unknown."""

    @abstractmethod
    def _hand_over(self, chunk: Chunk, first: int, identities: list[bytes]) -> tuple[int, Exception | None]:
        """Give the records to the client; return how many it has, and what kept it from the others, if anything."""

    def send(self, chunk: Chunk) -> None:
        """Hand over a chunk; waits while too many records are outstanding.

        Raises:
            Halted: the run is to send no more; what was not handed over is not in the ledger.
            TrafficFailed: the client has no room within the deadline, or does not take a record.
        """
        _check_bytes(chunk)
        most = min(self._most, max(len(chunk), _MOST_BYTES // _mean_size(chunk)))
        self._wait_for_room(lambda: self.outstanding + len(chunk) <= most)
        first = self._session.next_sequence
        identities = self._session.identities(len(chunk))
        began = time.monotonic()
        count, trouble = self._hand_over(chunk, first, identities)
        # The client has had each at its own moment: the outcome of the first may be there before the last is sent.
        at = np.linspace(began, time.monotonic(), count)
        self._session.sent(first, chunk.topics[:count], chunk.keys[:count], chunk.values[:count], at)
        self.collect(0)
        if trouble is not None:
            raise trouble

    def _wait_for_room(self, there_is: Callable[[], bool]) -> None:
        limit = time.monotonic() + self._signals.deadline
        while not there_is():
            if self._signals.halt.is_set():
                raise Halted
            if time.monotonic() > limit:
                raise TrafficFailed(
                    f"the producer could take no more records for {self._signals.deadline:g} s, because nothing was "
                    f"acknowledged: see whether the brokers run, or give it longer with deadline=."
                )
            self.collect(_LOOK_SECONDS)


def _check_bytes(chunk: Chunk) -> None:
    for name, column in (("key", chunk.keys), ("value", chunk.values)):
        if wrong := set(map(type, column)) - {bytes, type(None)}:
            found = next(part for part in column if type(part) in wrong)
            raise TrafficFailed(f"a record has the {name} {found!r}, where Kafka takes bytes or None: encode it.")


def _mean_size(chunk: Chunk) -> int:
    return max(1, sum(map(len, filter(None, chunk.values))) // len(chunk))
