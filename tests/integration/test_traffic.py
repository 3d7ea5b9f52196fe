"""Traffic on real brokers: clean verdicts, the rate that was asked for, and what happens when things go wrong."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psutil
import pytest
from kafka.errors import KafkaError, RequestTimedOutError
from kafka.producer.transaction_manager import InitProducerIdHandler

from kafkalab import Cluster, traffic
from kafkalab.errors import InvalidArgument, TrafficFailed, WaitTimeout
from kafkalab.ledger import Ledger, Verdict
from kafkalab.simulation.source import Record
from kafkalab.traffic import with_kafka_python
from kafkalab.waiting import wait_until
from tests.integration.conftest import meanwhile
from tests.processes import words

pytestmark = pytest.mark.integration

T = TypeVar("T")
PATIENCE = 90.0  # seconds, on a machine that does much else
START_MS = 1_740_000_000_000
both = pytest.mark.parametrize("client", ["kafka-python", "confluent-kafka"])


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=3) as running:
        yield running


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A name that no other test uses."""
    return "".join(c if c.isalnum() else "-" for c in request.node.name)[:200]


def records(topic: str, count: int | None = None, *, keys: int = 7, step_ms: int = 1) -> Iterator[Record]:
    numbers = itertools.count() if count is None else range(count)
    for n in numbers:
        headers = (("origin", b"test"),) if n % 2 else ()
        yield Record(topic, b"%d" % (n % keys) if n % 5 else None, b"value %d" % n, START_MS + n * step_ms, headers)


def undisturbed(look: Callable[[str], T], topic: str, accept: Callable[[T], bool], what: str) -> T:
    """Look at whole runs, each with a topic of its own, until one is as it should be; return what was seen of it.

    A machine that stands still for seconds spoils the pace of a run, or costs it an answer. What is wrong spoils each.
    """
    names = (f"{topic}-{n}" for n in itertools.count())
    return wait_until(lambda: look(next(names)), accept, what=what, timeout=PATIENCE, every=0)


def ended_well(cluster: Cluster, run: traffic.Run) -> Verdict:
    """Return the verdict on a run without faults: all that was sent is stored once, whatever was heard of it."""
    verdict = run.ledger.verify(cluster)
    assert verdict.clean, verdict
    assert (verdict.stored, verdict.failed, verdict.foreign) == (verdict.sent, 0, 0)
    return verdict


@both
def test_what_was_sent_is_stored_once(cluster: Cluster, topic: str, client: str) -> None:
    def all_of_a_run(name: str) -> traffic.Run:
        run = traffic.run(cluster, records(name, 3000), client=client, producers=2, topics={name: 3})
        assert ended_well(cluster, run).sent == 3000
        assert run.topics == {name: name}
        assert len(cluster.partitions(name)) == 3
        return run

    run = undisturbed(all_of_a_run, topic, lambda run: run.ledger.counts == (3000, 3000, 0), "all acknowledgements")
    assert run.throughput()["acknowledged"].sum() == run.throughput()["sent"].sum() == 3000
    assert run.latency()["p50_ms"].gt(0).all()
    assert 0 < run.latency_percentiles()["p50_ms"] <= run.latency_percentiles()["max_ms"]
    assert 0 < run.gaps() < run.elapsed
    # From the start to the last acknowledgement: longer than from the first send, shorter than until all was closed.
    since_first_send = run.ledger.acknowledgements()["acknowledged_at"].max() - run.ledger.sent_times().min()
    assert 3000 / run.elapsed <= run.rate <= 3000 / since_first_send


@both
def test_a_record_arrives_as_it_was(cluster: Cluster, topic: str, client: str) -> None:
    traffic.run(cluster, [Record(topic, b"k", b"v", START_MS, (("origin", b"test"),))], client=client)
    consumer = cluster.consumer(topic, auto_offset_reset="earliest")
    (record,) = wait_until(lambda: [r for rs in consumer.poll(500).values() for r in rs], what="the record")
    assert (record.key, record.value, record.timestamp) == (b"k", b"v", START_MS)
    assert [name for name, _ in record.headers] == ["kafkalab", "origin"]


def test_both_clients_and_several_producers_keep_a_key_in_one_partition(cluster: Cluster, topic: str) -> None:
    for client in ("kafka-python", "confluent-kafka"):
        traffic.run(cluster, records(topic, 500), client=client, producers=3)
    consumer = cluster.consumer(topic, auto_offset_reset="earliest")
    seen: list[Any] = []

    def read() -> int:
        seen.extend(r for rs in consumer.poll(200).values() for r in rs)
        return len(seen)

    wait_until(read, lambda count: count == 1000, what="1000 records", every=0)
    partitions: dict[bytes, set[int]] = {}
    for record in seen:
        if record.key is not None:
            partitions.setdefault(record.key, set()).add(record.partition)
    assert len(partitions) == 7
    assert all(len(found) == 1 for found in partitions.values())


@both
def test_the_rate_is_kept_and_smooth(cluster: Cluster, topic: str, client: str) -> None:
    def paces(name: str) -> tuple[float, float]:
        run = traffic.run(cluster, records(name, 2000), rate=500, client=client)
        sent_at = run.ledger.sent_times()
        # Eight stretches, of which a busy machine may spoil some. They are long: ten records are sent at a time, so
        # that in a quarter of a second one time more or less would be a tenth of them.
        median = run.throughput(every=0.5)["sent"].iloc[:8].median()
        return len(sent_at) / (sent_at[-1] - sent_at[0]), float(median)

    expected = pytest.approx((500, 250), rel=0.1)
    undisturbed(paces, topic, lambda seen: seen == expected, "500 records/s, 250 in half a second")


def test_simulated_time_sets_the_pace(cluster: Cluster, topic: str) -> None:
    def seconds(name: str) -> float:
        # 40 s of simulated time at twenty times its speed.
        sent_at = traffic.run(cluster, records(name, 400, step_ms=100), speed=20).ledger.sent_times()
        return float(sent_at[-1] - sent_at[0])

    expected = pytest.approx(399 * 0.1 / 20, rel=0.1)
    undisturbed(seconds, topic, lambda seen: seen == expected, "2 s from the first record to the last")


@pytest.mark.parametrize("late", ["late-one", "late-two"])
def test_a_topic_met_in_the_middle_costs_no_acknowledgement(
    cluster: Cluster, late: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing is known of a new topic: the client waits for room, and what is done meanwhile is looked through.
    monkeypatch.setattr(with_kafka_python, "_BLOCK_MS", 1)
    monkeypatch.setattr(with_kafka_python, "_SCAN_SECONDS", -1.0)
    mixed = [*records(topic, 71), *records(late, 1), *records(topic, 428)]
    # An answer that comes late is waited for: whatever has none was dropped by us.
    patient = {"request_timeout_ms": 60_000}
    run = traffic.run(cluster, mixed, rate=1000, deadline=PATIENCE, producer_config=patient)
    assert run.ledger.counts == (500, 500, 0)


def test_ctrl_c_while_it_is_waited_for_leaves_it_to_be_stopped(
    cluster: Cluster, topic: str, interruptible: None
) -> None:
    run = traffic.start(cluster, records(topic), rate=2000)
    wait_until(lambda: run.observe().acknowledged, lambda count: count > 300, what="the first 300 acknowledgements")
    ctrl_c = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt), meanwhile(ctrl_c):
        run.wait()
    assert run.running
    run.stop()
    # That every answer is waited for, too, is told by the next test.
    assert ended_well(cluster, run).acknowledged > 300


@both
def test_stopped_in_the_middle_it_says_what_was_sent(cluster: Cluster, topic: str, client: str) -> None:
    def stopped(name: str) -> Verdict:
        with traffic.start(cluster, records(name), rate=2000, client=client) as run:
            wait_until(lambda: run.observe().acknowledged >= 200, what="200 acknowledgements")
            assert run.running
            run.stop()
            assert not run.running
        return ended_well(cluster, run)

    verdict = undisturbed(stopped, topic, lambda verdict: verdict.unknown == 0, "a stop with all acknowledgements")
    assert verdict.sent == verdict.acknowledged == verdict.stored >= 200


def test_waiting_has_a_deadline_of_its_own(cluster: Cluster, topic: str) -> None:
    with traffic.start(cluster, records(topic), rate=100) as run:
        with pytest.raises(WaitTimeout, match=r"the traffic still runs after 0\.2 s: stop\(\) it, or wait longer"):
            run.wait(0.2)
        assert run.stop() is run


def test_several_runs_share_a_ledger(cluster: Cluster, topic: str) -> None:
    ledger = Ledger()
    for client in ("kafka-python", "confluent-kafka"):
        assert traffic.run(cluster, records(topic, 100), client=client, ledger=ledger).observe().sent == 100
    assert ledger.verify(cluster).stored == 200


@both
def test_a_record_that_is_too_large_has_failed(cluster: Cluster, topic: str, client: str) -> None:
    big = [Record(topic, b"k", bytes(5 << 20), START_MS), Record(topic, b"k", b"small", START_MS)]
    verdict = traffic.run(cluster, big, client=client).ledger.verify(cluster)
    assert (verdict.sent, verdict.failed, verdict.acknowledged, verdict.stored) == (2, 1, 1, 1)
    assert verdict.clean


def test_a_record_that_is_too_large_has_failed_when_its_topic_is_known_late(
    cluster: Cluster, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(with_kafka_python, "_BLOCK_MS", 1)
    test_a_record_that_is_too_large_has_failed(cluster, topic, "kafka-python")


@both
def test_a_record_that_a_client_does_not_take(cluster: Cluster, topic: str, client: str) -> None:
    bad = [Record(topic, b"k", b"v", START_MS), Record(topic, b"k", b"v", START_MS, (("h", 17),))]  # type: ignore[arg-type]
    with pytest.raises(TrafficFailed, match=f"{client} does not take a record for '{topic}'") as caught:
        traffic.run(cluster, bad, client=client)
    verdict = caught.value.run.ledger.verify(cluster)  # type: ignore[attr-defined]
    assert (verdict.sent, verdict.stored, verdict.clean) == (1, 1, True)


def test_a_full_queue_loses_nothing(cluster: Cluster, topic: str) -> None:
    small = {"queue.buffering.max.messages": 50, "linger.ms": 0}
    run = traffic.run(cluster, records(topic, 2000), client="confluent-kafka", producer_config=small)
    verdict = run.ledger.verify(cluster)
    assert (verdict.stored, verdict.clean) == (2000, True)


@both
def test_settings_that_a_client_refuses(cluster: Cluster, topic: str, client: str) -> None:
    with pytest.raises(InvalidArgument, match=f"{client} refuses producer_config: .*nonsense"):
        traffic.run(cluster, records(topic, 1), client=client, producer_config={"nonsense": 1})


@both
def test_without_acknowledgements_everything_is_unknown(cluster: Cluster, topic: str, client: str) -> None:
    verdict = traffic.run(cluster, records(topic, 50), client=client, acks=0).ledger.verify(cluster)
    assert (verdict.sent, verdict.acknowledged, verdict.unknown) == (50, 0, 50)


@both
def test_a_topic_deleted_meanwhile_ends_it_in_one_sentence(cluster: Cluster, topic: str, client: str) -> None:
    run = traffic.start(cluster, records(topic), rate=500, client=client)
    wait_until(lambda: run.observe().acknowledged >= 100, what="100 acknowledgements")
    cluster.admin().delete_topics([topic])
    with pytest.raises(TrafficFailed, match=f"topic '{topic}' is gone: it was deleted") as caught:
        run.wait(25)
    assert caught.value.run is run
    assert run.ledger.counts.acknowledged >= 100
    assert not run.running


@dataclass
class Kill:
    """A schedule of one fault: kill a broker when so many are acknowledged, and start it again at the end."""

    broker: int
    acknowledged: int
    firings: list[Any] = field(default_factory=list)

    @contextmanager
    def running(self, cluster: Cluster, observe: Any) -> Iterator[None]:
        done = threading.Event()
        thread = threading.Thread(target=self._fire, args=(cluster, observe, done))
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            if self.firings:
                cluster.broker(self.broker).start()
                self.firings[0].undone_at = time.monotonic()

    def _fire(self, cluster: Cluster, observe: Any, done: threading.Event) -> None:
        while not done.wait(0.02):
            if observe().acknowledged >= self.acknowledged:
                began = time.monotonic()
                cluster.broker(self.broker).kill()
                self.firings.append(Firing(f"kill broker {self.broker}", began, time.monotonic()))
                # What could not be done is no event to recover from.
                self.firings.append(Firing("kill broker 9", began, began, error="there is none."))
                return


@dataclass
class Firing:
    name: str
    at: float
    done_at: float
    undone_at: float | None = None
    error: str | None = None


@both
def test_a_killed_broker_costs_no_record(cluster: Cluster, topic: str, client: str) -> None:
    kill = Kill(broker=2, acknowledged=500)
    run = traffic.run(cluster, records(topic, 3000), rate=1000, client=client, topics={topic: 3}, faults=kill)
    verdict = run.ledger.verify(cluster)
    assert verdict.clean, verdict
    # With the leader an answer may be lost, and with it what became of a record; not the record.
    assert (verdict.sent, verdict.stored, verdict.lost) == (3000, 3000, 0)
    assert verdict.acknowledged + verdict.unknown == 3000
    assert verdict.acknowledged >= 500
    assert [event.name for event in run.ledger.events] == ["kill broker 2", "kill broker 2, undone"]
    assert run.gaps() < 10
    cluster.wait_for_isr(topic, 3)


def crash_points(verdict: Any) -> tuple[int, int]:
    return verdict.processed_twice, verdict.unprocessed


def test_at_least_once_members_that_crash_process_some_twice(cluster: Cluster, topic: str) -> None:
    readers = traffic.Group("twice", members=2, crash_every=300, crashes=[(1.0, 1)], restart_after=0.1)
    run = traffic.run(cluster, records(topic, 1200), rate=800, consumers=[readers], topics={topic: 4})
    twice, never = crash_points(run.ledger.verify(cluster))
    members = run.members()
    assert members.dtypes.astype(str).tolist() == ["str", "int64", "int64", "int64", "int64"]
    assert members["crashes"].sum() >= 2
    assert twice == members["records"].sum() - 1200 > 0
    assert never == 0


def test_at_most_once_members_that_crash_leave_some_out(cluster: Cluster, topic: str) -> None:
    readers = traffic.Group("once", members=1, commit="before", crash_every=200, restart_after=0.1)
    run = traffic.run(cluster, records(topic, 500), consumers=[readers], topics={topic: 2})
    twice, never = crash_points(run.ledger.verify(cluster))
    assert twice == 0
    assert never == 500 - run.members()["records"].sum() > 0


def test_members_end_with_the_run(cluster: Cluster, topic: str) -> None:
    run = traffic.start(cluster, records(topic), rate=100, consumers=[traffic.Group("ending")], topics={topic: 1})
    mine = psutil.Process(os.getpid())

    def members() -> list[str]:
        return [" ".join(words(p)) for p in mine.children() if "kafkalab.traffic.member" in words(p)]

    wait_until(members, lambda found: len(found) == 2, what="two members")
    run.stop()
    assert members() == []


@both
def test_a_dead_cluster_is_given_up_at_the_deadline(client: str) -> None:
    with Cluster(brokers=1) as cluster:
        run = traffic.start(cluster, records("orders"), rate=500, client=client, deadline=2.0)
        wait_until(lambda: run.observe().acknowledged >= 100, what="100 acknowledgements")
        cluster.broker(1).kill()
        killed = time.monotonic()
        wait_until(lambda: run.observe().sent > run.observe().acknowledged + 100, what="sends without an outcome")
        run.stop()
        assert time.monotonic() - killed < 6
        assert run.ledger.counts.sent > run.ledger.counts.acknowledged
        cluster.broker(1).start()
        verdict = run.ledger.verify(cluster)
        assert (verdict.clean, verdict.lost) == (True, 0)
        assert verdict.unknown > 100


def test_a_broker_that_gives_no_producer_id_in_time_is_not_the_end(
    cluster: Cluster, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []  # the producers, each as often as it was answered
    told = InitProducerIdHandler.on_complete

    def late_at_first(handler: Any, number: int, answer: object) -> None:
        asked.append(handler.transaction_manager)
        told(handler, number, RequestTimedOutError() if len(asked) == 1 else answer)

    monkeypatch.setattr(InitProducerIdHandler, "on_complete", late_at_first)
    run = traffic.run(cluster, records(topic, 100))
    assert run.ledger.counts.acknowledged == 100
    assert len(set(asked)) == 2, "another producer was made, and no more than one"


def test_a_client_that_has_given_up_ends_the_run(cluster: Cluster, topic: str) -> None:
    run = traffic.start(cluster, records(topic), rate=500)
    wait_until(lambda: run.observe().acknowledged >= 100, what="100 acknowledgements")
    run._conductor._senders[0]._producer._transaction_manager.transition_to_fatal_error(KafkaError("fenced"))  # type: ignore[attr-defined]
    with pytest.raises(TrafficFailed, match=r"kafka-python's producer has given up: KafkaError: fenced\."):
        run.wait(timeout=20)
    assert run.ledger.verify(cluster).clean


def test_a_cluster_that_is_not_there() -> None:
    with Cluster(brokers=1) as cluster:
        cluster.create_topic("orders")
        cluster.broker(1).kill()
        with pytest.raises(TrafficFailed, match="no broker answers at 127"):
            traffic.run(cluster, [], deadline=1.0)
