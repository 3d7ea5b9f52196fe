"""A secured cluster: who knows user, password and CA gets in, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from kafka import KafkaProducer

from kafkalab import Cluster
from kafkalab.waiting import wait_until
from tests.integration.contract.conftest import Make

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def cluster(make: Make) -> Iterator[Cluster]:
    with make(brokers=3, security="sasl-tls") as running:
        yield running


def test_kafka_python_gets_in_with_the_client_config(cluster: Cluster) -> None:
    topic = cluster.create_topic("orders", partitions=3)
    producer = KafkaProducer(**cluster.client_config(), acks="all")
    assert producer.send(topic, b"x", partition=2).get(timeout=20).offset == 0
    producer.close()


def test_confluent_kafka_gets_in_with_the_client_config(cluster: Cluster) -> None:
    config = cluster.client_config("confluent-kafka")
    assert config["security.protocol"] == "SASL_SSL"
    assert set(AdminClient(config).list_topics(timeout=20).brokers) == {1, 2, 3}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sasl.password": "guess"}, "Authentication failed"),
        ({"sasl.username": "nobody"}, "Authentication failed"),
        ({"ssl.ca.location": None}, "certificate"),
    ],
)
def test_nobody_else_gets_in(cluster: Cluster, change: dict[str, Any], said: str) -> None:
    config = {**cluster.client_config("confluent-kafka"), **change}
    errors: list[str] = []
    client = AdminClient(
        {k: v for k, v in config.items() if v is not None} | {"error_cb": lambda error: errors.append(error.str())}
    )
    with pytest.raises(KafkaException):
        client.list_topics(timeout=3)

    def told() -> list[str]:
        client.poll(0.05)
        return errors

    # The client goes on trying: on a busy machine it is told the reason after it was given up.
    wait_until(told, lambda seen: any(said in error for error in seen), what=f"{said!r} among the errors")


def test_a_plain_client_does_not_get_in(cluster: Cluster) -> None:
    # Not kafka-python: where its constructor fails, its thread and socket stay behind.
    with pytest.raises(KafkaException):
        AdminClient({"bootstrap.servers": cluster.bootstrap_servers}).list_topics(timeout=3)


def test_the_harness_works_as_on_a_plain_cluster(cluster: Cluster) -> None:
    topic = cluster.create_topic("harness")
    cluster.broker(1).kill()
    assert cluster.wait_for_isr(topic, 2)["leader"].tolist() == [2]
    cluster.broker(1).start()
    cluster.wait_for_isr(topic, 3)
    assert topic in cluster.kafka_tool("kafka-topics", "--list").split()


def test_key_and_password_are_not_for_others_to_read(cluster: Cluster) -> None:
    assert cluster.folder.stat().st_mode & 0o077 == 0
