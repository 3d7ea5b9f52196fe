"""What the live table shows of a cluster while its brokers are broken."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from kafkalab import Cluster
from kafkalab.cli.sight import Sight, look
from kafkalab.waiting import wait_until

pytestmark = pytest.mark.integration

PATIENCE = 60.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=3) as running:
        yield running


def leaders(sight: Sight) -> dict[tuple[str, int], int]:
    return {(each.topic, each.partition): each.leader for each in sight.partitions}


def states(sight: Sight) -> list[tuple[str, str]]:
    return [(node.state, node.note) for node in sight.nodes]


def test_it_goes_on_while_a_broker_is_dead(cluster: Cluster) -> None:
    spread = cluster.create_topic("spread", partitions=3)
    alone = cluster.create_topic("alone", replication_factor=1)  # on broker 1 only
    sight = look(cluster, [spread, alone], Sight())
    assert leaders(sight) == {("alone", 0): 1, ("spread", 0): 1, ("spread", 1): 2, ("spread", 2): 3}
    assert states(sight) == [("running", "")] * 3

    cluster.broker(1).kill()
    began = time.monotonic()
    sight = look(cluster, [spread, alone], sight)
    assert sight.answered_at is not None
    assert sight.answered_at > began  # the others have answered
    assert states(sight) == [("stopped", "not noticed yet"), ("running", ""), ("running", "")]

    def noticed() -> Sight:
        nonlocal sight
        sight = look(cluster, [spread, alone], sight)
        return sight

    wait_until(noticed, lambda seen: not seen.nodes[0].note, what="the end to be noticed", timeout=PATIENCE)
    assert leaders(sight) == {("alone", 0): -1, ("spread", 0): 2, ("spread", 1): 2, ("spread", 2): 3}
    assert [each.isr for each in sight.partitions] == [(1,), (2, 3), (2, 3), (2, 3)]
    cluster.broker(1).start()
    cluster.wait_for_isr(spread, 3)
    assert leaders(noticed())["alone", 0] == 1


def test_what_nobody_tells_is_as_it_was_seen_last(cluster: Cluster) -> None:
    topic = cluster.create_topic("frozen", partitions=3)
    before = look(cluster, [topic], Sight())
    for broker in cluster.brokers:
        broker.pause()
    after = look(cluster, [topic], before)
    assert (after.partitions, after.answered_at) == (before.partitions, before.answered_at)
    assert states(after) == [("paused", "")] * 3
    for broker in cluster.brokers:
        broker.resume()
    cluster.wait_for_isr(topic, 3)
    again = look(cluster, [topic], after)
    assert again.answered_at is not None
    assert again.answered_at > (before.answered_at or 0.0)


def test_of_a_borrowed_cluster_it_shows_the_same(cluster: Cluster) -> None:
    topic = cluster.create_topic("lent", partitions=2)
    own = look(cluster, [topic], Sight())
    with Cluster.connect(cluster.bootstrap_servers) as borrowed:
        lent = look(borrowed, [topic], Sight())
    assert (lent.partitions, lent.nodes, lent.known) == (own.partitions, own.nodes, frozenset({1, 2, 3}))
