"""What lessons do to brokers on purpose. One cluster for the module; whatever a test breaks is whole again after it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from benchmarks.soak.faulty_traffic import numbered, wait_for_more
from kafkalab import Cluster, faults, traffic
from kafkalab.clusters.node import Node
from kafkalab.errors import BrokerFailed, NotRunning, UnsupportedByBackend
from kafkalab.waiting import wait_until
from tests.integration.contract.conftest import Make

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def cluster(make: Make) -> Iterator[Cluster]:
    with make(brokers=3, proxied=True) as running:
        yield running


@pytest.fixture
def topic(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A topic of the test's own, with a partition led by each broker."""
    yield cluster.create_topic(re.sub(r"\W+", "-", request.node.name)[-100:], partitions=3)
    for broker in cluster.brokers:
        _mend(broker)


def _mend(broker: Node) -> None:
    if broker.state == "paused":
        broker.resume()
    if broker.link.cut:
        broker.reconnect()
    if broker.state == "stopped":
        broker.start()


def _send(cluster: Cluster, topic: str, numbers: range) -> None:
    producer = cluster.producer(acks="all")
    for future in [producer.send(topic, b"%d" % number, partition=number % 3) for number in numbers]:
        future.get(timeout=60)


def _read_all(cluster: Cluster, topic: str) -> list[int]:
    """Read every partition to its end offset, from the start, with a fresh reader."""
    consumer: KafkaConsumer = cluster.consumer(auto_offset_reset="earliest")
    partitions = [TopicPartition(topic, number) for number in range(3)]
    consumer.assign(partitions)
    ends = consumer.end_offsets(partitions)
    values: list[int] = []

    def all_read() -> bool:
        for records in consumer.poll(timeout_ms=500).values():
            values.extend(int(record.value) for record in records)
        return all(consumer.position(partition) >= end for partition, end in ends.items())

    wait_until(all_read, what=f"the end of {topic}", timeout=60, every=0)
    consumer.close()
    return sorted(values)


def test_a_killed_leader_loses_nothing_that_was_acknowledged_and_catches_up(cluster: Cluster, topic: str) -> None:
    producer = cluster.producer(acks="all")
    futures = [producer.send(topic, b"%d" % number, partition=1) for number in range(2000)]
    futures[500].get(timeout=20)
    broker = cluster.broker(2)
    broker.kill()
    assert broker.condition == "stopped"
    futures += [producer.send(topic, b"%d" % number, partition=1) for number in range(2000, 3000)]
    for future in futures:
        future.get(timeout=60)
    seen = cluster.wait_for_isr(topic, 2)
    assert set(seen["leader"]) <= {1, 3}
    assert seen["isr"].tolist() == [(1, 3)] * 3
    assert _read_all(cluster, topic) == list(range(3000))
    broker.start()
    assert repr(broker) == "<broker 2: running>"
    assert cluster.wait_for_isr(topic, 3)["isr"].tolist() == [(1, 2, 3)] * 3
    assert cluster.batches(topic, 1, broker=2)["records"].sum() == 3000


def test_a_paused_follower_leaves_the_isr_and_returns(cluster: Cluster, topic: str) -> None:
    # Made before: a kafka-python client that first asks a frozen broker waits for it until its deadline.
    producer = cluster.producer(acks=1, enable_idempotence=False)
    producer.partitions_for(topic)
    cluster.broker(3).pause()
    assert cluster.broker(3).state == "paused"
    for _ in range(50):
        producer.send(topic, b"too late for broker 3", partition=0).get(timeout=20)
    assert cluster.batches(topic, 0, broker=3).empty
    assert cluster.wait_for_isr(topic, 2)["isr"].tolist() == [(1, 2)] * 3
    cluster.broker(3).resume()
    assert cluster.wait_for_isr(topic, 3)["isr"].tolist() == [(1, 2, 3)] * 3


def test_a_stopped_broker_hands_its_leadership_over_first(cluster: Cluster, topic: str) -> None:
    cluster.broker(1).stop()
    assert set(cluster.wait_for_isr(topic, 2)["leader"]) == {2, 3}
    assert "[BrokerServer id=1] shut down completed" in cluster.broker(1).logs()


def test_a_broker_that_is_cut_off_from_its_peers_loses_its_office(cluster: Cluster, topic: str) -> None:
    broker = cluster.broker(1)
    broker.isolate("peers")
    assert broker.state == "running"
    assert set(cluster.wait_for_isr(topic, 2)["leader"]) <= {2, 3}
    assert set(cluster.broker_views()) == {2, 3}, "it knows only the past"
    broker.reconnect("peers")
    assert repr(broker) == "<broker 1: running>"
    assert cluster.wait_for_isr(topic, 3)["isr"].tolist() == [(1, 2, 3)] * 3
    assert "InetAddress$CachedLookup" not in broker.logs(), "its peers' names are asked for anew, not held for unknown"


def test_a_broker_that_is_cut_off_from_clients_stays_leader_and_is_silent(cluster: Cluster, topic: str) -> None:
    deadlines = {"request_timeout_ms": 1000, "delivery_timeout_ms": 2000}
    producer = KafkaProducer(**cluster.client_config(), enable_idempotence=False, **deadlines)
    # Short for the record that nobody hears; what a busy broker answers too late before is sent again.
    wait_until(
        lambda: producer.send(topic, b"heard", partition=0).get(timeout=20),
        what="a record to be heard",
        retry_on=(KafkaError,),
    )
    leader = cluster.broker(int(cluster.partitions(topic)["leader"][0]))
    leader.isolate("clients")
    unheard = producer.send(topic, b"not heard", partition=0)
    wait_until(lambda: unheard.is_done, what="the producer's own deadline", timeout=20)
    assert unheard.failed()
    assert cluster.partitions(topic)["leader"][0] == leader.id
    assert leader.id in cluster.partitions(topic)["isr"][0]
    leader.reconnect("clients")
    producer.close()


def test_its_network_is_slowed_or_it_says_that_it_cannot_be(cluster: Cluster, topic: str) -> None:
    broker = cluster.broker(1)
    try:
        broker.slow(latency_ms=200)
    except UnsupportedByBackend as refused:
        assert "can be cut but not slowed" in str(refused)  # noqa: PT017 - either is right
        assert broker.condition == "running"
        return
    assert broker.condition == "running, slowed"
    broker.full_speed()


def test_what_a_broker_cannot_do_now_is_refused(cluster: Cluster, topic: str) -> None:
    broker = cluster.broker(1)
    for action in ("resume", "start"):
        _refused(broker, action, f"cannot {action} <broker 1: running>: it runs already.")
    _refused(broker, "reconnect", "cannot reconnect <broker 1: running>: it is not isolated; isolate() does that.")
    broker.pause()
    for action in ("stop", "pause"):
        _refused(broker, action, f"cannot {action} <broker 1: paused>: resume() it first.")
    broker.kill()
    _refused(broker, "kill", "cannot kill <broker 1: stopped>: start() it first.")


def _refused(broker: Node, action: str, said: str) -> None:
    with pytest.raises(NotRunning) as caught:
        getattr(broker, action)()
    assert str(caught.value) == said


def test_a_broker_that_cannot_start_again_says_why(cluster: Cluster, topic: str) -> None:
    broker, identity = cluster.broker(2), cluster.data_folder(2) / "meta.properties"
    broker.kill()
    before = identity.read_text()
    identity.write_text(before.replace("node.id=2", "node.id=7"))
    try:
        with pytest.raises(BrokerFailed, match=r"node 2 ended while starting: .*node id"):
            broker.start()
    finally:
        identity.write_text(before)


def test_all_brokers_down_and_up_again_keeps_the_records(cluster: Cluster, topic: str) -> None:
    _send(cluster, topic, range(300))
    for broker in cluster.brokers:
        broker.kill()
    with pytest.raises(NotRunning, match=r"no broker of this cluster is running: start one"):
        cluster.topics()
    with pytest.raises(NotRunning, match="no broker of this cluster is running"):
        cluster.create_topic("late")
    for broker in cluster.brokers:
        broker.start(wait=broker.id == 3)
    cluster.wait_for_isr(topic, 3)
    assert _read_all(cluster, topic) == list(range(300))


def test_whatever_breaks_while_records_are_sent_the_ledger_is_clean(cluster: Cluster) -> None:
    # Of two replicas, so that only one node is broken at a time and the other two are a majority.
    topic = cluster.create_topic("sent-all-the-while", replication_factor=2)
    kinds = (faults.pause, faults.isolate, faults.stop, faults.kill)
    with traffic.start(cluster, numbered(topic), rate=800, progress=False) as run:
        for kind, target in product(kinds, (faults.leader(topic), faults.followers(topic))):
            with kind(target).on(cluster):
                wait_for_more(run)
            cluster.wait_for_isr(topic, 2)
        run.stop()
    verdict = run.ledger.verify(cluster)
    assert verdict.clean, verdict


def test_it_is_kept_as_a_file_and_taken_up_again(
    cluster: Cluster, topic: str, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKALAB_BACKEND", make.keywords["backend"])
    _send(cluster, topic, range(30))
    # Looked at before: brokers that are frozen for two seconds are fenced, and what they led is led by others.
    before = cluster.wait_for_isr(topic, 3)
    path = cluster.snapshot(tmp_path / "kept.tar.gz")
    _send(cluster, topic, range(30, 40))
    with Cluster.restore(path) as restored:
        assert restored.partitions(topic).equals(before)
        assert _read_all(restored, topic) == list(range(30))
        _send(restored, topic, range(30, 60))
        assert _read_all(restored, topic) == list(range(60))
    assert _read_all(cluster, topic) == list(range(40))


def test_an_added_broker_takes_new_partitions(cluster: Cluster) -> None:
    added = cluster.add_broker()  # for good, so this test is the last one
    assert (added.id, added.roles) == (4, ("broker",))
    topic = cluster.create_topic("wide", partitions=4)
    assert [first for first, *_ in cluster.partitions(topic)["replicas"]] == [1, 2, 3, 4]
    assert cluster.quorum()["role"].tolist()[3] == "observer"
    added.kill()
    added.start()
    cluster.wait_for_isr(topic, 3)
