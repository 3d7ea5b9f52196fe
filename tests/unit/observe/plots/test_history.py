from __future__ import annotations

import pandas as pd
import pytest

from kafkalab.errors import InvalidArgument
from kafkalab.observe.plots.history import balance_history, states_over_time
from tests.unit.observe.plots.conftest import complaints, shown

START, HOUR = 1_740_960_000_000, 3_600_000
STATES = ("placed", "paid", "packed", "shipped", "delivered", "cancelled", "returned")


def balances(*levels: float, hours: float = 1) -> pd.DataFrame:
    times = [START + round(number * hours * HOUR) for number in range(len(levels))]
    return pd.DataFrame({"time_ms": times, "balance": levels})


def changes(*rows: tuple[int, str, str]) -> pd.DataFrame:
    found = pd.DataFrame(rows, columns=["time_ms", "key", "state"])
    return found.assign(time_ms=START + found["time_ms"] * HOUR)


def test_a_balance_goes_in_steps_and_holds_to_the_end() -> None:
    picture = balance_history({"as it was": balances(-5, 0), "as known": balances(-5, -5, 0)})
    assert picture.data.to_numpy().tolist() == [
        ["as it was", START, -5.0],
        ["as it was", START + HOUR, 0.0],
        ["as known", START, -5.0],
        ["as known", START + HOUR, -5.0],
        ["as known", START + 2 * HOUR, 0.0],
    ]
    was, known = picture.figure.axes[0].lines[:2]
    assert [list(line.get_ydata()) for line in (was, known)] == [[-5.0, 0.0, 0.0], [-5.0, -5.0, 0.0, 0.0]]  # type: ignore[arg-type]
    assert was.get_xdata()[-1] == known.get_xdata()[-1]  # type: ignore[index]
    assert was.get_drawstyle() == "steps-post"
    assert {"as it was", "as known", "balance (euros)"} <= set(shown(picture.figure))
    assert picture.alt == (
        "as it was: 2 steps between -5.00 and 0.00 euros, the last at 0.00. "
        "as known: 3 steps between -5.00 and 0.00 euros, the last at 0.00. "
        "They differ between 03 Mar 01:00 and 03 Mar 02:00."
    )


@pytest.mark.parametrize(
    ("other", "said"), [((-5, 0), "They show the same."), ((-5, -4), "They differ from 03 Mar 01:00 on.")]
)
def test_it_says_where_lines_part(other: tuple[float, ...], said: str) -> None:
    assert balance_history({"one": balances(-5, 0), "other": balances(*other)}).alt.endswith(said)


@pytest.mark.parametrize("lines", [0, 4])
def test_too_few_and_too_many_lines_are_refused(lines: int) -> None:
    with pytest.raises(InvalidArgument, match=f"{lines} lines cannot be told apart: give one to 3, by name"):
        balance_history({str(number): balances(1) for number in range(lines)})


def test_what_leaves_a_state_is_in_another() -> None:
    picture = states_over_time(
        changes((2, "a", "paid"), (0, "a", "placed"), (1, "b", "placed"), (3, "b", "cancelled")),
        ("placed", "paid", "cancelled"),
    )
    assert picture.data.to_numpy().tolist() == [
        [START, 1, 0, 0],
        [START + HOUR, 2, 0, 0],
        [START + 2 * HOUR, 1, 1, 0],
        [START + 3 * HOUR, 0, 1, 1],
    ]
    assert picture.data.dtypes.astype(str).tolist() == ["int64"] * 4
    areas = picture.figure.axes[0].collections
    assert [area.get_label() for area in areas] == ["placed", "paid", "cancelled"]
    assert {"placed", "paid", "cancelled", "orders", "time of the events (UTC)"} <= set(shown(picture.figure))
    assert picture.alt == "2 orders by their state over time; at last 1 paid and 1 cancelled."


def test_an_unknown_state_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="the state 'lost' is not in states: name every state"):
        states_over_time(changes((0, "a", "lost")), STATES)


@pytest.mark.parametrize("hours", [0.01, 1, 30, 1000])
def test_no_label_overlaps(hours: float) -> None:
    level = balances(*[(-1) ** n * 12_345.67 for n in range(60)], hours=hours)
    assert complaints(balance_history({"one": level, "an account with a rather long name": level}).figure) == []
    moves = changes(*[(n, str(n % 5), STATES[n % 7]) for n in range(60)])
    moves["time_ms"] = START + ((moves["time_ms"] - START) * hours).astype("int64")
    assert complaints(states_over_time(moves, STATES).figure) == []
