"""What a firing notes, out of what brokers believe."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from kafkalab import Cluster
from kafkalab.clusters.metadata import PartitionView, View
from kafkalab.clusters.node import Node
from kafkalab.clusters.spec import NodeSpec
from kafkalab.errors import NotRunning
from kafkalab.faults import Firing
from kafkalab.faults.actions import Action, Kill
from kafkalab.faults.targets import Aim

ORDERS = ("orders", 0)


def firing(
    action: Action | None = None, *, partition: tuple[str, int] | None = ORDERS, lasts: float | None = None
) -> Firing:
    """A fault of broker 1 that has not fired, on a cluster that was never started."""
    backend: Any = None
    node = Node(NodeSpec(1, ("broker",)), backend, lambda node_id, timeout: None)
    return Firing(action or Kill(), Cluster(), Aim((node,), "", partition), lasts=lasts)


def view(*isr: int, brokers: tuple[int, ...] = (1, 2, 3), replicas: tuple[int, ...] = (1, 2, 3)) -> View:
    """A broker that believes this of ``ORDERS``, led by broker 2."""
    partition = PartitionView(2, 1, replicas, frozenset(isr))
    return View(frozenset(brokers), True, {ORDERS: partition.isr}, {ORDERS: partition})


@dataclass(frozen=True)
class Noted(Action):
    """Notes when it is done, and may fail."""

    verb = "note"
    error: Exception | None = None
    times: list[float] = field(default_factory=list)

    def do(self, node: Node) -> None:
        self.times.append(time.monotonic())
        if self.error:
            raise self.error

    def undo(self, node: Node) -> None:
        """Do nothing."""


def test_it_begins_before_and_is_complete_after_what_is_done() -> None:
    action = Noted()
    fired = firing(action)
    assert fired.done_at is None
    fired.fire()
    assert fired.done_at is not None
    assert fired.at <= action.times[0] <= fired.done_at


def test_what_fails_has_its_times_too() -> None:
    failed = firing(Noted(NotRunning("it is stopped.")))
    with pytest.raises(NotRunning):
        failed.fire()
    assert failed.done_at is not None


def test_it_lasts_from_when_it_was_complete() -> None:
    fired = firing(Noted(), lasts=100.0)
    assert not fired.is_due_for_undo
    fired.fire()
    now = time.monotonic()
    fired.at, fired.done_at = now - 150, now - 50
    assert not fired.is_due_for_undo
    fired.done_at = now - 100
    assert fired.is_due_for_undo
    fired.begin_undo()
    assert not fired.is_due_for_undo


def test_back_in_the_cluster_is_not_in_sync() -> None:
    fired = firing()
    fired.look({2: view(2, 3, brokers=(2, 3)), 3: view(2, 3, brokers=(2, 3))})
    assert fired.observed is not None
    assert fired.is_settled
    fired.begin_undo()
    back = {1: view(2, 3), 2: view(2, 3), 3: view(2, 3)}
    fired.look({**back, 3: view(2, 3, brokers=(2, 3))})
    assert fired.undone_at is None
    fired.look(back)
    assert (fired.undone_at is None, fired.in_sync_at, fired.is_settled) == (False, None, False)
    fired.look({**back, 2: view(1, 2, 3)})
    assert fired.in_sync_at is None
    fired.look(dict.fromkeys((1, 2, 3), view(1, 2, 3)))
    assert fired.in_sync_at is not None
    assert fired.undone_at is not None
    assert fired.at < fired.undone_at < fired.in_sync_at
    assert fired.is_settled


def test_what_is_noticed_late_is_seen_also_while_it_is_being_undone() -> None:
    fired = firing()
    fired.begin_undo()
    fired.look({2: view(2, 3, brokers=(2, 3)), 3: view(2, 3, brokers=(2, 3))})
    assert fired.observed is not None
    assert fired.undone_at is None


def test_who_keeps_no_copy_is_not_waited_for() -> None:
    elsewhere = firing()
    elsewhere.begin_undo()
    elsewhere.look(dict.fromkeys((1, 2, 3), view(2, 3, replicas=(2, 3))))
    assert elsewhere.in_sync_at is not None
    of_none = firing(partition=None)
    of_none.begin_undo()
    of_none.look(dict.fromkeys((1, 2, 3), view(2, 3)))
    assert (of_none.in_sync_at, of_none.is_settled) == (None, True)
