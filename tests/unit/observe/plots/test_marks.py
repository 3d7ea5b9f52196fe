from __future__ import annotations

import pandas as pd
import pytest

from kafkalab.errors import InvalidArgument
from kafkalab.observe.plots.look import canvas, look, seconds_axis
from kafkalab.observe.plots.marks import fault_words, legend_below, mark_faults
from tests.unit.observe.plots.conftest import FAULTS, complaints


def test_faults_are_numbered_in_their_order_and_named_below() -> None:
    with look():
        figure, (above, below) = canvas(4.0, (1, 1))
        seconds_axis(below, 12.0)
        handles = below.plot([0, 12], [0, 1], label="a line")
        legend_below(below, handles)
        mark_faults([above, below], FAULTS.iloc[::-1])
    (legend,) = figure.legends
    named = [text.get_text() for text in legend.get_texts()]
    assert [name[:18] for name in named] == [
        "1: kill broker 2, ",
        "2: pause broker 3",
        "3: slow broker 1 a",
        "4: cut 2",
    ]
    assert [text.get_text() for text in above.texts] == ["1,2,3", "4"], "numbers of close faults would overlap"
    assert [line.get_xdata()[0] for line in above.lines] == [3.0, 3.05, 3.2, 9.9]  # type: ignore[index]
    assert [(p.get_x(), p.get_width()) for p in below.patches] == [(3.0, 3.0), (3.2, pytest.approx(1.8))]  # type: ignore[attr-defined]
    assert complaints(figure) == []


def test_what_did_not_fire_is_not_marked() -> None:
    faults = pd.DataFrame({"fault": ["a", "b"], "fired": [float("nan"), 1.0], "undone": [float("nan")] * 2})
    assert fault_words(faults) == " Marked: b."


@pytest.mark.parametrize("faults", [None, FAULTS.iloc[:0]])
def test_without_faults_nothing_is_said_or_drawn(faults: pd.DataFrame | None) -> None:
    with look():
        figure, axes = canvas()
        mark_faults(axes, faults)
    assert fault_words(faults) == ""
    assert (list(axes[0].lines), figure.legends) == ([], [])


def test_another_table_is_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"no column 'undone'.*Schedule\.frame"):
        fault_words(FAULTS.drop(columns="undone"))
