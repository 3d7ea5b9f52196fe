"""When a fault is due."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from kafkalab import faults
from kafkalab.errors import InvalidArgument
from kafkalab.faults.triggers import Trigger, checked_count, checked_seconds


@dataclass
class Seen:
    elapsed: float = 0.0
    sent: int = 0
    acknowledged: int = 0


def test_a_condition_is_met_when_every_count_is_reached() -> None:
    trigger = faults.kill(1).when(sent=10, acknowledged=5).trigger
    assert [trigger.is_met(Seen(0, *counts)) for counts in ((10, 4), (9, 5), (10, 5))] == [False, False, True]
    assert Trigger().is_met(Seen())
    assert (Trigger().is_unconditional, trigger.is_unconditional) == (True, False)


def test_repetitions_come_after_the_first_firing() -> None:
    trigger = faults.kill(1).after(2).every(5, times=3).trigger
    assert [trigger.seconds(number) for number in range(trigger.times)] == [2.0, 7.0, 12.0]


def test_methods_change_a_copy() -> None:
    fault = faults.kill(1)
    assert fault.after(2.0).trigger.after == 2.0
    assert fault.undo_after(3).lasts == 3.0
    assert (fault.trigger, fault.lasts) == (Trigger(), None)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (faults.kill(1), "kill broker 1 at once"),
        (faults.kill([1, 2]).after(1.5).undo_after(3), "kill brokers 1 and 2 after 1.5 s, undone 3 s later"),
        (
            faults.pause(faults.followers("orders")).when(acknowledged=5000),
            "pause followers of orders-0 when 5,000 are acknowledged",
        ),
        (
            faults.isolate(faults.leader("orders", 2), "peers").every(4, times=2),
            "isolate leader of orders-2 from peers every 4 s, 2 times",
        ),
        (faults.slow(2, 50, 1000), "slow broker 2 by 50 ms and to 1000 bytes/s at once"),
        (faults.restart(faults.controller(), graceful=False), "restart the active controller by SIGKILL at once"),
        (faults.stop([3, faults.controller()]), "stop broker 3 and the active controller at once"),
        (faults.kill(101), "kill node 101 at once"),
    ],
)
def test_a_fault_says_what_when_and_how_long(fault: faults.Fault, said: str) -> None:
    assert str(fault) == said


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "2", None, True])
def test_no_number_of_seconds(value: object) -> None:
    with pytest.raises(InvalidArgument, match=r"after=.* is not possible: give a number of seconds from 0"):
        checked_seconds("after", value)


@pytest.mark.parametrize("value", [0, -5, 2.0, "2", None, True])
def test_no_count(value: object) -> None:
    with pytest.raises(InvalidArgument, match=r"times=.* is not possible: give a whole number from 1"):
        checked_count("times", value)


def test_when_needs_a_count() -> None:
    with pytest.raises(InvalidArgument, match="when\\(\\) needs acknowledged=N or sent=N"):
        faults.kill(1).when()
