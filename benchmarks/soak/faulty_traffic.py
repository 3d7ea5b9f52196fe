"""Traffic from one producer under faults that come when they are to come: each waits for what was observed before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

from kafkalab import Cluster, faults, traffic
from kafkalab.simulation import Record
from kafkalab.traffic import Run
from kafkalab.waiting import wait_until

__all__ = ["CLIENTS", "numbered", "wait_for_more", "with_lagging_followers", "with_leader_kills"]

#: The client libraries, of which each soak run uses one after the other.
CLIENTS = ("kafka-python", "confluent-kafka")
_START_MS = 1_740_000_000_000
_KEYS = 10
_RATE = 2000.0
_LAGGING_RATE = 1000.0
_BETWEEN_FAULTS = 500
_PARTITIONS = 3
_SECONDS = 120.0


def numbered(topic: str) -> Iterator[Record]:
    """Iterate records without end: ten keys in turn, values of 100 bytes that are all different."""
    for number in count():
        value = b"%0100d" % number
        yield Record(topic, b"key-%d" % (number % _KEYS), value, _START_MS + number)


def with_leader_kills(
    cluster: Cluster, topic: str, client: str, kills: int, done: Callable[[int], None] = lambda _: None
) -> Run:
    """Send with ``acks="all"`` while the leaders of three partitions are killed in turn, and return the run.

    A broker is killed when all replicas are in sync and acknowledgements come, and started again when others have
    taken its place and records sent to them are acknowledged.

    Args:
        cluster: of three brokers.
        topic: a new one.
        client: one of :data:`CLIENTS`.
        kills: how many.
        done: called after each with how many there were.

    Raises:
        TrafficFailed: the producer could not go on.
        WaitTimeout: the cluster did not get well again.
    """
    with traffic.start(cluster, numbered(topic), rate=_RATE, client=client, topics={topic: _PARTITIONS}) as run:
        for number in range(kills):
            wait_for_more(run)
            with faults.kill(faults.leader(topic, number % _PARTITIONS)).on(cluster) as firing:
                firing.watch()
                wait_for_more(run)
            cluster.wait_for_isr(topic, len(cluster.brokers))
            run.ledger.event(firing.name, firing.at, firing.done_at)
            done(number + 1)
        return run.stop()


def with_lagging_followers(cluster: Cluster, topic: str, client: str) -> Run:
    """Send with ``acks=1``, freeze the followers, kill the leader, let the followers go on; return the run.

    What the leader acknowledged while the followers were frozen is on no other broker. They have not left the ISR,
    since two of three voters are frozen and the controller can change nothing; so one of them becomes the leader,
    and the old one, when it is back, cuts off what the new one does not have.

    Args:
        cluster: of three combined nodes.
        topic: a new one, of one partition.
        client: one of :data:`CLIENTS`.

    Raises:
        TrafficFailed: the producer could not go on.
        WaitTimeout: the cluster did not get well again.
    """
    with traffic.start(cluster, numbered(topic), rate=_LAGGING_RATE, client=client, acks=1, topics={topic: 1}) as run:
        wait_for_more(run)
        with faults.pause(faults.followers(topic)).on(cluster):
            wait_for_more(run)
            killed = faults.kill(faults.leader(topic)).fire(cluster)
        killed.watch()  # a follower leads now: only then may the old leader come back
        killed.undo()
        cluster.wait_for_isr(topic, len(cluster.brokers))
        wait_for_more(run)
        return run.stop()


def wait_for_more(run: Run) -> None:
    """Return when so many more records are acknowledged; raises what ended the run, if anything did."""
    enough = run.observe().acknowledged + _BETWEEN_FAULTS
    wait_until(
        lambda: _acknowledged(run),
        lambda seen: seen >= enough,
        what=f"{_BETWEEN_FAULTS} more acknowledgements",
        timeout=_SECONDS,
    )


def _acknowledged(run: Run) -> int:
    if not run.running:
        run.wait()
    return run.observe().acknowledged
