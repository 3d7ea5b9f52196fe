"""A client of kafka-python that could not be made leaves no socket and no thread."""

from __future__ import annotations

import threading

import psutil
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaTimeoutError

from kafkalab.clusters.kafka_python import made


@pytest.mark.parametrize("kind", [KafkaProducer, KafkaConsumer, KafkaAdminClient])
def test_where_nobody_answers_nothing_stays_open(kind: type) -> None:
    open_before, threads_before = psutil.Process().num_fds(), set(threading.enumerate())
    with pytest.raises(KafkaTimeoutError):
        made(kind, bootstrap_servers="127.0.0.1:1", bootstrap_timeout_ms=200)
    assert set(threading.enumerate()) <= threads_before
    assert psutil.Process().num_fds() <= open_before


def test_a_setting_that_is_not_there_is_refused_as_kafka_python_does() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        made(KafkaProducer, bootstrap_servers="127.0.0.1:1", nonsense=1)
