"""An application as a process, the only member of its group: ``python -m kafkalab.apps.member OWNER``.

It lives as long as its owner (:mod:`kafkalab.traffic.owner`), which tells it how far event time is, and the offsets at
which its topics end when nothing more comes. How far it is itself are lines of JSON on its standard output.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterable
from typing import Any

import orjson
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from kafkalab.apps import APPLICATIONS
from kafkalab.apps.merge import Input, Received
from kafkalab.apps.working import Working
from kafkalab.clusters.reading import LOGGER, QUICK_RECONNECT
from kafkalab.errors import ApplicationFailed
from kafkalab.simulation.source import Record
from kafkalab.traffic.owner import Owner, serve, write
from kafkalab.traffic.with_confluent import DEFAULTS
from kafkalab.waiting import wait_until

__all__ = ["main"]

_MESSAGES = 5000
_POLL_SECONDS = 0.02  # so long it gathers records: at a low rate it is the larger part of the latency
_TELL_SECONDS = 0.1
_COMMIT_SECONDS = 1.0
_DEADLINE_SECONDS = 30.0
_MOST_OUTSTANDING = 20_000
_GARBAGE = 100_000
_CONSUMER: dict[str, Any] = {
    **QUICK_RECONNECT,
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
    "session.timeout.ms": 6000,  # the least that a broker allows by default
    "heartbeat.interval.ms": 1000,
    "fetch.queue.backoff.ms": 5,
    "fetch.error.backoff.ms": 50,
    # A broker takes as long for a fetch as an application for a hundred records: not one for each few records.
    "fetch.wait.max.ms": 50,
    "fetch.min.bytes": 262_144,
    "socket.timeout.ms": 5000,  # a paused broker never answers
}
_PRODUCER: dict[str, Any] = {
    **QUICK_RECONNECT,
    **DEFAULTS,
    "enable.idempotence": True,
    "request.timeout.ms": 5000,
    "socket.timeout.ms": 5000,
    "delivery.timeout.ms": int(_DEADLINE_SECONDS * 1000),
}
_REFUSALS = {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED}


class _Member:
    """Reads, lets the application work, sends what it says, commits.

    Args:
        settings: ``scenario``, ``application``, ``config`` (confluent-kafka's, that reach the cluster), ``group``,
            ``topics`` (planned names by real ones), ``outputs`` (real by planned), ``starts`` (planned topic,
            partition, first offset), ``derived`` and ``ordered`` (see :class:`~kafkalab.apps.working.Working`).
        owner: who started it.
    """

    def __init__(self, settings: dict[str, Any], owner: Owner) -> None:
        self._owner = owner
        self._planned: dict[str, str] = settings["topics"]
        self._real = {planned: real for real, planned in self._planned.items()} | settings["outputs"]
        self._starts = {(topic, partition): offset for topic, partition, offset in settings["starts"]}
        task = APPLICATIONS[settings["scenario"]][settings["application"]]
        self._working = Working(task, self._starts, settings["derived"], ordered=settings["ordered"])
        self._ends: dict[Input, int] | None = None
        self._committed: dict[Input, int] = {}
        self._tell_at = self._commit_at = 0.0
        self._refused: KafkaError | None = None
        group = {"group.id": settings["group"]}
        self._consumer = Consumer({**settings["config"], **_CONSUMER, **group}, logger=LOGGER)
        self._producer = Producer({**settings["config"], **_PRODUCER}, logger=LOGGER)

    def run(self) -> None:
        """Work until all is read of what the owner says there is, or the owner is gone."""
        try:
            self._consumer.subscribe(list(self._planned), on_assign=self._assigned)
            while not self._owner.gone.is_set() and not self._is_at_end():
                self._hear()
                self._send(self._working.take(self._received(self._consumer.consume(_MESSAGES, _POLL_SECONDS))))
                self._look_after(time.monotonic())
            if self._is_at_end():
                self._finish()
        finally:
            self._consumer.close()

    def _assigned(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        reached = self._working.reached
        given = {(self._planned[each.topic], each.partition): each for each in partitions}
        if given.keys() != reached.keys():
            raise ApplicationFailed(
                f"it was assigned {len(given)} of {len(reached)} partitions: the topics were changed, or somebody else "
                "is in its group; choose another prefix."
            )
        for place, each in given.items():
            each.offset = reached[place]
        consumer.assign(partitions)
        write(orjson.dumps({"ready": True}) + b"\n")

    def _hear(self) -> None:
        while not self._owner.lines.empty():
            said = orjson.loads(self._owner.lines.get())
            if said["finish"]:
                self._ends = {(topic, partition): end for topic, partition, end in said["ends"]}
            else:
                self._working.promise(said["time_ms"], said["ends"])

    def _received(self, messages: Iterable[Any]) -> list[Received]:
        planned, received = self._planned, []
        for message in messages:
            if error := message.error():
                self._weigh(error)
                continue
            key, topic = message.key(), planned[message.topic()]
            try:
                value = orjson.loads(message.value() or b"")
            except orjson.JSONDecodeError as wrong:
                where = f"{message.topic()}-{message.partition()} has at offset {message.offset()}"
                raise ApplicationFailed(f"{where} what is no JSON ({wrong}): see who else writes there.") from wrong
            place = (topic, message.partition(), message.offset())
            received.append(Received(*place, key and key.decode(), value, message.timestamp()[1]))
        return received

    @staticmethod
    def _weigh(error: KafkaError) -> None:
        """Raise what does not pass; a broker that is gone for a while does."""
        if error.fatal() or error.code() in _REFUSALS:
            raise KafkaException(error)

    def _send(self, records: Iterable[Record]) -> None:
        produce, producer = self._producer.produce, self._producer
        for record in records:
            if len(producer) >= _MOST_OUTSTANDING:
                self._flush()
            topic = self._real[record.topic]
            produce(topic, record.value, record.key, timestamp=record.timestamp_ms, on_delivery=self._delivered)
        producer.poll(0)

    def _delivered(self, error: KafkaError | None, _message: Any) -> None:
        self._refused = self._refused or error

    def _flush(self) -> None:
        left = self._producer.flush(_DEADLINE_SECONDS)
        if self._refused is not None:
            raise KafkaException(self._refused)
        if left:
            raise ApplicationFailed(f"{left} of its records were not acknowledged for {_DEADLINE_SECONDS:g} s.")

    def _look_after(self, now: float) -> None:
        if now >= self._commit_at:
            self._commit_at = now + _COMMIT_SECONDS
            self._commit(asynchronous=True)
        if now >= self._tell_at:
            self._tell_at = now + _TELL_SECONDS
            self._tell(finished=False)

    def _commit(self, *, asynchronous: bool) -> None:
        """Commit what is new, after all that follows from it was acknowledged."""
        positions = self._working.positions()
        self._flush()
        new = {place: offset for place, offset in positions.items() if self._committed.get(place) != offset}
        offsets = [TopicPartition(self._real[topic], number, offset) for (topic, number), offset in new.items()]
        if offsets:
            self._consumer.commit(offsets=offsets, asynchronous=asynchronous)
        self._committed = positions

    def _tell(self, *, finished: bool) -> None:
        told = {**self._working.report(), "lag": self._lag(), "finished": finished}
        write(orjson.dumps(told) + b"\n")

    def _lag(self) -> int:
        """Return how many records it knows of that are not worked on."""
        lag, processed = 0, self._working.processed
        for each in self._consumer.assignment():
            _, end = self._consumer.get_watermark_offsets(each, cached=True)
            place = (self._planned[each.topic], each.partition)
            lag += max(0, end - self._starts[place] - processed[place])
        return lag

    def _is_at_end(self) -> bool:
        reached = self._working.reached
        return self._ends is not None and all(reached[place] >= end for place, end in self._ends.items())

    def _finish(self) -> None:
        self._send(self._working.finish())
        self._committed = {}  # all once more, since nobody looks what comes of those that are not waited for
        wait_until(
            lambda: self._commit(asynchronous=False),
            lambda _: True,
            what="its last commit",
            timeout=_DEADLINE_SECONDS,
            retry_on=(KafkaException,),
        )
        self._tell(finished=True)


def _work(settings: dict[str, Any], owner: Owner) -> None:
    # Records are no garbage in cycles: looking through them for some at the usual pace takes 30 % of the time.
    gc.freeze()
    gc.set_threshold(_GARBAGE)
    _Member(settings, owner).run()


def main() -> None:
    """Read the settings and work until all is read, or the owner is gone."""
    serve(_work)


if __name__ == "__main__":
    main()
