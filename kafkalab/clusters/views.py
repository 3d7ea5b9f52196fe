"""What a cluster shows: tables asked over the admin protocol, the same on every kind of cluster."""

from __future__ import annotations

from abc import ABC, abstractmethod

import pandas as pd

from kafkalab.clusters import members, replicas, tables
from kafkalab.clusters.admin import PatientAdmin
from kafkalab.clusters.backends.base import Backend
from kafkalab.clusters.lodging import Lodging
from kafkalab.clusters.metadata import View
from kafkalab.waiting import wait_until

__all__ = ["Views"]


class Views(ABC):
    """The tables of a :class:`~kafkalab.clusters.cluster.Cluster`.

    Each has fixed columns and dtypes, is sorted, and never shows a port, a process id or a time. Each raises
    ``NotRunning`` where no broker runs.

    On a borrowed cluster with a prefix they show what has it, without it, and take names with the prefix or without.

    Args:
        admin: asks the cluster.
        lodging: whose names are shown.
    """

    def __init__(self, admin: PatientAdmin, lodging: Lodging) -> None:
        self._admin = admin
        self._lodging = lodging

    @property
    @abstractmethod
    def _backend(self) -> Backend: ...

    def topics(self) -> pd.DataFrame:
        """Return one row per topic: topic (str), partitions, replication_factor (int64)."""
        return self._lodging.own(self._admin.ask(tables.topics))

    def partitions(self, topic: str | None = None) -> pd.DataFrame:
        """Return one row per partition: topic, partition, leader (-1 for none), replicas, isr (tuples of ids).

        Raises:
            InvalidArgument: there is no such topic.
            BorrowedCluster: it is an internal topic, and this user may not see it.
            WaitTimeout: no broker answered within 30 seconds, as for every view.
        """
        name = topic and self._named(topic)
        return self._chosen(self._admin.ask(lambda admin: tables.partitions(admin, name)), name)

    def replicas(self, topic: str | None = None) -> pd.DataFrame:
        """Return one row per replica: topic, partition, broker, role, in_sync, log_end, high_watermark.

        Both offsets are what the replica's own broker says; -1 where it does not answer (dead, paused, cut off).

        Raises:
            InvalidArgument: there is no such topic.
        """
        name = topic and self._named(topic)
        return self._chosen(self._admin.ask(lambda admin: replicas.replicas(admin, name)), name)

    def groups(self, group: str | None = None) -> pd.DataFrame:
        """Return one row per consumer group: group, state, protocol, members, partitions (assigned ones).

        Args:
            group: only this one; no row where there is none.
        """
        name = group and self._named(group)
        return self._chosen(self._admin.ask(lambda admin: tables.groups(admin, name)), name, "group")

    def members(self, group: str) -> pd.DataFrame:
        """Return one row per member and partition it reads: member, client_id, instance_id, topic, partition.

        A static member goes by its instance id, any other by its client id; an idle one has a single row with topic ""
        and partition -1.

        Raises:
            InvalidArgument: there is no such group.
        """
        name = group and self._named(group)
        return self._lodging.shown(self._admin.ask(lambda admin: members.members(admin, name)))

    def lag(self, group: str) -> pd.DataFrame:
        """Return one row per partition the group has committed: topic, partition, committed, end, lag (records).

        Raises:
            InvalidArgument: there is no such group.
        """
        name = group and self._named(group)
        return self._lodging.shown(self._admin.ask(lambda admin: tables.lag(admin, name)))

    def _named(self, name: str) -> str:
        # Internal topics are nobody's own.
        return name if name.startswith("__") else self._lodging.name(name)

    def _chosen(self, found: pd.DataFrame, asked: str | None, column: str = "topic") -> pd.DataFrame:
        return self._lodging.own(found, column) if asked is None else self._lodging.shown(found, column)

    def quorum(self) -> pd.DataFrame:
        """Return one row per node of the metadata quorum: node, role, log_end, behind (records of metadata)."""
        return self._admin.ask(tables.quorum)

    def wait_for_isr(self, topic: str, size: int, timeout: float = 30.0) -> pd.DataFrame:
        """Return :meth:`partitions` of ``topic`` when each has a leader and exactly ``size`` in-sync replicas.

        All running brokers have to see it so: one that was just resumed shows for a moment what was so before.

        Raises:
            InvalidArgument: there is no such topic.
            WaitTimeout: it did not come to that; shows the last observation.
        """
        return wait_until(
            lambda: self.partitions(topic),
            lambda seen: (
                bool((seen["leader"] >= 0).all() and (seen["isr"].map(len) == size).all())
                and self._is_agreed(self._named(topic), seen)
            ),
            what=f"{size} in-sync replicas in every partition of {topic}",
            timeout=timeout,
        )

    def _is_agreed(self, topic: str, seen: pd.DataFrame) -> bool:
        """Return whether every broker that answers sees the same leaders and in-sync replicas."""
        rows = zip(seen["partition"], seen["leader"], seen["isr"], strict=True)
        agreed = {(topic, partition): (leader, frozenset(isr)) for partition, leader, isr in rows}
        views = [view.partitions for view in self._backend.views([topic]).values() if isinstance(view, View)]
        return all({key: (each.leader, each.isr) for key, each in view.items()} == agreed for view in views)
