from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from kafkalab.errors import InvalidArgument
from kafkalab.observe.plots.social import mention_curves, opinion_map
from tests.unit.observe.plots.conftest import complaints, shown

START = 1_000_000
MENTIONS = pd.DataFrame(
    {
        "time_ms": [START, START, START + 120_000, START + 120_000],
        "brand": ["Loud", "Quiet", "Loud", "Quiet"],
        "count": [2, 3, 40, 1],
    }
)
ALERTS = pd.DataFrame({"time_ms": [START + 180_000], "brand": ["Loud"]})
NAMES = ["negative", "neutral", "positive"]
CONFUSION = pd.DataFrame([[6, 1, 3], [0, 4, 1], [0, 0, 5]], index=NAMES, columns=NAMES)
RATES = pd.DataFrame({"figure": ["ironic", "plain"], "texts": [5, 15], "right": [0.2, 14 / 15]})


def test_every_minute_has_a_count_and_the_alert_marks_the_minute_it_is_about() -> None:
    picture = mention_curves(MENTIONS, ALERTS, START)
    assert picture.data.to_numpy().tolist() == [
        [0, "Loud", 2, False],
        [1, "Loud", 0, False],
        [2, "Loud", 40, True],
        [0, "Quiet", 3, False],
        [1, "Quiet", 0, False],
        [2, "Quiet", 1, False],
    ]
    assert picture.alt == (
        "Mentions per minute of 2 brands in 3 minutes. Loud has 40 in minute 2, and an alert is raised at its end. "
        "No other brand has more than 3."
    )
    lines: Any = picture.figure.axes[0].lines
    loud, quiet, alert = lines
    assert (list(loud.get_xdata()), list(loud.get_ydata())) == ([0, 1, 2, 3], [2, 0, 40, 40])
    assert list(quiet.get_ydata()) == [3, 0, 1, 1]
    assert list(alert.get_xdata()) == [3, 3]
    assert {"Loud", "brands without an alert", "alert"} <= set(shown(picture.figure))


def test_without_an_alert_no_brand_stands_out() -> None:
    picture = mention_curves(MENTIONS, ALERTS.iloc[:0], START)
    assert picture.alt == "Mentions per minute of 2 brands in 3 minutes. No brand has more than 40."
    assert not {"Loud", "alert"} & set(shown(picture.figure))


def test_what_was_taken_for_what_and_how_often_it_was_right() -> None:
    picture = opinion_map(CONFUSION, RATES)
    assert picture.data["figure"].tolist() == ["plain", "ironic"]
    assert picture.alt == (
        "15 of 20 texts are classified rightly (75%): 93% of the 15 plain ones and 20% of the 5 ironic ones. To say "
        "negative of each would be right for 50%."
    )
    axes: Any = picture.figure.axes
    squares, bars = axes
    assert [text.get_text() for text in squares.texts] == ["6", "1", "3", "0", "4", "1", "0", "0", "5"]
    assert squares.images[0].get_array().round(2).tolist() == [[0.6, 0.1, 0.3], [0, 0.8, 0.2], [0, 0, 1]]
    assert [round(bar.get_width()) for bar in bars.containers[0]] == [93, 20]
    assert {"truth", "opinion of the analysis", "93%", "20%"} <= set(shown(picture.figure))


def test_no_label_is_cut_off_or_covered() -> None:
    many = pd.DataFrame({"time_ms": START, "brand": [f"a long name of a brand {n}" for n in range(12)], "count": 10**6})
    alerts = many[["time_ms", "brand"]].assign(time_ms=START + 60_000)
    assert complaints(mention_curves(many, alerts, START).figure) == []
    figures = pd.DataFrame(
        {"figure": ["plain", "negated", "ironic", "loaded"], "texts": 9, "right": [1.0, 0.5, 0.4, 0]}
    )
    assert complaints(opinion_map(CONFUSION * 1_000_000, figures).figure) == []


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: mention_curves(MENTIONS.iloc[:0], ALERTS, START), "nothing to draw"),
        (lambda: mention_curves(RATES, ALERTS, START), "has no column 'time_ms'"),
        (lambda: opinion_map(CONFUSION, RATES[["figure"]]), "has no column 'texts'"),
        (lambda: opinion_map({}, RATES), "dict is no table"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_drawn_is_refused(call: object, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        call()  # type: ignore[operator]
