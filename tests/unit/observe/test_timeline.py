from __future__ import annotations

import pandas as pd
import pytest

from kafkalab import Cluster
from kafkalab.errors import InvalidArgument
from kafkalab.observe.timeline import Timeline, watch


class Fired:
    """Faults that fired, as a schedule has them."""

    def __init__(self, began_at: float) -> None:
        self.began_at = began_at

    def frame(self) -> pd.DataFrame:
        return pd.DataFrame(
            {"fault": ["a", "b"], "fired": [9.0, 1.0], "undone": [float("nan"), 2.0], "isr": [(1,), ()]}
        )


def test_a_schedules_faults_are_put_on_the_watchs_clock() -> None:
    seen = Timeline({})
    faults = seen.faults(Fired(seen.started_at + 5.0))
    assert faults["fault"].tolist() == ["b", "a"]
    assert faults["fired"].tolist() == pytest.approx([6.0, 14.0])
    assert faults["undone"].fillna(-1).tolist() == pytest.approx([7.0, -1])


def test_marks_stand_beside_a_schedules_faults() -> None:
    seen = Timeline({})
    seen.mark("by hand")
    assert seen.faults()["fault"].tolist() == ["by hand"]
    assert 0 <= seen.faults()["fired"].iloc[0] < 5
    assert seen.faults(Fired(seen.started_at + 60.0))["fault"].tolist() == ["by hand", "b", "a"]
    assert seen.faults(Fired(seen.started_at - 60.0))["fault"].tolist() == ["b", "a", "by hand"]


def test_without_marks_the_table_has_its_columns_all_the_same() -> None:
    assert Timeline({}).faults().dtypes.astype(str).to_dict() == {
        "fault": "str",
        "fired": "float64",
        "undone": "float64",
    }


@pytest.mark.parametrize(("table", "argument"), [("isr", "topic"), ("assignments", "group"), ("lag", "group")])
def test_what_was_not_watched_is_refused(table: str, argument: str) -> None:
    with pytest.raises(InvalidArgument, match=rf"^{table} were not watched: give watch\(\) a {argument}="):
        getattr(Timeline({}), table)()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "nothing to watch: give topic=, group= or both"),
        ({"topic": "t", "every": 0}, "every=0 is not possible: give a number of seconds above 0"),
        ({"topic": "t", "every": "1"}, "every='1' is not possible"),
    ],
)
def test_a_watch_that_cannot_be_is_refused(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidArgument, match=said), watch(Cluster(), **arguments):  # type: ignore[arg-type]
        pytest.fail("it began")
