"""The exercises of lesson 04, Replication and failover."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kafka.errors import KafkaError

from kafkalab import Cluster, faults
from kafkalab.courseware.declaration import NotDoneYet, exercise, expect
from kafkalab.courseware.exercises.reading import records_of, require_topic, setting_of
from kafkalab.ledger import Ledger
from kafkalab.waiting import wait_until

__all__ = ["one_loss", "read_verdict", "refused_write", "without_loss"]

SAFE_COPIES = 2
PROBES = [b"check %d" % number for number in range(5)]
SECONDS = 20


@exercise(
    "04.one-loss",
    task="Create a topic that takes acks=all writes with any one broker dead, and never with a single copy.",
    hints=(
        "How many replicas must be left in sync after one loss, and so how many must there be at first?",
        'create_topic("safe", replication_factor=..., config={"min.insync.replicas": ...}): the second is one less.',
    ),
    own_brokers=True,
)
def one_loss(cluster: Cluster, *, safe: object) -> str:
    """Look at the topic's replicas and settings; then kill the leader, write, and read what is there."""
    name = require_topic(cluster, safe, "safe")
    _expect_all_running(cluster)
    copies = int(cluster.partitions(name)["replicas"].map(len).min())
    least = _min_isr(cluster, name)
    _expect_at_least_two(name, least)
    expect(
        copies > least,
        f"topic {name} has {copies} replicas and asks for {least} in sync: with one broker dead it takes no write.",
    )
    with faults.kill(faults.leader(name, 0)).on(cluster) as kill:
        kill.watch()
        _send(cluster, name, PROBES)
        stored = {record.value for record in records_of(cluster, name)}
    cluster.wait_for_isr(name, copies)
    expect(stored.issuperset(PROBES), f"topic {name} does not hold all that it acknowledged.")
    return f"with the leader of {name} killed, {len(PROBES)} records were acknowledged, on at least {least} brokers."


@exercise(
    "04.read-verdict",
    task="List the orders that were acknowledged and are lost, as they stand in placed.",
    hints=(
        'verdict.table("lost") has a row for each of them; its column sequence is a position in placed.',
        '[placed[number] for number in verdict.table("lost")["sequence"]]',
    ),
    own_brokers=True,
)
def read_verdict(cluster: Cluster, *, topic: str, placed: Sequence[str], to_call: object) -> str:
    """Compare the list with what the topic holds."""
    named = _names(to_call)
    strangers = sorted(named - set(placed))
    expect(not strangers, f"{''.join(strangers[:1])!r} in `to_call` is no order: name them as in `placed`.")
    stored = {record.value.decode() for record in records_of(cluster, topic)}
    safe = [order for order in placed if order in named & stored]
    expect(not safe, f"`to_call` has {', '.join(safe[:3])}: topic {topic} still holds that.")
    forgotten = set(placed) - stored - named
    expect(not forgotten, f"topic {topic} lacks orders that are not in `to_call`: are all rows of the table in it?")
    return "each lost order is named, and none that is still there."


def _names(to_call: object) -> set[str]:
    try:
        return {order.decode() if isinstance(order, bytes) else str(order) for order in _several(to_call)}
    except TypeError:
        raise NotDoneYet(f"`to_call` is of type {type(to_call).__name__}: make a list of orders.") from None


def _several(given: Any) -> list[object]:
    if isinstance(given, str | bytes):
        raise TypeError
    return list(given)


@exercise(
    "04.refused-write",
    task="Make invoices take acks=all writes while broker 3 stays off, and never with a single copy.",
    hints=(
        "How many in-sync replicas are there now, and how many does the topic ask for? kafka-configs changes that.",
        (
            'cluster.kafka_tool("kafka-configs", "--alter", "--entity-type", "topics", "--entity-name", invoices, '
            '"--add-config", "min.insync.replicas=...")'
        ),
    ),
    own_brokers=True,
)
def refused_write(cluster: Cluster, *, topic: str) -> str:
    """Look at broker 3 and at the topic's setting, and write."""
    expect(cluster.broker(3).state == "stopped", "broker 3 runs, and it should stay off: cluster.broker(3).stop().")
    least = _min_isr(cluster, topic)
    in_sync = int(cluster.partitions(topic)["isr"].map(len).min())
    _expect_at_least_two(topic, least)
    expect(least <= in_sync, f"topic {topic} asks for {least} in-sync replicas and has {in_sync}: it takes no write.")
    _send(cluster, topic, PROBES)
    return f"topic {topic} acknowledges again, with {in_sync} in-sync replicas of which it asks for {least}."


@exercise(
    "04.without-loss",
    task="Bring accounts back without losing a record.",
    hints=(
        "Which broker has its last records, and what is the matter with that broker?",
        "Broker 1 was the last in-sync replica: cluster.broker(1).start() brings it back.",
    ),
    own_brokers=True,
)
def without_loss(cluster: Cluster, *, topic: str, ledger: Ledger) -> str:
    """Ask for the topic's leader, and have the ledger read the topic."""
    expect(_leader(cluster, topic) >= 0, f"topic {topic} has no leader: nobody can write to it or read it.")
    verdict = ledger.verify(cluster, timeout=SECONDS)
    expect(verdict.verified, f"topic {topic} could not be read to its end: is its leader running?")
    expect(
        verdict.acknowledged,
        f'the ledger of {topic} has no record: run the cell that places orders, below the heading "Unclean leader '
        'election", first.',
    )
    expect(
        not verdict.lost,
        f"{verdict.lost} acknowledged records of {topic} are lost, for good. To try again, run the cells from the "
        'heading "A write that is refused" down to this one: the first of them starts a new cluster.',
    )
    return f"topic {topic} has a leader, and all {verdict.acknowledged} acknowledged records are there."


def _leader(cluster: Cluster, topic: str) -> int:
    """Return the leader's id, or -1; a broker that was just killed leads until the cluster has noticed."""
    running = {broker.id for broker in cluster.brokers if broker.state == "running"}
    return wait_until(
        lambda: int(cluster.partitions(topic)["leader"].iloc[0]),
        lambda leader: leader < 0 or leader in running,
        what=f"a leader of {topic} that runs, or none",
    )


def _expect_all_running(cluster: Cluster) -> None:
    for broker in cluster.brokers:
        word = "resume" if broker.state == "paused" else "start"
        expect(
            broker.state == "running",
            f"broker {broker.id} is {broker.state}, and the check needs all: cluster.broker({broker.id}).{word}().",
        )


def _expect_at_least_two(topic: str, least: int) -> None:
    expect(
        least >= SAFE_COPIES,
        f"topic {topic} asks for {least} in-sync replica: a write that one broker alone has would be acknowledged.",
    )


def _min_isr(cluster: Cluster, topic: str) -> int:
    return int(setting_of(cluster, topic, "min.insync.replicas"))


def _send(cluster: Cluster, topic: str, values: Sequence[bytes]) -> None:
    # The cluster's own shortcut reconnects quickly, which a killed leader asks for.
    producer = cluster.producer(acks="all")
    try:
        for future in [producer.send(topic, value) for value in values]:
            future.get(timeout=SECONDS)
    except KafkaError as error:
        raise NotDoneYet(f"topic {topic} took no write with acks=all: {type(error).__name__}.") from error
