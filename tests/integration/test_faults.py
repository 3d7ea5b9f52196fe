"""Broken brokers seen from a local cluster; what every kind can take is in ``contract/test_control.py``."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from kafkalab import Cluster
from kafkalab.errors import WaitTimeout
from kafkalab.waiting import wait_until

pytestmark = pytest.mark.integration


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=3) as running:
        yield running


def test_views_answer_while_two_of_three_brokers_are_down_beside_an_own_controller() -> None:
    with Cluster(brokers=3, controllers=1) as cluster:
        topic = cluster.create_topic("orders", config={"min.insync.replicas": 2})
        assert [node.id for node in cluster.controllers] == [101]
        cluster.broker(2).kill()
        cluster.broker(3).kill()
        assert cluster.wait_for_isr(topic, 1)["isr"].tolist() == [(1,)]
        assert [(row.node, row.role) for row in cluster.quorum().itertuples() if row.role == "leader"] == [
            (101, "leader")
        ]


def test_without_a_majority_of_controllers_a_change_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with Cluster(brokers=1, controllers=1) as cluster:
        cluster.controller(101).kill()
        monkeypatch.setattr("kafkalab.clusters.admin.ANSWER_SECONDS", 2.0)
        with pytest.raises(WaitTimeout, match=r"Of 1 controllers 1 do not run.*cluster\.controller\(101\)"):
            cluster.quorum()


def test_client_noise_is_kept_and_not_printed(cluster: Cluster, capfd: pytest.CaptureFixture[str]) -> None:
    topic = cluster.create_topic("orders")
    producer = cluster.producer(acks="all")
    producer.send(topic, b"x").get(timeout=20)
    cluster.broker(1).kill()
    producer.send(topic, b"y").get(timeout=60)
    wait_until(lambda: len(cluster.client_log()), what="a complaint", timeout=20)
    assert capfd.readouterr().err == ""


def test_a_producer_that_has_lost_its_brokers_ends_with_the_cluster() -> None:
    with Cluster(brokers=1) as cluster:
        topic = cluster.create_topic("orders")
        producer = cluster.producer(acks="all")
        producer.send(topic, b"x").get(timeout=20)
        cluster.broker(1).kill()
        given_up = producer.send(topic, b"y")
    wait_until(lambda: not producer._sender.is_alive(), what="the end of the producer's thread", timeout=10)
    assert given_up.failed()


def _in_threads(*jobs: Callable[[], object]) -> list[BaseException]:
    errors: list[BaseException] = []

    def run(job: Callable[[], object]) -> None:
        try:
            job()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            errors.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return errors


def test_several_threads_may_look_and_break_at_once(cluster: Cluster) -> None:
    topic = cluster.create_topic("orders", partitions=3)
    looks = [lambda: [cluster.partitions(topic) for _ in range(20)] for _ in range(3)]
    assert _in_threads(*looks, cluster.broker(3).kill, lambda: cluster.wait_for_isr(topic, 2)) == []
