"""What can be asked for, and what is refused before anything starts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kafkalab import faults
from kafkalab.errors import InvalidArgument
from kafkalab.faults.actions import Isolate, Slow


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: faults.kill("orders"), "'orders' is no target: give a broker's id"),
        (lambda: faults.kill([]), r"\[\] is no target"),
        (lambda: faults.kill(True), "True is no target"),
        (lambda: faults.kill([1, "2"]), "'2' is no target"),
        (lambda: faults.leader("no topic"), "'no topic' is not a legal topic name"),
        (lambda: faults.followers("orders", -1), "partition=-1 is not possible"),
        (lambda: faults.isolate(1, "friends"), "'friends' is nobody to be isolated from: choose from 'peers'"),
        (lambda: faults.slow(1, -5), "latency_ms=-5 is not possible: give a number of milliseconds from 0"),
        (lambda: faults.slow(1, 5, 0), "bytes_per_second=0 is not possible: give a number above 0"),
        (lambda: faults.slow(1, float("nan")), "latency_ms=nan is not possible"),
        (lambda: faults.Schedule(3), "3 is no fault: make one with"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_is_refused_at_once(make: Callable[[], object], said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        make()


def test_ids_out_of_a_table_are_ids() -> None:
    assert faults.kill(np.int64(2)).target == faults.kill(2).target
    assert faults.kill([np.int64(2), 2, 3]).target == faults.kill([2, 3]).target


def test_what_is_over_by_itself_has_nothing_to_be_undone() -> None:
    assert not isinstance(faults.restart(1), faults.RecoverableFault)
    assert not hasattr(faults.restart(1), "undo_after")
    assert isinstance(faults.kill(1), faults.RecoverableFault)


def test_others_lose_sight_only_of_what_its_peers_cannot_reach() -> None:
    cuts = [faults.isolate(1, whom).action.silences for whom in ("peers", "clients", "all")]
    assert cuts == [True, False, True]
    assert not faults.slow(1, 5).action.silences
    assert faults.pause(1).action.silences


@pytest.mark.parametrize(
    ("action", "target", "said"),
    [
        (Isolate(frozenset({"peers"})), "broker 1", "isolate broker 1 from peers"),
        (
            Isolate(frozenset({"peers", "clients"})),
            "broker 1, leader of orders-0",
            "isolate broker 1, leader of orders-0, from everybody",
        ),
        (Slow(200.0), "broker 2", "slow broker 2 by 200 ms"),
    ],
)
def test_words_stand_where_they_belong(action: Isolate | Slow, target: str, said: str) -> None:
    assert action.describe(target) == said
