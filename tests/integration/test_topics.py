"""Creating a topic when the request is carried out, and asked again all the same."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from kafka import KafkaAdminClient
from kafka.errors import KafkaConnectionError

from kafkalab import Cluster
from kafkalab.clusters.topics import NewTopic, create_topic
from kafkalab.errors import InvalidArgument, TopicExists
from kafkalab.waiting import wait_until

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=1) as running:
        yield running


class ForwardedTwice:
    """What a broker does when the controller resigns between the deed and the answer; ``times`` requests are left."""

    def __init__(self, client: KafkaAdminClient, *, times: int = 1, lost: bool = False) -> None:
        self._client = client
        self._lost = lost
        self.times = times

    def create_topics(self, request: Any, *, validate_only: bool = False, raise_errors: bool = True) -> Any:
        answer = self._client.create_topics(request, validate_only=validate_only, raise_errors=raise_errors)
        if validate_only or not self.times:
            return answer
        self.times -= 1
        if self._lost:
            raise KafkaConnectionError("the broker is gone")
        return self._client.create_topics(request, raise_errors=raise_errors)

    def list_partition_offsets(self, partitions: Any) -> Any:
        return self._client.list_partition_offsets(partitions)


def create(cluster: Cluster, name: str, monkeypatch: pytest.MonkeyPatch, *, lost: bool = False) -> None:
    """Create a topic through a client whose first request is asked twice, the first answer ``lost`` on us or on it."""
    admin = cluster.patient_admin(15_000)
    topic = NewTopic.checked(name, 2, 1, {"min.insync.replicas": 1}, [1])
    client = ForwardedTwice(cluster.admin(), lost=lost)
    monkeypatch.setattr(admin, "_connect", lambda _: client)
    monkeypatch.setattr(client, "close", lambda: None, raising=False)
    try:
        create_topic(admin, cluster._backend, topic)
    finally:
        admin.close()


@pytest.mark.parametrize("lost", [False, True])
def test_a_topic_of_our_own_is_no_topic_that_existed(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    create(cluster, f"own-{lost}", monkeypatch, lost=lost)
    assert len(cluster.partitions(f"own-{lost}")) == 2


@pytest.mark.parametrize("lost", [False, True])
def test_a_topic_that_existed_is_not_taken_for_our_own(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    name = cluster.create_topic(f"before-{lost}", partitions=2)
    with pytest.raises(TopicExists, match=f"^topic '{name}' exists already: choose another name"):
        create(cluster, name, monkeypatch, lost=lost)


def test_of_several_threads_one_creates_it(cluster: Cluster) -> None:
    outcomes: list[str] = []

    def work() -> None:
        try:
            outcomes.append(cluster.create_topic("wanted-by-all"))
        except TopicExists:
            outcomes.append("exists")

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["exists"] * 5 + ["wanted-by-all"]


def test_what_kafka_refuses_is_told_in_its_words(cluster: Cluster) -> None:
    with pytest.raises(InvalidArgument, match=r"^Kafka refuses topic 'strange': .*nonsense"):
        cluster.create_topic("strange", config={"nonsense": "yes"})
    with pytest.raises(InvalidArgument, match=r"^Kafka refuses topic 'strange': .*retention"):
        cluster.create_topic("strange", config={"retention.ms": "long"})
    assert "strange" not in cluster.topics()["topic"].tolist()


def test_a_broker_that_was_fenced_meanwhile_leads_what_it_should() -> None:
    topic = NewTopic.checked("orders", 3, 3, {}, [1, 2, 3])
    with Cluster(brokers=3) as cluster, closing(cluster.patient_admin(15_000)) as admin:
        broker = cluster.broker(2)
        broker.pause()
        wait_until(
            cluster.broker_views,
            lambda views: all(2 not in view.brokers for view in views.values()),
            what="a broker that is given up",
        )
        creating = threading.Thread(target=create_topic, args=(admin, cluster._backend, topic))
        creating.start()
        wait_until(lambda: "orders" in set(cluster.topics()["topic"]), what="a topic with another leader")
        broker.resume()
        creating.join()
        assert cluster.partitions("orders")["leader"].tolist() == [1, 2, 3]
