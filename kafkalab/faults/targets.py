"""Whom a fault hits: ids, or a part that some node plays at the moment of firing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TypeGuard

from kafkalab.clusters import Cluster
from kafkalab.clusters.metadata import PartitionView, View
from kafkalab.clusters.node import Node
from kafkalab.clusters.spec import FIRST_CONTROLLER_ID, check_topic_name
from kafkalab.errors import InvalidArgument, NotRunning

__all__ = [
    "Aim",
    "Controller",
    "Followers",
    "Leader",
    "Nodes",
    "Several",
    "Target",
    "as_target",
    "controller",
    "followers",
    "is_over",
    "leader",
    "newest",
]


@dataclass(frozen=True)
class Aim:
    """A target found.

    Attributes:
        nodes: to hit, in this order; none where a fault is left out.
        part: the part they play: ``leader of orders-0``; "" where they were named by id.
        partition: (topic, number) to watch; None where none was named.
    """

    nodes: tuple[Node, ...]
    part: str = ""
    partition: tuple[str, int] | None = None

    def __str__(self) -> str:
        return ", ".join(filter(None, [_names(self.nodes) if self.nodes else "", self.part]))


class Target(ABC):
    """Whom a fault hits."""

    @abstractmethod
    def candidates(self, cluster: Cluster) -> list[Node]:
        """Return every node that it may turn out to be.

        Raises:
            InvalidArgument: there is no such node, topic or partition.
        """

    @abstractmethod
    def find(self, cluster: Cluster) -> Aim | None:
        """Return whom it is now; None while nobody plays that part."""


@dataclass(frozen=True)
class Nodes(Target):
    """Nodes by id."""

    ids: tuple[int, ...]

    def candidates(self, cluster: Cluster) -> list[Node]:
        nodes = all_nodes(cluster)
        for node_id in self.ids:
            if node_id not in nodes:
                raise InvalidArgument(f"there is no broker {node_id!r}: choose from {', '.join(map(str, nodes))}.")
        return [nodes[node_id] for node_id in self.ids]

    def find(self, cluster: Cluster) -> Aim | None:
        return Aim(tuple(self.candidates(cluster)))

    def __str__(self) -> str:
        kind = "node" if max(self.ids) >= FIRST_CONTROLLER_ID else "broker"
        return f"{kind}{'s' * (len(self.ids) != 1)} {_listed(self.ids)}"


@dataclass(frozen=True)
class Leader(Target):
    """The broker that leads a partition."""

    topic: str
    partition: int

    def candidates(self, cluster: Cluster) -> list[Node]:
        _replicas(cluster, self.topic, self.partition)
        return cluster.brokers

    def find(self, cluster: Cluster) -> Aim | None:
        seen = newest(cluster.broker_views([self.topic]), (self.topic, self.partition))
        return _aim(cluster, [seen.leader], str(self), (self.topic, self.partition)) if seen else None

    def __str__(self) -> str:
        return f"leader of {self.topic}-{self.partition}"


@dataclass(frozen=True)
class Followers(Target):
    """The brokers that keep a partition and do not lead it."""

    topic: str
    partition: int

    def candidates(self, cluster: Cluster) -> list[Node]:
        if len(_replicas(cluster, self.topic, self.partition)) < 2:
            raise InvalidArgument(
                f"partition {self.topic}-{self.partition} has one replica and no followers: give the topic a "
                "replication_factor of 2 or more."
            )
        return cluster.brokers

    def find(self, cluster: Cluster) -> Aim | None:
        seen = newest(cluster.broker_views([self.topic]), (self.topic, self.partition))
        if seen is None:
            return None
        others = sorted(set(seen.replicas) - {seen.leader})
        return _aim(cluster, others, str(self), (self.topic, self.partition))

    def __str__(self) -> str:
        return f"followers of {self.topic}-{self.partition}"


@dataclass(frozen=True)
class Controller(Target):
    """The active controller: the leader of the metadata quorum."""

    def candidates(self, cluster: Cluster) -> list[Node]:
        return cluster.controllers

    def find(self, cluster: Cluster) -> Aim | None:
        quorum = cluster.quorum()
        return _aim(cluster, quorum["node"][quorum["role"] == "leader"].tolist(), str(self), None)

    def __str__(self) -> str:
        return "the active controller"


@dataclass(frozen=True)
class Several(Target):
    """Several targets, each node once."""

    targets: tuple[Target, ...]

    def candidates(self, cluster: Cluster) -> list[Node]:
        return [node for target in self.targets for node in target.candidates(cluster)]

    def find(self, cluster: Cluster) -> Aim | None:
        aims = [target.find(cluster) for target in self.targets]
        found = [aim for aim in aims if aim]
        if len(found) < len(aims):
            return None
        nodes = {node.id: node for aim in found for node in aim.nodes}
        parts = [aim.part for aim in found if aim.part]
        partition = next((aim.partition for aim in found if aim.partition), None)
        return Aim(tuple(nodes.values()), _and(parts), partition)

    def __str__(self) -> str:
        return _and([str(target) for target in self.targets])


def leader(topic: str, partition: int = 0) -> Target:
    """Return the leader of a partition, whoever that is at the moment of firing.

    Raises:
        InvalidArgument: no topic or partition can be called that.
    """
    return Leader(check_topic_name(topic), _checked_number("partition", partition))


def followers(topic: str, partition: int = 0) -> Target:
    """Return all other replicas of a partition, at the moment of firing, in sync or not.

    Raises:
        InvalidArgument: no topic or partition can be called that.
    """
    return Followers(check_topic_name(topic), _checked_number("partition", partition))


def controller() -> Target:
    """Return the active controller, at the moment of firing; where nodes are combined, it is a broker as well."""
    return Controller()


def as_target(given: object) -> Target:
    """Return the target that an id, a target, or a list of these stands for.

    Raises:
        InvalidArgument: it is none of these, or an empty list.
    """
    if isinstance(given, Target):
        return given
    if _is_whole(given):
        return Nodes((int(given),))
    if isinstance(given, Sequence) and not isinstance(given, str) and given:
        if all(_is_whole(one) for one in given):
            return Nodes(tuple(dict.fromkeys(map(int, given))))
        return Several(tuple(as_target(one) for one in given))
    raise InvalidArgument(
        f"{given!r} is no target: give a broker's id, leader(topic, partition), followers(topic, partition), "
        "controller(), or a list of these."
    )


def newest(views: dict[int, View], partition: tuple[str, int]) -> PartitionView | None:
    """Return what the brokers know of a partition; of two views that differ, the one of the later leader."""
    seen = [view.partitions[partition] for view in views.values() if partition in view.partitions]
    return max(seen, key=lambda view: view.leader_epoch, default=None)


def all_nodes(cluster: Cluster) -> dict[int, Node]:
    """Return brokers and controllers by id."""
    return {node.id: node for node in [*cluster.brokers, *cluster.controllers]}


def is_over(cluster: Cluster) -> bool:
    """Return whether the cluster was stopped, so that there is nothing left to break or to mend."""
    try:
        return not cluster.brokers
    except NotRunning:
        return True


def _aim(cluster: Cluster, ids: list[int], part: str, partition: tuple[str, int] | None) -> Aim | None:
    nodes = all_nodes(cluster)
    return Aim(tuple(nodes[node_id] for node_id in ids), part, partition) if ids else None


def _replicas(cluster: Cluster, topic: str, partition: int) -> tuple[int, ...]:
    seen = cluster.partitions(topic)
    found: list[tuple[int, ...]] = seen["replicas"][seen["partition"] == partition].tolist()
    if not found:
        raise InvalidArgument(f"topic {topic!r} has no partition {partition}: it has {len(seen)}, counted from 0.")
    return found[0]


def _checked_number(name: str, value: object) -> int:
    if not _is_whole(value) or value < 0:
        raise InvalidArgument(f"{name}={value!r} is not possible: give a whole number from 0.")
    return int(value)


def _is_whole(value: object) -> TypeGuard[int]:
    # Integral and not int: numbers out of a DataFrame are numpy's.
    return isinstance(value, Integral) and not isinstance(value, bool)


def _names(nodes: Sequence[Node]) -> str:
    kinds = {"broker" if "broker" in node.roles else "controller" for node in nodes}
    kind = kinds.pop() if len(kinds) == 1 else "node"
    return f"{kind}{'s' * (len(nodes) != 1)} {_listed([node.id for node in nodes])}"


def _listed(ids: Sequence[int]) -> str:
    return _and([str(node_id) for node_id in ids])


def _and(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
