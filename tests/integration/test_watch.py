"""Watching a cluster: what is seen while brokers die and members come and go, and that nothing is left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pandas as pd
import pytest
from confluent_kafka import Consumer
from kafka import KafkaProducer

from kafkalab import Cluster
from kafkalab.errors import InvalidArgument
from kafkalab.observe import Timeline, plots, watch
from kafkalab.waiting import wait_until

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=3) as running:
        yield running


def watchers() -> int:
    return sum(thread.name == "kafkalab-watch" for thread in threading.enumerate())


def test_the_story_of_a_killed_leader_is_seen_through(cluster: Cluster) -> None:
    topic = cluster.create_topic("led", partitions=2)
    with watch(cluster, topic=topic) as seen:
        assert watchers() == 1
        wait_until(lambda: len(seen.isr()) >= 4, what="two samples")
        seen.mark("kill broker 2")
        cluster.broker(2).kill()
        cluster.wait_for_isr(topic, 2)
        wait_until(lambda: _last_isr(seen), lambda isr: isr == [(1, 3)] * 2, what="a sample without broker 2")
        cluster.broker(2).start()
        cluster.wait_for_isr(topic, 3)
        wait_until(lambda: _last_isr(seen), lambda isr: isr == [(1, 2, 3)] * 2, what="a sample with broker 2 again")
    assert watchers() == 0
    frame = seen.isr()
    assert frame.dtypes.astype(str).to_dict() == {
        "second": "float64", "topic": "str", "partition": "int64", "leader": "int64", "replicas": "object",
        "isr": "object",
    }  # fmt: skip
    assert frame["second"].is_monotonic_increasing
    assert (frame["isr"].iloc[0], frame["isr"].iloc[-1]) == ((1, 2, 3), (1, 2, 3))
    picture = plots.isr_timeline(frame, seen.faults())
    assert "led-0: leader broker 1, in-sync replicas (1 2 3), then (1 3), then (1 2 3)" in picture.alt
    assert "led-1: leader broker 2, then" in picture.alt
    assert picture.alt.endswith("Marked: kill broker 2.")


def _last_isr(seen: Timeline) -> list[tuple[int, ...]]:
    """Return the in-sync replicas of both partitions in the last sample."""
    return list(seen.isr()["isr"].tail(2))


def test_assignments_and_lag_are_seen_while_members_come_and_go(cluster: Cluster) -> None:
    topic = cluster.create_topic("worked-off", partitions=2)
    producer = KafkaProducer(**cluster.client_config())
    for number in range(20):
        producer.send(topic, b"x", partition=number % 2)
    producer.close()
    with watch(cluster, group="workers") as seen:
        assert watchers() == 2
        _work(cluster, topic, seen)
    assert watchers() == 0
    picture = plots.rebalance_timeline(seen.assignments())
    assert set(picture.data["reader"]) >= {"first", "second"}
    lag = seen.lag()
    assert lag.groupby("partition")["lag"].last().tolist() == [0, 0]
    assert lag["end"].unique().tolist() == [10]


def _work(cluster: Cluster, topic: str, seen: Timeline) -> None:
    """Read the topic with one member, then with two."""
    # Not kafka-python: with short polls a member of its may miss the answer to its SyncGroup, and never join.
    made: list[Consumer] = []

    def poll_and_look(table: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        for consumer in made:
            consumer.poll(0.02)
        frame = table()
        last: pd.DataFrame = frame[frame["second"] == frame["second"].max()]
        return last

    config = {"group.id": "workers", "auto.offset.reset": "earliest", "auto.commit.interval.ms": 100}
    try:
        for names in (["first"], ["first", "second"]):
            made.append(Consumer({**cluster.client_config("confluent-kafka"), **config, "client.id": names[-1]}))
            made[-1].subscribe([topic])
            wait_until(
                lambda: poll_and_look(seen.assignments),
                _reading(names),
                what=f"{names} to read",
                timeout=60.0,
                retry_on=(InvalidArgument,),
            )
        wait_until(
            lambda: poll_and_look(seen.lag), lambda last: last["lag"].tolist() == [0, 0], what="no lag", timeout=60.0
        )
    finally:
        for consumer in made:
            consumer.close()


def _reading(names: list[str]) -> Callable[[pd.DataFrame], bool]:
    return lambda last: sorted(set(last.query("state == 'Stable' and partition >= 0")["member"])) == names


def test_a_group_that_never_came_is_refused_at_the_end(cluster: Cluster) -> None:
    with watch(cluster, group="godot", every=0.02) as seen:
        pass
    for table in (seen.assignments, seen.lag):
        with pytest.raises(InvalidArgument, match="there is no group 'godot'"):
            table()


def test_a_topic_that_is_not_there_is_refused_at_once(cluster: Cluster) -> None:
    with pytest.raises(InvalidArgument, match="there is no topic 'none'"), watch(cluster, topic="none"):
        pytest.fail("it began")
    assert watchers() == 0


def test_a_watch_outlives_its_cluster(cluster: Cluster) -> None:
    with Cluster(brokers=1) as short_lived:
        topic = short_lived.create_topic("brief")
        with watch(short_lived, topic=topic, every=0.02) as seen:
            wait_until(lambda: len(seen.isr()) > 0, what="a sample")
            short_lived.stop()
    assert watchers() == 0
    assert set(seen.isr()["leader"]) == {1}
