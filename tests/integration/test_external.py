from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from kafka import KafkaConsumer, KafkaProducer

from kafkalab import Cluster
from kafkalab.clusters.ports import PortReservation
from kafkalab.errors import ClusterUnreachable, InvalidArgument, TopicExists

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def owner() -> Iterator[Cluster]:
    with Cluster(3) as cluster:
        yield cluster


@pytest.fixture
def guest(owner: Cluster) -> Iterator[Cluster]:
    with Cluster.connect(owner.bootstrap_servers) as cluster:
        yield cluster


def test_a_borrowed_cluster_is_used_as_ones_own(owner: Cluster, guest: Cluster) -> None:
    topic = guest.create_topic("borrowed", partitions=3, config={"min.insync.replicas": 2})
    with pytest.raises(TopicExists):
        guest.create_topic("borrowed")
    with KafkaProducer(**guest.client_config()) as producer:
        producer.send(topic, b"one").get(timeout=10)
    with KafkaConsumer(
        topic, group_id=guest.name("g"), auto_offset_reset="earliest", **guest.client_config()
    ) as reader:
        assert next(reader).value == b"one"
        reader.commit()
    assert guest.partitions(topic).equals(owner.partitions(topic))
    assert guest.wait_for_isr(topic, 3)["leader"].tolist() == [1, 2, 3]
    assert guest.lag("g")["lag"].sum() == 0
    assert guest.quorum().equals(owner.quorum()) or len(guest.quorum()) == 3
    assert "borrowed" in guest.kafka_tool("kafka-topics", "--list")


def test_it_shows_itself_and_is_given_back(owner: Cluster, guest: Cluster) -> None:
    assert repr(guest).splitlines() == [
        "Borrowed Kafka cluster, 3 brokers",
        "  ● broker 1: running",
        "  ● broker 2: running",
        "  ● broker 3: running",
    ]
    guest.stop()
    guest.stop()
    assert repr(guest) == "Kafka cluster, stopped"
    assert [broker.state for broker in owner.brokers] == ["running"] * 3


def test_a_topic_that_was_there_before_stays(owner: Cluster) -> None:
    topic = owner.create_topic("invoices")
    with Cluster.connect(owner.bootstrap_servers, prefix="inv") as guest, pytest.raises(TopicExists):
        guest.create_topic("invoices")
    assert topic in set(owner.topics()["topic"])


def test_a_broker_that_its_owner_killed_is_seen(owner: Cluster, guest: Cluster) -> None:
    owner.broker(3).kill()
    topic = owner.create_topic("two-left", partitions=2)
    guest.wait_for_isr(topic, 2)
    owner.broker(3).start()
    assert guest.broker(3).state == "running"


@pytest.mark.parametrize("servers", ["", "localhost", "a:b", "a:0", "a:1,,b:2", ":9092", 9092, None])
def test_what_is_no_address(servers: object) -> None:
    with pytest.raises(InvalidArgument, match="no list of bootstrap servers"):
        Cluster.connect(servers)  # type: ignore[arg-type]


def test_a_cluster_that_is_down() -> None:
    ports = PortReservation()
    (port,) = ports.take_free(1)
    before = set(threading.enumerate())
    began = time.monotonic()
    with pytest.raises(ClusterUnreachable, match=f"no Kafka broker answered at 127.0.0.1:{port} within 1 s"):
        Cluster.connect(f"127.0.0.1:{port}", timeout=1)
    assert time.monotonic() - began < 20  # clients by themselves wait for 30
    assert set(threading.enumerate()) <= before
    ports.close()
