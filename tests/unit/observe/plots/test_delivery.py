from __future__ import annotations

import pandas as pd
import pytest

from kafkalab.errors import InvalidArgument
from kafkalab.observe.plots.delivery import effects_map, isolation_map
from tests.unit.observe.plots.conftest import complaints, shown

EFFECTS = pd.DataFrame({"commits first": [1, None, 1], "works first": [1, 2, 4]}, index=["a", "b", "c"])
MESSAGES = pd.DataFrame({"offset": [0, 1, 3], "value": [b"aborted", b"plain", None]})
BATCHES = pd.DataFrame({"base_offset": [0, 1, 2, 3], "control": [False, False, True, False]})


def test_effects_are_counted_for_each_program() -> None:
    picture = effects_map(EFFECTS)
    assert picture.data.to_numpy().tolist() == [
        ["commits first", "a", 1, "one effect"],
        ["commits first", "b", 0, "none"],
        ["commits first", "c", 1, "one effect"],
        ["works first", "a", 1, "one effect"],
        ["works first", "b", 2, "more than one"],
        ["works first", "c", 4, "more than one"],
    ]
    assert picture.alt == (
        "commits first: none for b, one effect for each other record. "
        "works first: more than one for b and c, one effect for each other record."
    )
    assert {"0", "1", "2", "4", "none", "one effect", "more than one"} <= set(shown(picture.figure))


def test_where_all_is_well_it_says_so() -> None:
    picture = effects_map(EFFECTS[["commits first"]].dropna())
    assert picture.alt == "commits first: one for each."
    assert not {"none", "more than one"} & set(shown(picture.figure))


def test_each_level_is_shown_its_records() -> None:
    picture = isolation_map(MESSAGES, MESSAGES.iloc[1:], BATCHES)
    assert picture.data.to_numpy().tolist() == [
        ["read_uncommitted", 0, "aborted", "shown"],
        ["read_uncommitted", 1, "plain", "shown"],
        ["read_uncommitted", 2, "marker", "marker, never shown"],
        ["read_uncommitted", 3, "None", "shown"],
        ["read_committed", 0, "aborted", "not shown"],
        ["read_committed", 1, "plain", "shown"],
        ["read_committed", 2, "marker", "marker, never shown"],
        ["read_committed", 3, "None", "shown"],
    ]
    assert picture.alt == (
        "Markers at offset 2. read_uncommitted is shown every record. "
        "read_committed is shown every record but those at offset 0."
    )


def test_without_transactions_there_are_no_markers() -> None:
    picture = isolation_map(MESSAGES, MESSAGES, BATCHES[~BATCHES["control"]])
    assert picture.alt == "read_uncommitted is shown every record. read_committed is shown every record."
    assert "not shown" not in shown(picture.figure)


def test_no_label_is_cut_off_or_covered() -> None:
    wide = pd.DataFrame({f"a program with a long name {n}": [1] * 16 for n in range(3)}, index=range(16))
    assert complaints(effects_map(wide).figure) == []
    assert complaints(isolation_map(MESSAGES, MESSAGES.iloc[1:], BATCHES).figure) == []


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: effects_map(EFFECTS.iloc[:0]), "nothing to draw"),
        (lambda: effects_map({}), "dict is no table"),  # type: ignore[arg-type]
        (lambda: effects_map(pd.DataFrame({"all": [1] * 17})), "17 records have no room in this picture: give at most"),
        (lambda: isolation_map(MESSAGES.iloc[:0], MESSAGES, BATCHES), "nothing to draw"),
        (lambda: isolation_map(MESSAGES, MESSAGES, EFFECTS), "has no column 'base_offset'"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call: object, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        call()  # type: ignore[operator]
