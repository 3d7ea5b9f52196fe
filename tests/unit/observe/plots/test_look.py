from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from kafkalab.errors import InvalidArgument
from kafkalab.observe import plots
from kafkalab.observe.plots import look
from tests.unit.observe.plots.conftest import complaints


def members() -> pd.DataFrame:
    return pd.DataFrame({"member": ["a"], "topic": ["t"], "partition": [0]})


def test_a_picture_leaves_no_figure_open_and_no_setting_changed() -> None:
    before = dict(mpl.rcParams)
    picture = plots.assignment_map(members())
    assert plt.get_fignums() == []
    assert dict(mpl.rcParams) == before
    assert repr(picture) == "<Picture: Who reads what: a reads t-0.>"


def test_the_same_table_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        plots.assignment_map(members()).figure.savefig(tmp_path / name, format="png", metadata={"Software": None})
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ([1], r"^list is no table that can be drawn: give a DataFrame, as cluster\.members\(group\) does"),
        (pd.DataFrame({"member": ["a"]}), r"^the table has no column 'topic': give one with member, topic, partition"),
        (members().iloc[:0], r"^there is nothing to draw, for the table has no rows: look at what cluster"),
    ],
)
def test_what_cannot_be_drawn_is_refused(table: pd.DataFrame, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        plots.assignment_map(table)


def test_a_long_name_keeps_its_ends() -> None:
    assert look.short("orders") == "orders"
    assert look.short("abcdefghij", 7) == "abc…hij"
    assert len(look.short("x" * 300)) == 32


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (["a"], "a"),
        ([0, 1], "0 and 1"),
        (["a", "b", "c"], "a, b and c"),
        (list(range(12)), "0, 1, 2, 3, 4, 5, 6, 7 and 4 more"),
    ],
)
def test_names_are_listed_as_people_do(found: list[object], text: str) -> None:
    assert look.names(found) == text


def test_numbers_in_names_are_sorted_as_numbers() -> None:
    assert look.in_order(["r-10", "r-2", "b", "r", "2"]) == ["2", "b", "r", "r-2", "r-10"]


def test_a_thing_is_counted_in_its_number() -> None:
    assert (look.count(1, "member"), look.count(2, "member")) == ("1 member", "2 members")


def test_partitions_of_one_topic_go_by_their_number() -> None:
    assert (look.of_topic([("t", 0), ("t", 1)]), look.named([("t", 0), ("t", 1)])) == (
        " of t",
        ["partition 0", "partition 1"],
    )
    assert (look.of_topic([("a", 0), ("b", 0)]), look.named([("a", 0), ("b", 0)])) == ("", ["a-0", "b-0"])


def test_colours_come_again_with_another_hatch() -> None:
    looks = [(paint["facecolor"], paint["hatch"]) for paint in map(look.paint, range(24))]
    assert len(set(looks)) == 24


def test_two_labels_in_one_place_are_found() -> None:
    with look.look():
        figure, (axes,) = look.canvas()
        axes.text(0.5, 0.5, "one")
        axes.text(0.51, 0.5, "other")
        axes.text(-0.3, 0.5, "far away").set_in_layout(False)
    found = complaints(figure)
    assert "overlap: one / other" in found
    assert "outside: far away" in found
