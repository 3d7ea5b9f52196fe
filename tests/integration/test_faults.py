"""What lessons do to brokers on purpose, and that the cluster and its views survive it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from kafka import TopicPartition

from kafkalab import Cluster
from kafkalab.errors import BrokerFailed, NotRunning, WaitTimeout
from kafkalab.waiting import wait_until

pytestmark = pytest.mark.integration


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=3) as running:
        yield running


def _read_all(cluster: Cluster, topic: str) -> list[bytes]:
    """Read every partition to its end offset, from the start, with a fresh reader."""
    consumer = cluster.consumer(auto_offset_reset="earliest")
    partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
    consumer.assign(partitions)
    ends = consumer.end_offsets(partitions)
    values: list[bytes] = []

    def all_read() -> bool:
        for records in consumer.poll(timeout_ms=500).values():
            values.extend(record.value for record in records)
        return all(consumer.position(tp) >= end for tp, end in ends.items())

    wait_until(all_read, what=f"the end of {topic}", timeout=60, every=0)
    return values


def test_killing_the_leader_loses_no_acknowledged_record(cluster: Cluster) -> None:
    topic = cluster.create_topic("orders")
    producer = cluster.producer(acks="all")
    futures = [producer.send(topic, b"%d" % number) for number in range(2000)]
    futures[500].get(timeout=20)
    cluster.broker(1).kill()
    futures += [producer.send(topic, b"%d" % number) for number in range(2000, 3000)]
    for future in futures:
        future.get(timeout=60)
    assert cluster.partitions(topic)["leader"].tolist() == [2]
    assert sorted(map(int, _read_all(cluster, topic))) == list(range(3000))


def test_a_killed_broker_comes_back_and_catches_up(cluster: Cluster) -> None:
    topic = cluster.create_topic("orders", partitions=3)
    broker = cluster.broker(2)
    broker.kill()
    assert broker.state == "stopped"
    assert repr(cluster).splitlines()[2] == "  ○ broker 2: stopped"
    assert cluster.wait_for_isr(topic, 2)["isr"].tolist() == [(1, 3)] * 3
    cluster.producer(acks="all").send(topic, b"meanwhile").get(timeout=20)
    broker.start()
    assert repr(broker) == "<broker 2: running>"
    assert cluster.wait_for_isr(topic, 3)["isr"].tolist() == [(1, 2, 3)] * 3
    assert _read_all(cluster, topic) == [b"meanwhile"]


def test_a_paused_follower_leaves_the_isr_and_returns(cluster: Cluster) -> None:
    topic = cluster.create_topic("orders")
    # Made before: a kafka-python client that first asks a frozen broker waits for it until its deadline.
    producer = cluster.producer(acks=1, enable_idempotence=False)
    producer.partitions_for(topic)
    cluster.broker(3).pause()
    assert cluster.broker(3).state == "paused"
    for _ in range(50):
        producer.send(topic, b"too late for broker 3").get(timeout=20)
    assert cluster.batches(topic, broker=3).empty
    assert cluster.wait_for_isr(topic, 2)["isr"].tolist() == [(1, 2)]
    cluster.broker(3).resume()
    assert cluster.wait_for_isr(topic, 3)["isr"].tolist() == [(1, 2, 3)]


def test_a_stopped_broker_hands_its_leadership_over_first(cluster: Cluster) -> None:
    topic = cluster.create_topic("orders")
    cluster.broker(1).stop()
    assert cluster.wait_for_isr(topic, 2)["leader"].tolist() == [2]
    assert "[BrokerServer id=1] shut down completed" in cluster.broker(1).logs()


@pytest.mark.parametrize(
    ("action", "prepare", "said"),
    [
        ("kill", "kill", "cannot kill <broker 1: stopped>: start() it first."),
        ("stop", "pause", "cannot stop <broker 1: paused>: resume() it first."),
        ("pause", "pause", "cannot pause <broker 1: paused>: resume() it first."),
        ("resume", None, "cannot resume <broker 1: running>: it runs already."),
        ("start", None, "cannot start <broker 1: running>: it runs already."),
    ],
)
def test_what_a_broker_cannot_do_now_is_refused(cluster: Cluster, action: str, prepare: str | None, said: str) -> None:
    broker = cluster.broker(1)
    if prepare:
        getattr(broker, prepare)()
    with pytest.raises(NotRunning) as caught:
        getattr(broker, action)()
    assert str(caught.value) == said


def test_an_added_broker_takes_new_partitions(cluster: Cluster) -> None:
    added = cluster.add_broker()
    assert (added.id, added.roles) == (4, ("broker",))
    topic = cluster.create_topic("wide", partitions=4)
    assert cluster.partitions(topic)["leader"].tolist() == [1, 2, 3, 4]
    assert cluster.quorum()["role"].tolist()[3] == "observer"
    added.kill()
    added.start()
    cluster.wait_for_isr(topic, 3)


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


def test_with_every_broker_down_views_say_so(cluster: Cluster) -> None:
    for broker in cluster.brokers:
        broker.kill()
    with pytest.raises(NotRunning, match=r"no broker of this cluster is running: start one"):
        cluster.topics()
    with pytest.raises(NotRunning, match="no broker of this cluster is running"):
        cluster.create_topic("late")


def test_without_a_majority_of_controllers_a_change_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with Cluster(brokers=1, controllers=1) as cluster:
        cluster.controller(101).kill()
        monkeypatch.setattr("kafkalab.clusters.admin.ANSWER_SECONDS", 2.0)
        with pytest.raises(WaitTimeout, match=r"Of 1 controllers 1 do not run.*cluster\.controller\(101\)"):
            cluster.quorum()


def test_all_brokers_down_and_up_again_keeps_the_records(cluster: Cluster) -> None:
    topic = cluster.create_topic("orders", partitions=3)
    producer = cluster.producer(acks="all")
    for number in range(300):
        producer.send(topic, b"%d" % number)
    producer.flush(timeout=30)
    producer.close()
    for broker in cluster.brokers:
        broker.kill()
    for broker in cluster.brokers:
        broker.start(wait=broker.id == 3)
    cluster.wait_for_isr(topic, 3)
    assert sorted(map(int, _read_all(cluster, topic))) == list(range(300))


def test_a_broker_that_cannot_start_again_says_why(cluster: Cluster) -> None:
    cluster.broker(2).kill()
    (cluster.data_folder(2) / "meta.properties").write_text("version=1\ncluster.id=another\nnode.id=7\n")
    with pytest.raises(BrokerFailed, match=r"node 2 ended while starting: .*node id"):
        cluster.broker(2).start()


def test_client_noise_is_kept_and_not_printed(cluster: Cluster, capfd: pytest.CaptureFixture[str]) -> None:
    topic = cluster.create_topic("orders")
    producer = cluster.producer(acks="all")
    producer.send(topic, b"x").get(timeout=20)
    cluster.broker(1).kill()
    producer.send(topic, b"y").get(timeout=60)
    wait_until(lambda: len(cluster.client_log()), what="a complaint", timeout=20)
    assert capfd.readouterr().err == ""


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
