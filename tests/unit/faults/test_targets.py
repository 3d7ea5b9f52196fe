"""Whom a fault hits, out of what brokers believe."""

from __future__ import annotations

import pytest

from kafkalab.clusters.metadata import PartitionView, View
from kafkalab.faults.targets import newest

KEY = ("orders", 0)


def view(leader: int, epoch: int, *isr: int) -> View:
    partition = PartitionView(leader, epoch, (1, 2, 3), frozenset(isr))
    return View(frozenset({1, 2, 3}), True, {KEY: partition.isr}, {KEY: partition})


@pytest.mark.parametrize("late", [1, 2])
def test_of_two_views_the_one_of_the_later_leader_counts(late: int) -> None:
    early = 3 - late
    found = newest({early: view(1, 4, 1, 2, 3), late: view(2, 5, 2, 3)}, KEY)
    assert found is not None
    assert (found.leader, found.isr) == (2, frozenset({2, 3}))


def test_a_partition_without_a_leader_is_nobodys() -> None:
    assert newest({1: View(frozenset({1}), True, {})}, KEY) is None
    assert newest({}, KEY) is None
