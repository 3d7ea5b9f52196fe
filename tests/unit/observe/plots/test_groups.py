from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from kafkalab.observe import plots
from kafkalab.observe.plots.groups import REBALANCING
from tests.unit.observe.plots.conftest import FAULTS, LONG, bars, complaints, shown

ASSIGNED = ["member", "topic", "partition"]
SAMPLED = ["second", "state", *ASSIGNED]


def assigned(rows: Sequence[tuple[str, str, int]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=ASSIGNED)


def test_the_map_shows_readers_idle_members_and_what_nobody_reads() -> None:
    members = assigned([("b", "t", 0), ("a", "t", 2), ("a", "t", 1), ("c", "", -1)])
    picture = plots.assignment_map(members, pd.DataFrame({"topic": "t", "partition": range(4)}))
    assert picture.data.to_numpy().tolist() == [
        ["", "t", 3],
        ["a", "t", 1],
        ["a", "t", 2],
        ["b", "t", 0],
        ["c", "", -1],
    ]
    assert picture.alt == "Who reads what: a reads partitions 1 and 2 of t; b reads t-0; c is idle; nobody reads t-3."
    assert picture.measured == ""
    texts = [text.strip() for text in shown(picture.figure)]
    assert texts == ["Who reads the partitions of t", *(f"partition {n}" for n in range(4)), "a", "b", "c (idle)"]


def test_the_maps_lines_join_each_partition_with_its_reader() -> None:
    axes, beside = plots.assignment_map(assigned([("b", "t", 0), ("a", "t", 2), ("a", "t", 1)])).figure.axes
    partitions = dict(zip(axes.get_yticks().tolist(), [0, 1, 2], strict=True))
    members = dict(zip(beside.get_yticks().tolist(), ["a", "b"], strict=True))
    ends = [patch.get_path().vertices[[0, -1], 1].tolist() for patch in axes.patches]  # type: ignore[index, union-attr]
    assert {(partitions[left], members[right]) for left, right in ends} == {(0, "b"), (1, "a"), (2, "a")}


def test_no_label_of_the_map_overlaps_however_many_there_are() -> None:
    many = assigned([(f"a-rather-long-client-id-of-reader-{n % 30}", LONG, n) for n in range(90)])
    assert complaints(plots.assignment_map(many).figure) == []
    idle = assigned([("reader", "t", 0), *((f"reader-{n}", "", -1) for n in range(2, 9))])
    assert complaints(plots.assignment_map(idle).figure) == []


def timeline(moments: Sequence[tuple[float, str, dict[str, list[int]]]], topic: str = "t") -> pd.DataFrame:
    """Return samples of a group: second, state, and what each member reads."""
    rows = [
        (second, state, member, topic if number >= 0 else "", number)
        for second, state, members in moments
        for member, numbers in (members or {"": []}).items()
        for number in numbers or [-1]
    ]
    return pd.DataFrame(rows, columns=SAMPLED)


HISTORY: list[tuple[float, str, dict[str, list[int]]]] = [
    (0.0, "Empty", {}),
    (1.0, "Stable", {"a": [0, 1]}),
    (2.0, "PreparingRebalance", {"a": [0, 1], "b": []}),
    (2.5, "CompletingRebalance", {"a": [], "b": []}),
    (3.0, "Stable", {"a": [0], "b": [1]}),
    (4.0, "Stable", {"a": [0], "b": [1]}),
]


def test_the_timeline_shows_who_read_what_from_when_to_when() -> None:
    picture = plots.rebalance_timeline(timeline(HISTORY))
    assert picture.data.to_numpy().tolist() == [
        ["t", 0, "", 0.0, 1.0],
        ["t", 0, "a", 1.0, 2.0],
        ["t", 0, REBALANCING, 2.0, 3.0],
        ["t", 0, "a", 3.0, 4.0],
        ["t", 1, "", 0.0, 1.0],
        ["t", 1, "a", 1.0, 2.0],
        ["t", 1, REBALANCING, 2.0, 3.0],
        ["t", 1, "b", 3.0, 4.0],
    ]
    assert bars(picture.figure) == [(row, begin, end) for _, row, _, begin, end in picture.data.to_numpy().tolist()]
    assert picture.alt == "Who read what: t-0: nobody, then a; t-1: nobody, then a, then b."
    assert picture.measured == "Rebalancing for 1.0 s from 2.0 s on."


def test_the_text_is_the_same_for_another_speed() -> None:
    slower = [(3 * second, state, members) for second, state, members in HISTORY]
    marked = [plots.rebalance_timeline(timeline(moments), FAULTS).alt for moments in (HISTORY, slower)]
    assert marked[0] == marked[1]
    assert marked[0].endswith("Marked: " + ", ".join(FAULTS["fault"][:3]) + " and cut 2.")


def test_no_label_of_the_timeline_overlaps_however_many_there_are() -> None:
    members = {f"a-rather-long-client-id-of-reader-{n}": [n, n + 30] for n in range(30)}
    samples = timeline([(0.0, "Stable", members), (12.0, "Stable", members)], LONG)
    assert complaints(plots.rebalance_timeline(samples, FAULTS).figure) == []
