"""Sending by kafka-python: futures are looked at later, which costs less than a call-back for each record."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Mapping
from itertools import compress
from operator import attrgetter, not_
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError

from kafkalab.clusters.admin import QUICK_RECONNECT
from kafkalab.clusters.kafka_python import made
from kafkalab.errors import InvalidArgument, TrafficFailed, WaitTimeout
from kafkalab.ledger import Session
from kafkalab.ledger.identity import HEADER
from kafkalab.traffic.dealing import Chunk
from kafkalab.traffic.outcomes import was_not_written
from kafkalab.traffic.sending import Halted, Sender, Signals
from kafkalab.waiting import wait_until

__all__ = ["KafkaPythonSender"]

_MOST_OUTSTANDING = 5000
_REQUEST_SECONDS = 5.0  # a paused broker never answers; the default of 30 s would hide that it has a successor
_BLOCK_MS = 100
_SCAN_SECONDS = 0.02
_CLOSE_SECONDS = 1.0
_TRIES = 6  # of three brokers one may be frozen: the chance that it is asked each time is 1 in 700


class KafkaPythonSender(Sender):
    """A ``KafkaProducer`` of its own; see :class:`~kafkalab.traffic.sending.Sender`.

    Args:
        config: the library's keyword arguments that reach the cluster.
        acks: as the library takes it.
        overrides: the caller's settings, over all others.

    Raises:
        TrafficFailed: no broker answered.
        InvalidArgument: a setting that the library refuses.
    """

    def __init__(
        self, session: Session, signals: Signals, config: Mapping[str, Any], acks: object, overrides: Mapping[str, Any]
    ) -> None:
        super().__init__(session, signals, _MOST_OUTSTANDING)
        request_ms = int(min(_REQUEST_SECONDS, signals.deadline) * 1000)
        settings = {
            **config,
            **QUICK_RECONNECT,
            "acks": acks,
            "request_timeout_ms": request_ms,
            "delivery_timeout_ms": int(signals.deadline * 1000) + request_ms,
            "max_block_ms": _BLOCK_MS,
            "bootstrap_timeout_ms": request_ms,
            **overrides,
        }
        self._producer = _connected(settings)
        self._is_told = self._producer.config["acks"] != 0
        self._retries = bool(self._producer.config["retries"])
        self._futures: deque[Any] = deque()
        self._sequences: deque[int] = deque()
        self._scanned_at = 0.0

    @property
    def outstanding(self) -> int:
        return len(self._futures)

    def _hand_over(self, chunk: Chunk, first: int, identities: list[bytes]) -> tuple[int, Exception | None]:
        manager = self._producer._transaction_manager  # noqa: SLF001
        if manager is not None and manager.has_fatal_error():
            return 0, TrafficFailed(f"kafka-python's producer has given up: {manager.last_error}.")
        send, futures, sequences = self._producer.send, self._futures, self._sequences
        rows = zip(chunk.topics, chunk.values, chunk.keys, chunk.headers, chunk.timestamps, identities, strict=True)
        for sequence, (topic, value, key, headers, timestamp, identity) in enumerate(rows, first):
            arguments = (topic, value, key, [(HEADER, identity), *headers], None, timestamp)
            try:
                try:
                    future = send(*arguments)
                except KafkaTimeoutError:  # it has no metadata of the topic
                    future = self._send_later(arguments)
            except (Halted, TrafficFailed) as trouble:
                return sequence - first, trouble
            except KafkaError as error:
                self._refused(sequence, error)
                continue
            except (TypeError, ValueError, AssertionError) as error:
                return sequence - first, _unfit(topic, error)
            futures.append(future)
            sequences.append(sequence)
        return len(chunk), None

    def _send_later(self, arguments: tuple[Any, ...]) -> Any:
        sent: list[Any] = []

        def try_again() -> bool:
            with contextlib.suppress(KafkaTimeoutError):
                sent.append(self._producer.send(*arguments))
            return bool(sent)

        self._wait_for_room(try_again)
        return sent[0]

    def _refused(self, sequence: int, error: KafkaError) -> None:
        if was_not_written(getattr(error, "errno", None), retries=self._retries):
            self._session.failed([sequence], time.monotonic(), type(error).__name__)

    def collect(self, seconds: float) -> None:
        futures = self._futures
        if not futures:
            return
        if seconds and not futures[0].is_done:
            with contextlib.suppress(KafkaError):
                futures[0].get(timeout=seconds)
        done: list[Any] = []
        while futures and futures[0].is_done:
            done.append(futures.popleft())
        sequences = [self._sequences.popleft() for _ in done]
        if futures and not done and time.monotonic() > self._scanned_at + _SCAN_SECONDS:
            done, sequences = self._scan()
        if done:
            self._settle(done, sequences)

    def _scan(self) -> tuple[list[Any], list[int]]:
        """Take out what is done behind a first one that is not: another partition's leader may be gone."""
        states = list(map(attrgetter("is_done"), self._futures))
        left = list(map(not_, states))
        done, sequences = list(compress(self._futures, states)), list(compress(self._sequences, states))
        # In place: a chunk that waits for room is being handed over meanwhile, and goes on to append to these.
        for column in (self._futures, self._sequences):
            kept = list(compress(column, left))
            column.clear()
            column.extend(kept)
        self._scanned_at = time.monotonic()
        return done, sequences

    def _settle(self, futures: list[Any], sequences: list[int]) -> None:
        now = time.monotonic()
        if any(future.exception is not None for future in futures):
            for future, sequence in zip(futures, sequences, strict=True):
                if future.exception is not None:
                    self._refused(sequence, future.exception)
            good = [future.exception is None for future in futures]
            futures, sequences = list(compress(futures, good)), list(compress(sequences, good))
        places = [future.value for future in futures]
        # With acks=0 the library counts from 0 for each batch.
        offsets = [place.offset if self._is_told else -1 for place in places]
        self._session.acknowledged(sequences, [place.partition for place in places], offsets, now)

    def close(self) -> None:
        if self._futures:
            # close() alone would wait for them, and without a broker for ever.
            self._producer._sender.force_close()  # noqa: SLF001
            self._producer._sender.join(_CLOSE_SECONDS)  # noqa: SLF001
        with contextlib.suppress(KafkaError):
            self._producer.close(timeout=_CLOSE_SECONDS)


def _unfit(topic: str, error: Exception) -> TrafficFailed:
    return TrafficFailed(f"kafka-python does not take a record for {topic!r}: {error}.")


def _connected(settings: dict[str, Any]) -> Any:
    """Return a producer that is ready to send.

    kafka-python 3.0.12 asks one broker for the producer's id. Where that one does not answer in time, since it is
    frozen, say, the producer takes it for fatal (``TxnRequestHandler.on_complete``) and fails every send from then on.
    """
    error: object = None
    for _ in range(_TRIES):
        producer = _made(settings)
        manager = producer._transaction_manager  # noqa: SLF001
        if manager is None or manager.is_transactional() or _has_id(manager):
            return producer
        error = manager.last_error
        producer.close(timeout=_CLOSE_SECONDS)
    raise TrafficFailed(f"no broker gives the producer an id: {error}.")


def _has_id(manager: Any) -> bool:
    with contextlib.suppress(WaitTimeout):
        wait_until(
            lambda: manager.has_producer_id() or manager.has_fatal_error(),
            what="a producer id",
            timeout=2 * _REQUEST_SECONDS,
            every=0.005,
        )
    return bool(manager.has_producer_id())


def _made(settings: dict[str, Any]) -> Any:
    try:
        producer = made(KafkaProducer, **settings)
    except KafkaTimeoutError as error:
        servers = settings["bootstrap_servers"]
        raise TrafficFailed(f"no broker answers at {servers}: see whether the cluster runs.") from error
    except (KafkaError, AssertionError, TypeError, ValueError) as error:
        raise InvalidArgument(f"kafka-python refuses producer_config: {error}.") from error
    # Its sender closes it. At the end of Python the library would wait for dead brokers and print a traceback.
    producer._unregister_cleanup()  # noqa: SLF001
    return producer
