"""One record there and back through a running cluster: the proof that a set-up works."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kafkalab.errors import EnvironmentProblem

if TYPE_CHECKING:
    from kafkalab import Cluster

__all__ = ["first_record"]

_TOPIC = "kafkalab-first-record"
_VALUE = b"hello, Kafka"
_SECONDS = 30.0


def first_record(cluster: Cluster) -> float:
    """Send one record, acknowledged by all in-sync replicas, read it back, and return the seconds it took.

    Raises:
        EnvironmentProblem: the brokers run, but the record did not make it there and back.
    """
    from kafka.errors import KafkaError

    began = time.monotonic()
    topic = cluster.create_topic(_TOPIC)
    try:
        cluster.producer(acks="all").send(topic, _VALUE).get(timeout=_SECONDS)
        values = _read_one(cluster, topic)
    except KafkaError as error:
        raise EnvironmentProblem(
            f"the brokers run, but a first record failed ({error}): run `kafkalab doctor`."
        ) from error
    if values != [_VALUE]:
        raise EnvironmentProblem(
            f"the first record was acknowledged, but {values!r} was read back: run `kafkalab doctor`."
        )
    return time.monotonic() - began


def _read_one(cluster: Cluster, topic: str) -> list[bytes]:
    from kafka import TopicPartition

    consumer = cluster.consumer()
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    # Returns with the first record, or empty at the deadline.
    polled = consumer.poll(timeout_ms=int(_SECONDS * 1000))
    return [record.value for records in polled.values() for record in records]
