"""When a schedule's faults are due, and how it shows itself before anything fired."""

from __future__ import annotations

from dataclasses import dataclass

from kafkalab import faults
from kafkalab.faults.schedule import _Plan


@dataclass
class Seen:
    elapsed: float = 0.0
    sent: int = 0
    acknowledged: int = 0


def test_a_fault_with_a_condition_counts_from_when_that_was_met() -> None:
    plan = _Plan(faults.kill(1).when(acknowledged=10).after(2))
    due = [plan.is_due(now, Seen(acknowledged=count)) for now, count in ((0, 9), (5, 10), (6.9, 11), (7.0, 11))]
    assert due == [False, False, False, True]


def test_a_fault_that_repeats_is_due_so_often() -> None:
    plan = _Plan(faults.kill(1).after(1).every(3, times=2), met_at=10.0)
    assert [plan.is_due(now, Seen()) for now in (10.9, 11.0)] == [False, True]
    plan.fired = 1
    assert [plan.is_due(now, Seen()) for now in (13.9, 14.0)] == [False, True]
    plan.fired = 2
    assert not plan.is_due(100.0, Seen())


def test_before_anything_fired_the_frame_has_its_columns() -> None:
    frame = faults.Schedule(faults.kill(1)).frame()
    assert frame.empty
    assert frame.dtypes.astype(str).to_dict() == {
        "fault": "str",
        "targets": "object",
        "fired": "float64",
        "done": "float64",
        "undo": "float64",
        "undone": "float64",
        "in_sync": "float64",
        "seen": "float64",
        "leader": "Int64",
        "isr": "object",
        "sent": "Int64",
        "acknowledged": "Int64",
        "error": "object",
    }


def test_it_shows_what_is_planned_with_nothing_a_page_would_take_for_its_own() -> None:
    schedule = faults.Schedule(faults.kill(1).after(2), faults.pause(faults.leader("a.b")))
    assert repr(schedule) == "Faults: kill broker 1 after 2 s; pause leader of a.b-0 at once"
    assert "<caption>Faults: kill broker 1 after 2 s; pause leader of a.b-0 at once</caption>" in schedule._repr_html_()
    assert repr(faults.Schedule()) == "Faults: none"
