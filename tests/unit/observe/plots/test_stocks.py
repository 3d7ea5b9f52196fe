from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from kafkalab.errors import InvalidArgument
from kafkalab.ledger import Ledger
from kafkalab.observe.plots import Picture
from kafkalab.observe.plots.stocks import candle_chart, journeys, latency_distribution, rate_and_lag
from tests.unit.observe.plots.conftest import complaints, shown

OPEN_MS = 1_672_738_200_000  # 09:30
MINUTE_MS = 60_000


def candles(closes: list[float], symbol: str = "A", first_ms: int = OPEN_MS) -> pd.DataFrame:
    opens = [closes[0], *closes[:-1]]
    rows = [
        (first_ms + n * MINUTE_MS, symbol, begin, max(begin, end) + 1, min(begin, end) - 1, end, end, 0.001)
        for n, (begin, end) in enumerate(zip(opens, closes, strict=True))
    ]
    columns = ["time_ms", "symbol", "open", "high", "low", "close", "moving_average", "volatility"]
    return pd.DataFrame(rows, columns=columns)


def news(*items: tuple[float, float], symbol: str = "A") -> pd.DataFrame:
    rows = [(OPEN_MS + int(minute * MINUTE_MS), symbol, sentiment) for minute, sentiment in items]
    return pd.DataFrame(rows, columns=["time_ms", "symbol", "sentiment"])


def trades(*made: tuple[float, str], symbol: str = "A") -> pd.DataFrame:
    rows = [(OPEN_MS + int(minute * MINUTE_MS), symbol, action, 10.0) for minute, action in made]
    return pd.DataFrame(rows, columns=["time_ms", "symbol", "action", "price"])


def test_a_candle_reaches_from_open_to_close_and_its_line_from_low_to_high() -> None:
    picture = candle_chart(pd.concat([candles([10, 12, 9]), candles([99, 98], "B")]), "A")
    above = picture.figure.axes[0]
    rises, falls = above.containers
    assert [(bar.get_y(), bar.get_height()) for bar in rises] == [(10, 0), (10, 2)]
    assert [(bar.get_y(), bar.get_height()) for bar in falls] == [(9, 3)]
    lines = [segment[:, 1].tolist() for segment in above.collections[0].get_segments()]  # type: ignore[attr-defined]
    assert lines == [[9, 11], [9, 13], [8, 13]]
    assert picture.data["symbol"].unique().tolist() == ["A"]
    assert picture.alt == (
        "3 candles of A from 09:30 to 09:33: from 10.00 to 9.00, between 8.00 and 13.00, with a moving average, above "
        "the volatility."
    )


def test_volatility_is_in_percent_at_the_end_of_each_minute() -> None:
    below = candle_chart(candles([10, 12]), "A").figure.axes[1]
    assert below.lines[0].get_ydata().tolist() == [0.1, 0.1]  # type: ignore[union-attr]
    assert below.lines[0].get_xdata().tolist() == [OPEN_MS + MINUTE_MS, OPEN_MS + 2 * MINUTE_MS]  # type: ignore[union-attr]


def test_news_and_trades_of_the_symbol_and_of_that_time_are_marked() -> None:
    told = pd.concat([news((0.5, 0.4), (1, -0.9), (1.5, 0.0), (500, 0.9)), news((1, 0.9), symbol="B")])
    made = pd.concat([trades((1, "buy"), (2, "sell")), trades((1, "buy"), symbol="B")])
    picture = candle_chart(candles([10, 12, 9]), "A", told, made)
    assert picture.alt.endswith("Marked: good news (1), bad news (1), bought (1) and sold (1).")
    assert {"good news", "bad news", "bought", "sold"} <= set(shown(picture.figure))


def test_without_marks_none_are_named() -> None:
    picture = candle_chart(candles([10, 12]), "A", news(), trades())
    assert "Marked" not in picture.alt
    assert "sold" not in shown(picture.figure)


@pytest.mark.parametrize("minutes", [1, 3, 100, 390])
def test_no_label_of_a_chart_overlaps(minutes: int) -> None:
    picture = candle_chart(candles([10 + n % 7 for n in range(minutes)]), "A", news((0, 1)), trades((0, "buy")))
    assert complaints(picture.figure) == []


def test_a_symbol_without_candles_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="'C' has no candle: choose from A and B"):
        candle_chart(pd.concat([candles([1]), candles([1], "B")]), "C")


def records(**took_ms: list[float]) -> pd.DataFrame:
    """One record a tenth of a second, from second 100 on."""
    rows = [(name, 100 + n / 10, 100 + n / 10 + ms / 1000) for name, of in took_ms.items() for n, ms in enumerate(of)]
    return pd.DataFrame(rows, columns=["reader", "sent_at", "read_at"])


class Kill:
    """A schedule that ran."""

    began_at = 99.0

    def frame(self) -> pd.DataFrame:
        return pd.DataFrame({"fault": ["kill broker 1"], "fired": [1.5], "undone": [float("nan")], "more": [1]})


def test_lag_is_what_was_sent_and_not_yet_read() -> None:
    picture = rate_and_lag(records(quick=[10] * 30, slow=[1000] * 30))
    highest = picture.data.groupby("reader")["lag"].max()
    assert highest.to_dict() == {"quick": 1, "slow": 10}
    assert picture.data.groupby("reader")["lag"].last().to_dict() == {"quick": 0, "slow": 0}
    assert picture.measured == "highest lag of quick: 1 records; highest lag of slow: 10 records."
    assert picture.alt == "Records sent per second, above how many quick and slow had yet to work on."


def test_the_rate_counts_each_record_once() -> None:
    (rate,) = rate_and_lag(records(a=[0] * 20, b=[0] * 20)).figure.axes[0].patches
    heights, *_ = rate.get_data()  # type: ignore[attr-defined]
    assert sum(heights) * 0.25 == 20


def test_faults_are_marked_where_they_were_on_the_clock_of_the_sends() -> None:
    picture = rate_and_lag(records(a=[100] * 20), Kill())
    dashed = [line.get_xdata()[0] for line in picture.figure.axes[1].lines if line.get_linestyle() == "--"]  # type: ignore[index]
    assert dashed == [0.5]
    assert picture.alt.endswith("Marked: kill broker 1.")


def test_quantiles_are_those_of_each_reader() -> None:
    picture = latency_distribution(records(quick=[float(n) for n in range(1, 102)], slow=[900.0] * 5))
    rows = [[reader, *(round(value) for value in row)] for reader, *row in picture.data.to_numpy().tolist()]
    assert rows == [["quick", 101, 51, 100, 101], ["slow", 5, 900, 900, 900]]
    assert picture.measured == "quick: median 51 ms, 99 % 100 ms; slow: median 900 ms, 99 % 900 ms."
    assert picture.alt.endswith("The longest 99th percentile is that of slow.")


def test_every_record_is_in_some_bar() -> None:
    axes = latency_distribution(records(a=[0.0, 0.1, 1, 10, 99999])).figure.axes[0]
    assert sum(bar.get_height() for bar in axes.patches) == pytest.approx(100)  # type: ignore[attr-defined]


@pytest.mark.parametrize("draw", [rate_and_lag, latency_distribution])
@pytest.mark.parametrize("readers", [1, 2, 4])
def test_no_label_of_flows_overlaps(draw: Callable[[pd.DataFrame], Picture], readers: int) -> None:
    many = {f"{'application-of-a-long-name-' * 2}{n}": [1.0, 20, 3000] for n in range(readers)}
    assert complaints(draw(records(**many)).figure) == []


@pytest.mark.parametrize("draw", [rate_and_lag, latency_distribution])
def test_no_journeys_are_refused(draw: Callable[[pd.DataFrame], Picture]) -> None:
    with pytest.raises(InvalidArgument, match="nothing to draw"):
        draw(records())


def test_journeys_join_what_was_sent_with_what_was_read() -> None:
    ledger = Ledger()
    session = ledger.session()
    for number in range(4):
        entry = session.enter("prices", b"A", b"%d" % number, 10.0 + number)
        if number:
            entry.acknowledged(number % 2, number, 20.0)
    read = {
        "one": {("prices", 1, 1): 30.0, ("prices", 0, 2): 31.0},
        "two": {("prices", 1, 3): 32.0, ("news", 0, 2): 9.0},
    }
    found = journeys(ledger.acknowledgements(), read)
    assert found.to_numpy().tolist() == [["one", 11.0, 30.0], ["one", 12.0, 31.0], ["two", 13.0, 32.0]]
    assert journeys(ledger.acknowledgements(), {}).dtypes.astype(str).tolist() == ["str", "float64", "float64"]
