"""Numbered records under acks=all, each with the time of its acknowledgement, and how they are read back."""

from __future__ import annotations

import threading
import time
from itertools import count, islice
from types import TracebackType
from typing import Any, Self

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from kafkalab.clusters.admin import QUICK_RECONNECT
from kafkalab.waiting import wait_until

__all__ = ["Load", "read_back"]

_BATCH = 20
_SEND_SECONDS = 60.0
_READ_SECONDS = 60.0
_STOP_SECONDS = 90.0


class Load:
    """A producer in a thread of its own, from entering to leaving the context.

    It sends numbers in small batches and goes on when all of a batch are acknowledged, so that one batch is
    always under way and a gap between acknowledgements is the cluster's. The producer is idempotent, as by
    default.

    Attributes:
        acknowledged: the numbers acknowledged so far, in order.
        times: when each was, by ``time.perf_counter()``.
    """

    def __init__(self, bootstrap_servers: str, partition: TopicPartition) -> None:
        self.acknowledged: list[int] = []
        self.times: list[float] = []
        self._partition = partition
        self._producer = KafkaProducer(bootstrap_servers=bootstrap_servers, acks="all", **QUICK_RECONNECT)
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(_STOP_SECONDS)
        self._producer.close(timeout=1)
        if kind is None and self._error is not None:
            raise self._error

    def acknowledged_since(self, moment: float) -> int:
        """Return how many records were acknowledged after ``moment``; raises what ended the load, if any."""
        if self._error is not None:
            raise self._error
        return sum(1 for acknowledged in self.times if acknowledged > moment)

    def _run(self) -> None:
        numbers = count()
        try:
            while not self._stop.is_set():
                self._send(list(islice(numbers, _BATCH)))
        except BaseException as error:  # noqa: BLE001 - kept for the thread that waits for it
            self._error = error

    def _send(self, numbers: list[int]) -> None:
        topic, partition = self._partition
        futures = [self._producer.send(topic, b"%d" % number, partition=partition) for number in numbers]
        for number, future in zip(numbers, futures, strict=True):
            future.get(timeout=_SEND_SECONDS)
            self.times.append(time.perf_counter())
            self.acknowledged.append(number)


def read_back(bootstrap_servers: str, partition: TopicPartition) -> list[int]:
    """Return all numbers in ``partition``, read by a fresh consumer from the earliest to the end offset.

    Raises:
        WaitTimeout: the end was not reached in time; nothing can be said of what is stored.
    """
    consumer: Any = KafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        **QUICK_RECONNECT,
    )
    stored: list[int] = []
    try:
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        end = consumer.end_offsets([partition])[partition]
        wait_until(
            lambda: _read_on(consumer, partition, stored),
            lambda position: position >= end,
            what=f"the reader at offset {end}",
            timeout=_READ_SECONDS,
            every=0,
        )
    finally:
        consumer.close(autocommit=False)
    return stored


def _read_on(consumer: Any, partition: TopicPartition, stored: list[int]) -> int:
    for records in consumer.poll(timeout_ms=500).values():
        stored += [int(record.value) for record in records]
    return int(consumer.position(partition))
