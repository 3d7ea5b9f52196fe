"""What the live table shows of a cluster: asked of every broker that can answer, of each for itself."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from kafkalab import Cluster
from kafkalab.clusters.metadata import PartitionView, View
from kafkalab.errors import WaitTimeout
from kafkalab.faults.targets import newest
from kafkalab.observe.looking import NodeSeen, PartitionSeen, has_controls, nodes_seen

__all__ = ["Sight", "look"]


@dataclass(frozen=True)
class Sight:
    """A cluster at a moment.

    Attributes:
        nodes: by id.
        partitions: by topic and number.
        known: ids of the brokers that any of those who answered took for living.
        answered_at: when a broker last told of partitions, in ``time.monotonic()`` seconds; None for never.
    """

    nodes: tuple[NodeSeen, ...] = ()
    partitions: tuple[PartitionSeen, ...] = ()
    known: frozenset[int] = frozenset()
    answered_at: float | None = None


def look(cluster: Cluster, topics: Sequence[str], before: Sight) -> Sight:
    """Return what is there now; of ``before`` what no broker could tell.

    Args:
        cluster: running, of one's own or borrowed.
        topics: whose partitions are of interest.
        before: the sight before this one.

    Raises:
        NotRunning: the cluster was stopped.
    """
    try:
        views = cluster.broker_views(topics)
    except WaitTimeout:  # a borrowed cluster that does not answer
        views = {}
    if views:
        known = frozenset().union(*(view.brokers for view in views.values()))
        before = Sight((), tuple(_partitions(views, before.partitions)), known, time.monotonic())
    elif has_controls(cluster):  # whose brokers are no matter of belief
        before = replace(before, known=frozenset())
    return replace(before, nodes=nodes_seen(cluster, before.known))


def _partitions(views: Mapping[int, View], before: Sequence[PartitionSeen]) -> Iterator[PartitionSeen]:
    last = {(seen.topic, seen.partition): seen for seen in before}
    for key in sorted({*last, *(key for view in views.values() for key in view.partitions)}):
        found = newest(dict(views), key)
        # Views leave out a partition without a leader.
        yield _seen(key, found) if found else replace(last[key], leader=-1)


def _seen(key: tuple[str, int], found: PartitionView) -> PartitionSeen:
    return PartitionSeen(*key, found.leader, found.replicas, tuple(sorted(found.isr)))
