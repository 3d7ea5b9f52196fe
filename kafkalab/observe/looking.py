"""What a cluster is like now, as plain data: nodes, partitions with their log ends, consumer groups with their lag.

Made for looking often: a look costs some 10 ms of one core on three brokers, and each part that cannot be asked
(its broker is dead, or frozen) keeps what was last seen of it, so that the rest goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from kafka import TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import KafkaError

from kafkalab import Cluster
from kafkalab.clusters.node import Node
from kafkalab.errors import NotRunning, UnsupportedByBackend, WaitTimeout

__all__ = [
    "MOST_GROUPS",
    "MOST_PARTITIONS",
    "GroupSeen",
    "Looker",
    "NodeSeen",
    "PartitionSeen",
    "Seen",
    "has_controls",
    "nodes_seen",
]

MOST_PARTITIONS = 200
"""So many partitions are looked at, the first by topic and number; more would fill pages and cost as much."""
MOST_GROUPS = 20
"""So many consumer groups are looked at, the first by name."""

# A frozen broker takes a request and never answers: a look should not wait long for it.
_REQUEST_MS = 800
_PATIENCE_SECONDS = 1.0

T = TypeVar("T")


@dataclass(frozen=True)
class NodeSeen:
    """A broker, or a controller in a process of its own.

    Attributes:
        id: Kafka's ``node.id``.
        kind: ``"broker"`` or ``"controller"``.
        state: ``"running"``, ``"paused"`` or ``"stopped"``.
        condition: the state, and what is wrong with its network.
        note: where the cluster and the process differ: ``"joining"``, or ``"not noticed yet"`` of an end; else "".
    """

    id: int
    kind: str
    state: str
    condition: str
    note: str = ""


@dataclass(frozen=True)
class PartitionSeen:
    """A partition: ids of brokers, and the offset that its next record will have; -1 for no leader, no known end."""

    topic: str
    partition: int
    leader: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    end: int = -1


@dataclass(frozen=True)
class GroupSeen:
    """A consumer group.

    Attributes:
        group: its name.
        state: in Kafka's words, such as ``"Stable"``.
        members: how many; -1 where the protocol of the group does not tell.
        lag: of each partition with a committed offset: topic, partition, records not yet read.
    """

    group: str
    state: str
    members: int
    lag: tuple[tuple[str, int, int], ...]

    @property
    def total(self) -> int:
        """Records not yet read."""
        return sum(records for _, _, records in self.lag)


@dataclass(frozen=True)
class Seen:
    """One look; everything sorted. ``hidden`` partitions and groups were left out for their number."""

    nodes: tuple[NodeSeen, ...] = ()
    partitions: tuple[PartitionSeen, ...] = ()
    groups: tuple[GroupSeen, ...] = ()
    hidden_partitions: int = 0
    hidden_groups: int = 0


class Looker:
    """Looks at one cluster over a connection of its own. Safe to use from several threads.

    Args:
        cluster: running, of one's own or borrowed.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._lock = threading.Lock()
        self._admin = cluster.patient_admin(_REQUEST_MS)
        self._last: dict[str, Any] = {}
        self.controls = has_controls(cluster)

    def nodes(self) -> tuple[NodeSeen, ...]:
        """Return the nodes only, which asks no broker where the processes are the cluster's own.

        Raises:
            NotRunning: the cluster was stopped.
        """
        return nodes_seen(self._cluster, self._last.get("members", frozenset()))

    def look(self) -> Seen:
        """Return what is there now.

        Raises:
            NotRunning: the cluster was stopped.
        """
        with self._lock:
            self._part("members", _members)
            nodes = self.nodes()
            living = {node.id for node in nodes if node.kind == "broker" and node.state == "running"}
            described = self._part("partitions", _described)
            ends = self._ends(described[:MOST_PARTITIONS], living)
            groups = self._part("groups", lambda admin: _groups(admin, living))
            shown = groups[:MOST_GROUPS]
            members = self._part("group members", lambda admin: _group_members(admin, shown))
            committed = self._part("committed", lambda admin: _committed(admin, shown))
        return Seen(
            nodes,
            tuple(_with_end(partition, ends) for partition in described[:MOST_PARTITIONS]),
            tuple(_group(group, members, committed, ends) for group in shown),
            max(0, len(described) - MOST_PARTITIONS),
            max(0, len(groups) - MOST_GROUPS),
        )

    def _ends(self, partitions: Iterable[PartitionSeen], living: set[int]) -> Mapping[TopicPartition, int]:
        # Only leaders that can answer: one dead leader would cost the answers of all others.
        wanted = [TopicPartition(p.topic, p.partition) for p in partitions if p.leader in living]
        before = self._last.get("ends", {})
        return self._part("ends", lambda admin: {**before, **_end_offsets(admin, wanted)})

    def _part(self, name: str, question: Callable[[Any], T]) -> T:
        """Ask, and remember the answer; where there is none, return the last one."""
        try:
            self._last[name] = self._admin.ask(question, _PATIENCE_SECONDS)
        except (KafkaError, WaitTimeout, NotRunning):
            self._last.setdefault(name, _NOTHING[name])
        last: T = self._last[name]
        return last

    def close(self) -> None:
        """Close the connection; the next look makes a new one."""
        self._admin.close()


_NOTHING: Mapping[str, Any] = {
    "members": frozenset(),
    "partitions": (),
    "ends": {},
    "groups": (),
    "group members": {},
    "committed": {},
}


def nodes_seen(cluster: Cluster, known: frozenset[int]) -> tuple[NodeSeen, ...]:
    """Return the nodes, which asks no broker where the processes are the cluster's own.

    Args:
        cluster: running.
        known: ids of the brokers that the cluster takes for living.

    Raises:
        NotRunning: the cluster was stopped.
    """
    if has_controls(cluster):
        every = {node.id: node for node in (*cluster.brokers, *cluster.controllers)}
        return tuple(_own_node(every[node_id], known) for node_id in sorted(every))
    # Whoever borrows a cluster sees no process, only who belongs to it.
    ids = known | {broker.id for broker in cluster.brokers}
    states = {node_id: "running" if node_id in known else "stopped" for node_id in sorted(ids)}
    return tuple(NodeSeen(node_id, "broker", state, state) for node_id, state in states.items())


def has_controls(cluster: Cluster) -> bool:
    """Return whether the nodes of a cluster can be killed and paused: whether they are its own."""
    try:
        for broker in cluster.brokers:
            broker.check_control()
    except UnsupportedByBackend:
        return False
    return True


def _own_node(node: Node, known: frozenset[int]) -> NodeSeen:
    kind = "broker" if "broker" in node.roles else "controller"
    state, condition = node.state, node.condition
    note = ""
    if kind == "broker" and state == "running" and node.id not in known and "isolated" not in condition:
        note = "joining"
    elif state != "running" and node.id in known:
        note = "not noticed yet"
    return NodeSeen(node.id, kind, state, condition, note)


def _members(admin: Any) -> frozenset[int]:
    # Fenced is who was given up: registered, and without leaders.
    brokers = admin.describe_cluster()["brokers"]
    return frozenset(broker["broker_id"] for broker in brokers if not broker["is_fenced"])


def _described(admin: Any) -> Sequence[PartitionSeen]:
    return sorted(
        (
            PartitionSeen(
                topic["name"],
                partition["partition_index"],
                partition["leader_id"],
                tuple(partition["replica_nodes"]),
                tuple(sorted(partition["isr_nodes"])),
            )
            for topic in admin.describe_topics()
            if not topic["is_internal"]
            for partition in topic["partitions"]
        ),
        key=lambda seen: (seen.topic, seen.partition),
    )


def _end_offsets(admin: Any, wanted: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
    specs = dict.fromkeys(wanted, OffsetSpec.LATEST)
    found = admin.list_partition_offsets(specs) if specs else {}
    return {partition: answer.offset for partition, answer in found.items()}


def _with_end(seen: PartitionSeen, ends: Mapping[TopicPartition, int]) -> PartitionSeen:
    end = ends.get(TopicPartition(seen.topic, seen.partition), -1)
    return PartitionSeen(seen.topic, seen.partition, seen.leader, seen.replicas, seen.isr, end)


def _groups(admin: Any, living: set[int]) -> Sequence[Mapping[str, Any]]:
    # Each broker knows the groups that it coordinates.
    found = admin.list_groups(broker_ids=sorted(living)) if living else []
    return sorted((g for g in found if g["protocol_type"] == "consumer"), key=lambda group: str(group["group_id"]))


def _group_members(admin: Any, groups: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    # kafka-python describes groups of the classic protocol only.
    classic = [group["group_id"] for group in groups if group["group_type"] == "classic"]
    described = admin.describe_groups(classic) if classic else {}
    return {name: len(group["members"]) for name, group in described.items()}


def _committed(admin: Any, groups: Iterable[Mapping[str, Any]]) -> dict[str, dict[TopicPartition, int]]:
    names = [group["group_id"] for group in groups]
    found = admin.list_group_offsets(names) if names else {}
    return {name: {tp: offset.offset for tp, offset in offsets.items()} for name, offsets in found.items()}


def _group(
    group: Mapping[str, Any],
    members: Mapping[str, int],
    committed: Mapping[str, Mapping[TopicPartition, int]],
    ends: Mapping[TopicPartition, int],
) -> GroupSeen:
    name = group["group_id"]
    lag = sorted(
        (tp.topic, tp.partition, max(0, ends[tp] - max(0, offset)))
        for tp, offset in committed.get(name, {}).items()
        if tp in ends
    )
    return GroupSeen(name, group["group_state"], members.get(name, -1), tuple(lag))
