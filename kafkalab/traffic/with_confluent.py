"""Sending by confluent-kafka: one call-back for each place in the queue, made once and used again and again.

librdkafka shows neither headers nor anything of the caller's in a delivery report, so the call-back itself has to
say which record it is for. A closure for each record costs 43 % of the throughput; a pool of as many as records can
be outstanding is made once for a run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from confluent_kafka import KafkaException, Producer

from kafkalab.clusters.reading import LOGGER, QUICK_RECONNECT
from kafkalab.errors import InvalidArgument, TrafficFailed
from kafkalab.ledger import Session
from kafkalab.ledger.identity import HEADER
from kafkalab.traffic.dealing import Chunk
from kafkalab.traffic.outcomes import was_not_written
from kafkalab.traffic.sending import Halted, Sender, Signals

__all__ = ["AT_FULL_SPEED", "DEFAULTS", "ConfluentSender"]

_MOST_OUTSTANDING = 50_000
_REQUEST_MS = 5000  # a paused broker never answers
_PURGE_SECONDS = 0.2
#: What differs from librdkafka's own defaults, and is what Kafka's Java producer does.
DEFAULTS: dict[str, Any] = {"partitioner": "murmur2_random", "linger.ms": 5}
#: Where records go as fast as they can: small batches would cost more than the ledger does.
AT_FULL_SPEED: dict[str, Any] = {"linger.ms": 50}


class _Reports:
    """Delivery reports since they were last looked at, column by column: no object is kept for a record."""

    def __init__(self) -> None:
        self.places: list[int] = []
        self.partitions: list[int] = []
        self.offsets: list[int] = []
        self.errors: dict[int, Any] = {}

    def taker(self) -> Callable[[int, Any, Any], None]:
        """Return what takes a report: the place, the error or None, and the message."""
        # Looked up once: this runs for every record.
        add_place, add_partition, add_offset = self.places.append, self.partitions.append, self.offsets.append
        errors = self.errors

        def take(place: int, error: Any, message: Any) -> None:
            add_place(place)
            add_partition(message.partition())
            offset = message.offset()
            add_offset(-1 if offset is None else offset)  # none is told with acks=0, or of a dropped duplicate
            if error is not None:
                errors[place] = error

        return take

    def clear(self) -> None:
        for column in (self.places, self.partitions, self.offsets, self.errors):
            column.clear()


class ConfluentSender(Sender):
    """A ``confluent_kafka.Producer`` of its own; see :class:`~kafkalab.traffic.sending.Sender`.

    Args:
        config: the library's settings that reach the cluster.
        acks: as the library takes it.
        overrides: the caller's settings, over all others.

    Raises:
        InvalidArgument: a setting that the library refuses.
    """

    def __init__(
        self, session: Session, signals: Signals, config: Mapping[str, Any], acks: object, overrides: Mapping[str, Any]
    ) -> None:
        super().__init__(session, signals, _MOST_OUTSTANDING)
        settings = {
            **config,
            **QUICK_RECONNECT,
            **DEFAULTS,
            "acks": acks,
            "request.timeout.ms": _REQUEST_MS,
            "socket.timeout.ms": _REQUEST_MS,
            **overrides,
        }
        once = settings.get("retries") == 0
        settings.setdefault("enable.idempotence", settings["acks"] in {"all", -1, "-1"} and not once)
        self._retries = not once
        self._producer = _made(settings)
        self._reports = _Reports()
        take = self._reports.taker()
        self._slots = [partial(take, place) for place in range(_MOST_OUTSTANDING)]
        self._free = list(range(_MOST_OUTSTANDING))
        self._sequence_of = np.zeros(_MOST_OUTSTANDING, np.int64)

    @property
    def outstanding(self) -> int:
        return _MOST_OUTSTANDING - len(self._free)

    def _hand_over(self, chunk: Chunk, first: int, identities: list[bytes]) -> tuple[int, Exception | None]:
        places = self._take_places(first, len(chunk))
        slots = map(self._slots.__getitem__, places)
        rows = zip(
            chunk.topics, chunk.values, chunk.keys, chunk.headers, chunk.timestamps, identities, slots, strict=True
        )
        produce = self._producer.produce
        for index, (topic, value, key, headers, timestamp, identity, slot) in enumerate(rows):
            tagged = [(HEADER, identity), *headers]
            try:
                produce(topic, value, key, headers=tagged, timestamp=timestamp, on_delivery=slot)
            except BufferError:
                try:
                    self._produce_later(topic, value, key, headers=tagged, timestamp=timestamp, on_delivery=slot)
                except (Halted, TrafficFailed) as trouble:
                    return self._give_back(places, index, trouble)
            except KafkaException as error:
                self._free.append(places[index])
                self._refused(first + index, error.args[0])
            except (TypeError, ValueError) as error:
                return self._give_back(places, index, _unfit(topic, error))
        return len(chunk), None

    def _take_places(self, first: int, count: int) -> list[int]:
        places = self._free[-count:]
        del self._free[-count:]
        self._sequence_of[places] = np.arange(first, first + count)
        return places

    def _give_back(self, places: list[int], index: int, trouble: Exception) -> tuple[int, Exception]:
        self._free += places[index:]
        return index, trouble

    def _produce_later(self, *arguments: Any, **settings: Any) -> None:
        def try_again() -> bool:
            try:
                self._producer.produce(*arguments, **settings)
            except BufferError:
                return False
            return True

        self._wait_for_room(try_again)

    def _refused(self, sequence: int, error: Any) -> None:
        if was_not_written(error.code(), retries=self._retries):
            self._session.failed([sequence], time.monotonic(), error.name())

    def collect(self, seconds: float) -> None:
        self._producer.poll(seconds)
        reports = self._reports
        if not reports.places:
            return
        self._free += reports.places
        good: Any = slice(None)
        sequences = self._sequence_of[reports.places]
        partitions, offsets = np.array(reports.partitions), np.array(reports.offsets)
        if reports.errors:
            for place, error in reports.errors.items():
                self._refused(int(self._sequence_of[place]), error)
            good = np.array([place not in reports.errors for place in reports.places])
        self._session.acknowledged(sequences[good], partitions[good], offsets[good], time.monotonic())
        reports.clear()

    def close(self) -> None:
        if self.outstanding:
            # What is dropped here may have been written: it stays unknown, so nothing is collected any more.
            self._producer.purge()
            self._producer.poll(_PURGE_SECONDS)
        self._reports.clear()
        self._slots.clear()
        del self._producer  # the library closes a producer when nobody holds it


def _unfit(topic: str, error: Exception) -> TrafficFailed:
    return TrafficFailed(f"confluent-kafka does not take a record for {topic!r}: {error}.")


def _made(settings: dict[str, Any]) -> Any:
    try:
        return Producer(settings, logger=LOGGER)
    except (KafkaException, TypeError, ValueError) as error:
        raise InvalidArgument(f"confluent-kafka refuses producer_config: {error}.") from error
