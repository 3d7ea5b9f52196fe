"""Faults on real brokers: by hand and on a schedule, and cut networks behind the proxy."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn, Self

import pytest
from confluent_kafka import Producer
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError

from kafkalab import Cluster, faults
from kafkalab.errors import InvalidArgument, NotRunning, UnsupportedByBackend
from kafkalab.waiting import wait_until

pytestmark = pytest.mark.integration

PATIENCE = 90.0  # seconds, on a machine that does much else
# Longer than a machine stands still: kafka-python 3.0.12 takes a producer id that comes too late for the end. Shorter
# than its 30 s: so long a leader cut off from its peers keeps what it cannot acknowledge.
REQUEST_MS = 10_000


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=3, proxied=True) as running:
        yield running


@pytest.fixture
def topic(cluster: Cluster, request: pytest.FixtureRequest) -> str:
    """A topic of the test's own, led by broker 1, on a cluster that has nothing wrong."""
    assert [broker.condition for broker in cluster.brokers] == ["running"] * 3
    return cluster.create_topic(request.function.__name__[-100:], config={"min.insync.replicas": 2})


@pytest.fixture(scope="module")
def ordinary() -> Iterator[Cluster]:
    with Cluster(brokers=1) as running:
        yield running


@dataclass
class Load:
    """A producer in a thread that sends numbers, one acknowledged after the other, until it is told to stop."""

    cluster: Cluster
    topic: str
    began: float = field(default_factory=time.monotonic)
    sent: int = 0
    acked: list[int] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.began

    @property
    def acknowledged(self) -> int:
        return len(self.acked)

    def __enter__(self) -> Self:
        self.thread = threading.Thread(target=self._send)
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        self.thread.join()

    def _send(self) -> None:
        producer = self.cluster.producer(acks="all", request_timeout_ms=REQUEST_MS)
        pending: list[tuple[int, Any]] = []
        while not self.over.is_set():
            pending.append((self.sent, producer.send(self.topic, b"%d" % self.sent)))
            self.sent += 1
            self.over.wait(0.001)
            self._count(pending)
        # All of them end, acknowledged or by their deadline; close() would raise while one is under way.
        wait_until(lambda: self._count(pending) == 0, what="the last answers", timeout=PATIENCE)
        producer.close()

    def _count(self, pending: list[tuple[int, Any]]) -> int:
        while pending and pending[0][1].is_done:
            number, future = pending.pop(0)
            if future.succeeded():
                self.acked.append(number)
        return len(pending)

    def goes_on(self) -> None:
        before = self.acknowledged
        wait_until(lambda: self.acknowledged > before + 20, what="further acknowledgements", timeout=PATIENCE)


def client(cluster: Cluster, make: Callable[..., Any], broker_id: int, **config: Any) -> Any:
    """Return a client that knows one broker only."""
    server = cluster.bootstrap_servers.split(",")[broker_id - 1]
    return make(**{**cluster.client_config(), "bootstrap_servers": server, **config})


def read_all(cluster: Cluster, topic: str) -> list[bytes]:
    consumer: KafkaConsumer = cluster.consumer(auto_offset_reset="earliest")
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    (end,) = consumer.end_offsets([partition]).values()
    values: list[bytes] = []

    def at_end() -> bool:
        values.extend(record.value for records in consumer.poll(timeout_ms=500).values() for record in records)
        return bool(consumer.position(partition) >= end)

    wait_until(at_end, what=f"the end of {topic}", timeout=60, every=0)
    consumer.close()
    return values


def test_a_leader_cut_off_from_its_peers_loses_its_office_and_nothing_that_all_acknowledged(
    cluster: Cluster, topic: str
) -> None:
    with Load(cluster, topic) as load:
        load.goes_on()
        with faults.isolate(faults.leader(topic), "peers").on(cluster) as firing:
            seen = firing.watch()
            # A machine that does much else may have fenced another one as well: that one is waited for.
            assert (firing.targets, seen.leader in {2, 3}, seen.isr and 1 not in seen.isr) == ((1,), True, True)
            assert cluster.wait_for_isr(topic, 2)["isr"].tolist() == [(2, 3)]
            assert topic in cluster.kafka_tool("kafka-topics", "--list").split()
            load.goes_on()
            with faults.isolate([2, 3], "clients").on(cluster):
                assert what_it_acknowledges(cluster, topic, 1) == [True, False]
            load.goes_on()
        assert cluster.broker(1).condition == "running"
        load.goes_on()
    assert cluster.wait_for_isr(topic, 3)["isr"].tolist() == [(1, 2, 3)]
    stored = [int(value) for value in read_all(cluster, topic)]
    assert set(load.acked) <= set(stored)
    assert len(stored) == len(set(stored))
    assert not {-1, -2} & set(stored)  # truncated: one replica had them


def what_it_acknowledges(cluster: Cluster, topic: str, broker_id: int) -> list[bool]:
    """Send -1 with acks=1 and -2 with acks=all to a broker that is the only one within reach."""
    # librdkafka: it asks only brokers that have answered it, and kafka-python those it was told of as well.
    config = {
        **cluster.client_config("confluent-kafka"),
        "bootstrap.servers": cluster.bootstrap_servers.split(",")[broker_id - 1],
        "logger": logging.getLogger("kafka.confluent"),
    }
    answers: list[bool] = []
    # Only what is not to be acknowledged is given up soon.
    for number, acks, seconds in ((b"-1", "1", PATIENCE), (b"-2", "all", 4)):
        producer = Producer({**config, "acks": acks, "message.timeout.ms": int(seconds * 1000)})
        producer.produce(topic, number, on_delivery=lambda error, _: answers.append(error is None))
        assert producer.flush(PATIENCE) == 0
    return answers


def test_a_leader_cut_off_from_clients_stays_leader_and_in_sync(cluster: Cluster, topic: str) -> None:
    # Without a producer id, which kafka-python 3.0.12 asks for once: one that comes too late would be the end.
    quick = {"enable_idempotence": False, "request_timeout_ms": 1500, "delivery_timeout_ms": 4000}
    producer = client(cluster, KafkaProducer, 2, acks="all", max_block_ms=20_000, **quick)
    # The short deadline is for what nobody hears. What is heard may miss it on a busy machine, and is sent again.
    wait_until(
        lambda: producer.send(topic, b"before").get(timeout=10),
        what="an acknowledgement",
        timeout=PATIENCE,
        retry_on=(KafkaError,),
    )
    with faults.isolate(faults.leader(topic), from_="clients").on(cluster) as firing:
        with pytest.raises(KafkaTimeoutError):
            producer.send(topic, b"during").get(timeout=6)
        assert firing.watch().isr == (1, 2, 3)
        assert cluster.partitions(topic)[["leader", "isr"]].to_numpy().tolist() == [[1, (1, 2, 3)]]
        assert repr(cluster.broker(1)) == "<broker 1: running, isolated from clients>"
    producer.close(timeout=0.5)
    after = cluster.producer(acks="all")
    after.send(topic, b"after").get(timeout=20)
    assert {b"before", b"after"} <= set(read_all(cluster, topic))


def test_a_slow_network_lengthens_the_round_trip(cluster: Cluster, topic: str) -> None:
    producer = cluster.producer(acks=1, enable_idempotence=False)

    def round_trip() -> float:
        began = time.perf_counter()
        producer.send(topic, b"x").get(timeout=20)
        return time.perf_counter() - began

    for _ in range(5):
        round_trip()
    assert min(round_trip() for _ in range(10)) < 0.2
    with faults.slow(faults.leader(topic), latency_ms=200).on(cluster):
        assert 0.2 <= min(round_trip() for _ in range(10)) < 0.4
        assert cluster.partitions(topic)["isr"].tolist() == [(1, 2, 3)]
    assert min(round_trip() for _ in range(10)) < 0.2


def test_a_schedule_fires_on_a_condition_and_after_a_time_and_undoes(cluster: Cluster, topic: str) -> None:
    # Longer than the 3.5 s after which the others miss a leader that was the active controller, too.
    schedule = faults.Schedule(
        faults.kill(faults.leader(topic)).when(acknowledged=200).undo_after(5),
        faults.slow(3, 5).after(0.2),
    )
    assert "kill leader of" in repr(schedule)
    with Load(cluster, topic) as load:
        with schedule.running(cluster, lambda: load):
            wait_until(lambda: len(schedule.firings) == 2, what="both firings", timeout=PATIENCE)
            kill = next(firing for firing in schedule.firings if firing.targets == (1,))
            wait_until(lambda: kill.in_sync_at, what="the killed broker's return", timeout=PATIENCE)
            load.goes_on()
            assert cluster.broker(3).condition == "running, slowed"
        assert [broker.condition for broker in cluster.brokers] == ["running"] * 3
        load.goes_on()
    assert kill.name == f"kill broker 1, leader of {topic}-0"
    assert kill.acknowledged is not None
    assert 200 <= kill.acknowledged < 1000  # and not when it got round to it
    assert kill.observed is not None
    assert (kill.observed.leader in {2, 3}, kill.observed.isr, kill.observed.brokers) == (True, (2, 3), (2, 3))
    # Seen when the broker's session expires. That counts from its last heartbeat, which may be an old one where the
    # machine stood still: what is certain is that nothing is seen before the deed.
    assert None not in (kill.done_at, kill.undo_at, kill.undone_at, kill.in_sync_at)
    assert kill.at < kill.done_at < kill.undo_at < kill.undone_at <= kill.in_sync_at  # type: ignore[operator]
    assert kill.done_at - kill.at <= kill.observed.seconds  # type: ignore[operator]
    assert kill.undo_at - kill.done_at >= 5  # type: ignore[operator]
    frame = schedule.frame()
    assert frame["error"].tolist() == [None, None]
    assert sorted(frame["targets"]) == [(1,), (3,)]
    assert (frame["fired"] < frame["done"]).all()
    assert (frame["undo"] < frame["undone"]).all()
    cluster.wait_for_isr(topic, 3)
    stored = [int(value) for value in read_all(cluster, topic)]
    assert set(load.acked) <= set(stored)


@dataclass
class Still:
    """No traffic."""

    elapsed: float = 0.0
    sent: int = 0
    acknowledged: int = 0


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_whatever_ends_the_block_everything_is_undone(cluster: Cluster, error: type[BaseException]) -> None:
    schedule = faults.Schedule(faults.pause(2), faults.kill(2), faults.isolate(3, "all"), faults.slow(3, 100))

    def body() -> NoReturn:
        # All were due at once, so they have fired, in this order.
        conditions = [broker.condition for broker in cluster.brokers]
        assert conditions == ["running", "stopped", "running, isolated from clients and peers, slowed"]
        raise error

    with pytest.raises(error), schedule.running(cluster, Still):
        body()
    assert [broker.condition for broker in cluster.brokers] == ["running"] * 3
    assert None not in [firing.undone_at for firing in schedule.firings]  # all knew the broker when its turn came
    wait_until(
        lambda: [len(view.brokers) for view in cluster.broker_views().values()],
        lambda seen: seen == [3, 3, 3],
        what="every broker to know all",
        timeout=PATIENCE,
    )
    assert [firing.error for firing in schedule.firings] == [None] * 4


def test_what_cannot_fire_is_noted_and_the_rest_goes_on(cluster: Cluster) -> None:
    schedule = faults.Schedule(faults.kill(1), faults.pause(1), faults.pause(2))
    with schedule.running(cluster, Still):
        assert schedule.firings[1].error == "cannot pause <broker 1: stopped>: start() it first."
        assert cluster.broker(2).state == "paused"
    assert [broker.state for broker in cluster.brokers] == ["running"] * 3
    assert schedule.frame()["undone"].isna().tolist() == [False, True, False]


def test_a_firing_by_hand_is_undone_by_hand(cluster: Cluster, topic: str) -> None:
    firing = faults.stop(faults.followers(topic)).where_possible().fire(cluster)
    assert (firing.name, firing.targets) == (f"stop brokers 2 and 3, followers of {topic}-0", (2, 3))
    assert [broker.state for broker in cluster.brokers] == ["running", "stopped", "stopped"]
    with pytest.raises(NotRunning, match="cannot pause"):
        faults.pause([1, 2]).fire(cluster)
    assert cluster.broker(1).state == "running"  # hit before the other could not be, and mended
    seen = firing.watch()
    assert firing.done_at is not None
    assert 0.2 < firing.done_at - firing.at <= seen.seconds  # a JVM takes its time to end in good order
    firing.undo()
    firing.undo()
    assert firing.undone_at is not None
    assert firing.undone_at <= firing.watch_in_sync()
    assert cluster.partitions(topic)["isr"].tolist() == [(1, 2, 3)]


def test_the_active_controller_restarts(cluster: Cluster) -> None:
    firing = faults.restart(faults.controller(), graceful=False).fire(cluster)
    assert "the active controller" in firing.name
    assert firing.observed is not None
    assert firing.observed.brokers == (1, 2, 3)
    assert [broker.state for broker in cluster.brokers] == ["running"] * 3


def test_a_fault_that_repeats_looks_for_its_target_each_time(cluster: Cluster, topic: str) -> None:
    # Stopped in good order: another leads before the broker is gone, however long that takes.
    schedule = faults.Schedule(faults.stop(faults.leader(topic)).every(1, times=2))
    with schedule.running(cluster, Still):
        wait_until(lambda: len(schedule.firings) == 2, what="the second firing", timeout=PATIENCE)
    assert schedule.firings[0].targets == (1,)
    assert schedule.firings[1].targets != (1,)
    cluster.wait_for_isr(topic, 3)


def test_what_cannot_be_is_said_before_anything_starts(cluster: Cluster, ordinary: Cluster, topic: str) -> None:
    def refused(fault: faults.Fault, on: Cluster = cluster) -> str:
        with (
            pytest.raises((InvalidArgument, UnsupportedByBackend)) as caught,
            faults.Schedule(faults.kill(1), fault).running(on, Still),
        ):
            pass
        return str(caught.value)

    assert refused(faults.kill(7)) == "there is no broker 7: choose from 1, 2, 3."
    assert "no-such" in refused(faults.kill(faults.leader("no-such")))
    assert refused(faults.pause(faults.leader(topic, 5))).startswith(f"topic {topic!r} has no partition 5: it has 1")
    ordinary.create_topic("single")
    assert "has one replica and no followers" in refused(faults.pause(faults.followers("single")), ordinary)
    assert "make it with Cluster(proxied=True)" in refused(faults.isolate(1, "peers"), ordinary)
    assert "make it with Cluster(proxied=True)" in refused(faults.slow(1, 10), ordinary)
    borrowed = Cluster.connect(ordinary.bootstrap_servers)
    assert "this cluster is borrowed, so kafkalab cannot break its brokers" in refused(faults.kill(1), borrowed)
    borrowed.stop()
    assert [broker.state for broker in [*cluster.brokers, *ordinary.brokers]] == ["running"] * 4


def test_an_added_broker_and_a_secured_cluster_stand_behind_the_proxy_too() -> None:
    with Cluster(brokers=1, security="sasl-tls", proxied=True) as cluster:
        added = cluster.add_broker()
        topic = cluster.create_topic("orders", replication_factor=2)
        producer = KafkaProducer(**cluster.client_config(), acks="all")
        producer.send(topic, b"x").get(timeout=PATIENCE)
        with faults.isolate(added.id, "peers").on(cluster):
            cluster.wait_for_isr(topic, 1)
        cluster.wait_for_isr(topic, 2)
        producer.close()


def test_a_schedule_of_a_stopped_cluster_ends_quietly() -> None:
    with Cluster(brokers=1) as cluster, faults.Schedule(faults.pause(1)).running(cluster, Still):
        cluster.stop()
