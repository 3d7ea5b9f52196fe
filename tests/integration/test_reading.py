"""A cluster read back from log start to end: also where the last offsets hold no record, or a broker is gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from kafka import KafkaProducer, TopicPartition

from kafkalab import Cluster
from kafkalab.clusters.reading import TopicReading
from kafkalab.errors import WaitTimeout
from kafkalab.ledger.stored import PartitionBounds
from kafkalab.waiting import wait_until

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=3) as running:
        yield running


def send(producer: KafkaProducer, topic: str, values: range, partition: int = 0) -> None:
    for number in values:
        headers = [("kafkalab", b"%d" % number)] if number % 2 else []
        producer.send(topic, b"%d" % number, key=b"k", partition=partition, headers=headers)
    producer.flush()


def offsets(reading: TopicReading) -> list[int]:
    return [offset for batch in reading for offset in batch.offsets.tolist()]


def test_every_partition_in_order_with_its_bounds(cluster: Cluster) -> None:
    topic = cluster.create_topic("plain", partitions=3)
    for partition in (0, 2):
        send(cluster.producer(), topic, range(100), partition)
    reading = cluster.read_log([topic, "not-there", topic])
    seen: dict[int, list[int]] = {}
    for batch in reading:
        seen.setdefault(batch.partition, []).extend(batch.offsets.tolist())
        assert batch.topic == topic
        assert batch.identities[:2] == [None, b"1"]
        assert len(batch.keys) == len(batch.values) == len(batch.identities)
        assert len(set(batch.keys.tolist())) == 1
        assert len(set(batch.values.tolist())) == 100
    assert seen == {0: list(range(100)), 2: list(range(100))}
    full, empty = PartitionBounds(0, 100, True, False), PartitionBounds(0, 0, True, False)
    assert reading.bounds == {(topic, 0): full, (topic, 1): empty, (topic, 2): full}
    assert list(cluster.read_log([])) == []


def test_markers_and_aborted_records_at_the_end(cluster: Cluster) -> None:
    topic = cluster.create_topic("transactions")
    with KafkaProducer(**cluster.client_config(), transactional_id="t") as producer:
        producer.init_transactions()
        for end in (producer.commit_transaction, producer.abort_transaction):
            producer.begin_transaction()
            send(producer, topic, range(10))
            end()
    committed, everything = cluster.read_log([topic], committed=True), cluster.read_log([topic])
    # Offsets 10 and 21 are the markers.
    assert offsets(committed) == list(range(10))
    assert offsets(everything) == [*range(10), *range(11, 21)]
    assert committed.bounds == everything.bounds == {(topic, 0): PartitionBounds(0, 22, True, False)}


def test_an_open_transaction_ends_a_committed_reading(cluster: Cluster) -> None:
    topic = cluster.create_topic("open")
    send(cluster.producer(), topic, range(5))
    with KafkaProducer(**cluster.client_config(), transactional_id="open") as producer:
        producer.init_transactions()
        producer.begin_transaction()
        send(producer, topic, range(5))
        reading = cluster.read_log([topic], committed=True)
        assert offsets(reading) == list(range(5))
        assert reading.bounds[topic, 0] == PartitionBounds(0, 5, True, False, held_up=True)
        producer.abort_transaction()
    # The markers may not be there yet: the reader waits for them.
    assert offsets(reading := cluster.read_log([topic], committed=True)) == list(range(5))
    assert reading.bounds[topic, 0] == PartitionBounds(0, 11, True, False)


def test_what_is_below_the_log_start_is_gone(cluster: Cluster) -> None:
    topic = cluster.create_topic("trimmed", config={"cleanup.policy": "compact,delete"})
    send(cluster.producer(), topic, range(30))
    cluster.admin().delete_records({TopicPartition(topic, 0): 12})
    reading = cluster.read_log([topic])
    assert offsets(reading) == list(range(12, 30))
    assert reading.bounds[topic, 0] == PartitionBounds(12, 30, True, True)


def test_what_is_written_meanwhile_is_not_read(cluster: Cluster) -> None:
    topic = cluster.create_topic("growing")
    producer = cluster.producer()
    send(producer, topic, range(1000))
    done = threading.Event()

    def go_on() -> None:
        while not done.wait(0.001):
            producer.send(topic, b"more", partition=0)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        reading = cluster.read_log([topic])
        found = offsets(reading)
    finally:
        done.set()
        thread.join()
    end = reading.bounds[topic, 0].end
    assert found == list(range(end))
    assert end >= 1000


def test_what_only_the_leader_has_yet_is_waited_for(cluster: Cluster) -> None:
    for number in range(5):
        topic = cluster.create_topic(f"acks-one-{number}")
        with KafkaProducer(**cluster.client_config(), acks=1, enable_idempotence=False) as producer:
            send(producer, topic, range(2000))
        reading = cluster.read_log([topic])
        assert offsets(reading) == list(range(2000))
        assert reading.bounds[topic, 0].reached


@pytest.mark.parametrize(
    ("looks", "left"),
    [
        ([(5, 3), (5, 4), (5, 5)], set()),
        ([(5, 3), (9, 5)], set()),  # what comes later is not waited for
        ([(5, 3), (4, 4)], set()),  # a new leader, whose log is shorter
        ([None, (5, 5)], set()),
        ([(5, 3)], {("t", 0)}),
        ([None], {("t", 0)}),
    ],
)
def test_it_waits_until_readers_are_shown_what_is_there(
    looks: list[tuple[int, int] | None], left: set[tuple[str, int]]
) -> None:
    told = iter(looks)
    last = [looks[0]]

    def leaders_ends() -> dict[tuple[str, int], tuple[int, int] | None]:
        last[0] = next(told, last[0])
        return {("t", 0): last[0]}

    timeout = 0.4 if left else 30.0  # short only where it is waited for in vain
    reading = TopicReading({}, ["t"], group="readers", committed=False, timeout=timeout, leaders_ends=leaders_ends)
    assert reading._still_hidden() == left


def test_a_leader_that_dies_meanwhile_is_survived(cluster: Cluster) -> None:
    topic = cluster.create_topic("survivor", partitions=3)
    producer = cluster.producer()
    for partition in range(3):
        send(producer, topic, range(20_000), partition)
    reading = iter(cluster.read_log([topic], timeout=30))
    count = len(next(reading).offsets)
    cluster.broker(1).kill()
    try:
        assert count + sum(len(batch.offsets) for batch in reading) == 60_000
    finally:
        cluster.broker(1).start()


def test_a_partition_without_a_leader_is_not_reached(cluster: Cluster) -> None:
    topic = cluster.create_topic("orphaned", partitions=3, replication_factor=1)
    send(cluster.producer(), topic, range(10), partition=1)
    cluster.broker(3).kill()
    try:
        wait_until(lambda: -1 in cluster.partitions(topic)["leader"].tolist(), what="a partition without a leader")
        found, reached = wait_until(
            lambda: _read_in_a_second(cluster, topic),
            lambda seen: seen[1][:2] == [True, True],  # a busy broker may need longer
            what="the partitions that have a leader",
            retry_on=(WaitTimeout,),
        )
        assert found == list(range(10))
        assert reached == [True, True, False]
    finally:
        cluster.broker(3).start()


def _read_in_a_second(cluster: Cluster, topic: str) -> tuple[list[int], list[bool]]:
    """Return the offsets that were read, and of each partition whether its end was reached."""
    reading = cluster.read_log([topic], timeout=1.0)
    return offsets(reading), [bounds.reached for _, bounds in sorted(reading.bounds.items())]


def test_where_nobody_answers_it_gives_up_and_is_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    with Cluster(brokers=1) as cluster:
        topic = cluster.create_topic("orders")
        cluster.broker(1).kill()
        started = time.monotonic()
        with pytest.raises(WaitTimeout, match="gave up waiting for the topics' settings"):
            list(cluster.read_log([topic], timeout=1.0))
        assert time.monotonic() - started < 20  # clients by themselves wait for 30
    assert capfd.readouterr() == ("", "")
