"""A cluster kept as a file and taken up again: data, groups, transactions, nodes that did not run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kafkalab import Cluster
from kafkalab.errors import InvalidArgument, NotRunning, UnsupportedByBackend
from kafkalab.waiting import wait_until

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=3, properties={"num.replica.fetchers": 2}) as running:
        yield running


@pytest.fixture(scope="module")
def orders(cluster: Cluster) -> str:
    """A topic with 300 records, of which the group ``readers`` has read some."""
    return fill(cluster)


def fill(cluster: Cluster) -> str:
    orders = cluster.create_topic("orders", partitions=3, config={"min.insync.replicas": 2})
    send(cluster, orders, 0, 300)
    consumer = cluster.consumer(orders, group_id="readers", auto_offset_reset="earliest", max_poll_records=50)
    wait_until(lambda: consumer.poll(500), what="some orders", timeout=60)
    # commit() leaves out a partition whose position is not known yet; position() waits for it.
    assert None not in [consumer.position(part) for part in consumer.assignment()]
    consumer.commit()
    consumer.close()
    return orders


def send(cluster: Cluster, topic: str, first: int, end: int) -> None:
    producer = cluster.producer(acks="all")
    sent = [producer.send(topic, b"%d" % number, partition=number % 3) for number in range(first, end)]
    for future in sent:
        future.get(timeout=60)


def values(cluster: Cluster, topic: str, *, committed: bool = False) -> list[int]:
    consumer = cluster.consumer(isolation_level="read_committed" if committed else "read_uncommitted")
    from kafka import TopicPartition

    parts = [TopicPartition(topic, number) for number in cluster.partitions(topic)["partition"]]
    consumer.assign(parts)
    consumer.seek_to_beginning()
    ends = consumer.end_offsets(parts)
    found: list[int] = []

    def all_read() -> bool:
        found.extend(int(record.value) for records in consumer.poll(200).values() for record in records)
        return all(consumer.position(part) >= ends[part] for part in parts)

    wait_until(all_read, what=f"the end of {topic}", timeout=60)
    consumer.close()
    return sorted(found)


def test_all_comes_back_and_the_cluster_goes_on(cluster: Cluster, orders: str, tmp_path: Path) -> None:
    pid = [broker.id for broker in cluster.brokers if broker.state == "running"]
    # Looked at before: brokers that are frozen for two seconds are fenced, and what they led is led by others.
    before = cluster.wait_for_isr(orders, 3)
    path = cluster.snapshot(tmp_path / "kept.tar.gz")
    send(cluster, orders, 300, 310)
    assert [broker.id for broker in cluster.brokers if broker.state == "running"] == pid == [1, 2, 3]
    with Cluster.restore(path) as restored:
        assert restored.partitions().equals(before)
        assert values(restored, orders) == list(range(300))
        lag = restored.lag("readers")
        assert lag["committed"].tolist() == cluster.lag("readers")["committed"].tolist()
        assert lag["end"].sum() == 300
        assert restored.groups()["group"].tolist() == ["readers"]
        assert restored.spec == cluster.spec
        assert restored.folder != cluster.folder
        assert not set(restored.bootstrap_servers.split(",")) & set(cluster.bootstrap_servers.split(","))
        send(restored, orders, 300, 330)
        assert values(restored, orders) == list(range(330))
        assert restored.add_broker().id == 4
    assert values(cluster, orders) == list(range(310))
    assert list(tmp_path.iterdir()) == [path]


def test_transactions_and_producers_are_known_again(cluster: Cluster, tmp_path: Path) -> None:
    topic = cluster.create_topic("payments", partitions=1)
    producer = cluster.producer(transactional_id="payer")
    producer.init_transactions()
    for first, end in ((0, 5), (5, 9)):
        producer.begin_transaction()
        for number in range(first, end):
            producer.send(topic, b"%d" % number).get(timeout=60)
        producer.commit_transaction() if first == 0 else producer.abort_transaction()
    producer.begin_transaction()
    producer.send(topic, b"9").get(timeout=60)
    path = cluster.snapshot(tmp_path / "open")
    producer.commit_transaction()
    assert values(cluster, topic, committed=True) == [0, 1, 2, 3, 4, 9]
    with Cluster.restore(path) as restored:
        again = restored.producer(transactional_id="payer")
        again.init_transactions()  # ends what was open, which only its coordinator can know
        again.begin_transaction()
        again.send(topic, b"10").get(timeout=60)
        again.commit_transaction()
        assert values(restored, topic, committed=True) == [0, 1, 2, 3, 4, 10]


def test_a_broker_that_was_just_killed_stays_dead_until_started(tmp_path: Path) -> None:
    with Cluster(brokers=3, controllers=1) as cluster:
        topic = fill(cluster)
        cluster.broker(1).kill()
        path = cluster.snapshot(tmp_path / "one-dead")
    with Cluster.restore(path) as restored:
        assert [node.state for node in restored.brokers] == ["stopped", "running", "running"]
        assert restored.controller(101).state == "running"
        seen = restored.wait_for_isr(topic, 2)
        assert set(seen["leader"]) <= {2, 3}
        assert values(restored, topic) == list(range(300))
        send(restored, topic, 300, 310)
        restored.broker(1).start()
        restored.wait_for_isr(topic, 3)
        assert values(restored, topic) == list(range(310))


def test_without_a_quorum_it_comes_back_as_broken(tmp_path: Path) -> None:
    with Cluster(brokers=1, controllers=1) as cluster:
        topic = cluster.create_topic("orders", partitions=3)
        send(cluster, topic, 0, 30)
        cluster.controller(101).kill()
        path = cluster.snapshot(tmp_path / "headless")
    with Cluster.restore(path) as restored:
        assert (restored.controller(101).state, restored.broker(1).state) == ("stopped", "running")
        restored.controller(101).start()
        restored.wait_for_isr(topic, 1, timeout=60)
        assert values(restored, topic) == list(range(30))


def test_a_secured_cluster_takes_the_same_password(tmp_path: Path) -> None:
    with Cluster(brokers=1, security="sasl-tls") as cluster:
        topic = fill_one(cluster)
        password = cluster.client_config()["sasl_plain_password"]
        path = cluster.snapshot(tmp_path / "secured")
    with Cluster.restore(path) as restored:
        assert restored.client_config()["sasl_plain_password"] == password
        assert values(restored, topic) == list(range(30))


def fill_one(cluster: Cluster) -> str:
    topic = cluster.create_topic("orders", partitions=3)
    send(cluster, topic, 0, 30)
    return topic


def test_what_is_there_is_not_overwritten_unasked(cluster: Cluster, orders: str, tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_text("mine")
    with pytest.raises(InvalidArgument, match="is there already: choose another name, or give overwrite=True"):
        cluster.snapshot(path)
    assert path.read_text() == "mine"
    cluster.snapshot(path, overwrite=True)
    assert path.stat().st_size > 1000
    with pytest.raises(InvalidArgument, match="there is no folder"):
        cluster.snapshot(tmp_path / "none" / "kept")
    with pytest.raises(InvalidArgument, match="is a folder: give the name of a file"):
        cluster.snapshot(tmp_path)


def test_an_interrupt_leaves_a_running_cluster_and_no_file(cluster: Cluster, orders: str, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cluster.snapshot(tmp_path / "kept", progress=interrupt)
    assert list(tmp_path.iterdir()) == []
    assert not list(cluster.folder.glob("snapshot-*"))
    assert [broker.state for broker in cluster.brokers] == ["running"] * 3
    assert len(cluster.wait_for_isr(orders, 3)) == 3


def test_a_borrowed_and_a_stopped_cluster_cannot_be_kept(cluster: Cluster, tmp_path: Path) -> None:
    with Cluster.connect(cluster.bootstrap_servers) as guest, pytest.raises(UnsupportedByBackend):
        guest.snapshot(tmp_path / "kept")
    with pytest.raises(NotRunning):
        guest.snapshot(tmp_path / "kept")
    assert list(tmp_path.iterdir()) == []
