"""A fault that has fired: whom it hit, when, what was seen of it, and its undoing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from kafkalab.clusters import Cluster
from kafkalab.clusters.metadata import View
from kafkalab.clusters.node import Node
from kafkalab.errors import NotRunning
from kafkalab.faults.actions import Action
from kafkalab.faults.targets import Aim, is_over, newest
from kafkalab.waiting import wait_until

__all__ = ["Firing", "Observation"]

_SEEN_SECONDS = 30.0


@dataclass(frozen=True)
class Observation:
    """What the brokers that were not hit saw of a firing.

    Attributes:
        seconds: from ``Firing.at`` until all of them saw it.
        brokers: ids of the brokers they take for living.
        leader: of the partition that the target named; None where it named none.
        isr: the in-sync replicas of that partition, sorted; None where it named none.
    """

    seconds: float
    brokers: tuple[int, ...]
    leader: int | None = None
    isr: tuple[int, ...] | None = None

    def __str__(self) -> str:
        living = f"brokers {self.brokers}" if self.leader is None else f"leader {self.leader}, ISR {self.isr}"
        return f"{living} seen after {self.seconds:.2f} s"


class Firing:
    """One firing of a fault. Times are those of ``time.monotonic()``, in seconds.

    Attributes:
        name: what was done to whom: ``kill broker 2, leader of orders-0``.
        targets: ids of the nodes.
        partition: (topic, number) where the target named one.
        at: when it began.
        done_at: when it was complete (a stopped process is gone, which may take seconds), or failed; None until then.
        undo_at: when its undoing began, by :meth:`undo` or by the schedule; None until then.
        undone_at: when every running broker knew the nodes again; None until then.
        in_sync_at: when, after that, every running broker saw them again among the in-sync replicas of ``partition``;
            None until then, and where it names none.
        observed: what the other brokers saw of it; None until they all did.
        error: why it could not fire; None where it could.
        sent: records sent when it fired; None where nobody counted.
        acknowledged: records acknowledged when it fired; None where nobody counted.
        recovers_itself: whether it is over without being undone.
    """

    def __init__(
        self, action: Action, cluster: Cluster, aim: Aim, *, lasts: float | None = None, recovers_itself: bool = False
    ) -> None:
        self.name = action.describe(str(aim))
        self.targets = tuple(node.id for node in aim.nodes)
        self.partition = aim.partition
        self.at = time.monotonic()
        self.done_at: float | None = None
        self.undo_at: float | None = None
        self.undone_at: float | None = None
        self.in_sync_at: float | None = None
        self.observed: Observation | None = None
        self.error: str | None = None
        self.sent: int | None = None
        self.acknowledged: int | None = None
        self._action = action
        self._cluster = cluster
        self._nodes = aim.nodes
        self._hit: list[Node] = []
        self._lasts = lasts
        self.recovers_itself = recovers_itself
        self._is_undoing = recovers_itself

    def fire(self) -> None:
        """Do it; returns when it is complete. What was done is undone by :meth:`undo`, also where this raises."""
        self.at = time.monotonic()
        if not self._nodes:  # left out: there is nothing to be undone
            self.undo_at = self.undone_at = self.at
            self._is_undoing = True
        try:
            for node in self._nodes:
                self._hit_one(node)
        finally:
            self.done_at = time.monotonic()

    def _hit_one(self, node: Node) -> None:
        self._hit.append(node)
        try:
            self._action.do(node)
        except NotRunning:  # somebody else has hit it, and will mend it
            self._hit.remove(node)
            raise

    def undo(self) -> None:
        """Undo it, and return when every running broker knows the nodes again. May be called again.

        Raises:
            BrokerFailed: a node ended by itself while it started.
            WaitTimeout: a node did not join in time.
        """
        self.begin_undo()
        self.wait_undone()

    def begin_undo(self) -> None:
        """Undo it, the last node first, without waiting for the nodes to join."""
        if not self._is_undoing:
            self.undo_at, self._is_undoing = time.monotonic(), True
        with ExitStack() as stack:  # one that cannot be mended keeps none of the others broken
            while self._hit and not is_over(self._cluster):
                stack.callback(self._action.undo, self._hit.pop(0))

    def wait_undone(self) -> None:
        """Return when every running broker knows the nodes again."""
        if self.undone_at is not None or is_over(self._cluster):
            return
        for node in self._nodes:
            # What somebody else ended meanwhile is not waited for; what was to start is, and says why it did not.
            if self._action.starts or node.state == "running":
                node.wait_joined()
        if self.error is None:
            self.undone_at = time.monotonic()
            self._look_once()

    @property
    def is_due_for_undo(self) -> bool:
        """Whether it has lasted as long as it should."""
        if self._is_undoing or self._lasts is None or self.done_at is None:
            return False
        return time.monotonic() >= self.done_at + self._lasts

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing left to be seen of it for now."""
        if self.error is not None:
            return True
        if not self._is_undoing:
            return self.observed is not None
        return self.undone_at is not None and (self.partition is None or self.in_sync_at is not None)

    def look(self, views: Mapping[int, View]) -> None:
        """Note what there is to be noted in what the brokers believe."""
        if self._is_undoing and self.undone_at is None and self._is_back(views):
            self.undone_at = time.monotonic()
        if self.undone_at is not None and self.in_sync_at is None and self._is_in_sync(views):
            self.in_sync_at = time.monotonic()
        if self.observed is None and self._is_seen(views):
            self.observed = self._observation(views)

    def _is_seen(self, views: Mapping[int, View]) -> bool:
        others = [view for node_id, view in views.items() if node_id not in self.targets]
        if not self._action.silences:
            return bool(views) and (self.undone_at is not None or not self.recovers_itself)
        # Also while it is being undone: a process that starts again takes seconds until the others know it.
        return bool(others) and self.undone_at is None and all(self._is_without_targets(view) for view in others)

    def _is_without_targets(self, view: View) -> bool:
        gone = set(self.targets)
        if self.partition is None:
            return not gone & view.brokers
        seen = view.partitions.get(self.partition)
        return seen is not None and seen.leader not in gone and not gone & (seen.isr | view.brokers)

    def _is_back(self, views: Mapping[int, View]) -> bool:
        brokers = {node.id for node in self._nodes if "broker" in node.roles}
        return brokers <= views.keys() and all(brokers <= view.brokers for view in views.values())

    def _is_in_sync(self, views: Mapping[int, View]) -> bool:
        seen = [view.partitions.get(self.partition) for view in views.values()] if self.partition else []
        return bool(seen) and all(
            each is not None and set(self.targets) & set(each.replicas) <= each.isr for each in seen
        )

    def _observation(self, views: Mapping[int, View]) -> Observation:
        seconds = time.monotonic() - self.at
        living = tuple(sorted(frozenset().union(*(view.brokers for view in views.values()))))
        seen = newest(dict(views), self.partition) if self.partition else None
        return (
            Observation(seconds, living, seen.leader, tuple(sorted(seen.isr))) if seen else Observation(seconds, living)
        )

    def watch(self, timeout: float = _SEEN_SECONDS) -> Observation:
        """Return what the other brokers saw of it, when they all did.

        Raises:
            WaitTimeout: they did not in time; shows what they believed last.
        """
        wait_until(
            self._look_once, lambda _: self.observed is not None, what=f"effects of: {self.name}", timeout=timeout
        )
        assert self.observed is not None
        return self.observed

    def watch_in_sync(self, timeout: float = _SEEN_SECONDS) -> float:
        """Return :attr:`in_sync_at`, when that was seen; of a fault that is undone and names a partition.

        Raises:
            WaitTimeout: they were not in sync in time; shows what the brokers believed last.
        """
        wait_until(
            self._look_once,
            lambda _: self.in_sync_at is not None,
            what=f"replicas in sync after: {self.name}",
            timeout=timeout,
        )
        assert self.in_sync_at is not None
        return self.in_sync_at

    def _look_once(self) -> Mapping[int, View]:
        views = self._cluster.broker_views([self.partition[0]] if self.partition else [])
        self.look(views)
        return views

    def __str__(self) -> str:
        if self.error:
            return f"{self.name}: {self.error}"
        if not self._nodes:
            return self.name
        undone = f"; undone after {self.undone_at - self.at:.2f} s" if self.undone_at else ""
        return f"{self.name}: {self.observed or 'not seen by the others yet'}{undone}"

    def __repr__(self) -> str:
        return f"<{self}>"
