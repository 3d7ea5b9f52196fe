from __future__ import annotations

import pandas as pd
import pytest

from kafkalab.apps import Output, Received, as_frame
from kafkalab.apps.stocks import BUDGET, Alert, DecisionMaker, Trade, TradingAlgorithm, Valuation, portfolio
from kafkalab.simulation import Stocks
from tests.unit.apps.conftest import dealt, received, run

DAY = 86_400_000


@pytest.fixture(scope="module")
def prices_and_signals() -> list[Received]:
    records = received(Stocks(news_per_session=8), 20_000)
    signals = dealt(output.record() for output in run(TradingAlgorithm, records))
    prices = [record for record in records if record.topic == "stock-prices"]
    return sorted([*prices, *signals], key=lambda record: record.timestamp_ms)


@pytest.fixture(scope="module")
def outputs(prices_and_signals: list[Received]) -> list[Output]:
    return run(DecisionMaker, prices_and_signals)


def test_no_money_is_made_or_lost_but_by_prices(outputs: list[Output]) -> None:
    trades = as_frame(Trade, outputs)
    assert len(trades) > 80
    shares = trades["shares"].where(trades["action"] == "buy", -trades["shares"])
    paid = (shares * trades["price"]).groupby(trades["symbol"]).cumsum()
    pd.testing.assert_series_equal((BUDGET - paid).round(2), trades["cash"], check_names=False, rtol=0, atol=1e-6)
    assert (shares.groupby(trades["symbol"]).cumsum() == trades["position"]).all()
    assert trades[["cash", "position"]].min().min() >= 0


def test_a_signal_is_carried_out_at_the_next_trade(prices_and_signals: list[Received], outputs: list[Output]) -> None:
    trades = as_frame(Trade, outputs).set_index(["symbol", "time_ms"])
    checked = 0
    waiting: dict[str | None, str] = {}
    for record in prices_and_signals:
        if record.topic == "trading-signals":
            waiting[record.key] = record.value["action"]
        elif waiting.get(record.key) in {"buy", "sell"}:
            action = waiting.pop(record.key)
            place = (record.key, record.timestamp_ms)
            if place in trades.index:
                trade = trades.loc[[place]].iloc[0]
                assert (trade["action"], trade["price"]) == (action, record.value["price"])
                checked += 1
    losses = as_frame(Alert, outputs)["limit"].eq("loss").sum()  # a loss sells without a signal
    assert checked + losses == len(trades)


def test_the_portfolio_is_the_sum_of_its_accounts(outputs: list[Output]) -> None:
    table, values = portfolio(outputs), as_frame(Valuation, outputs)
    last = values.groupby("symbol").last()
    assert table["equity"].iloc[-1] == pytest.approx(last["equity"].sum())
    assert table["profit"].iloc[-1] == pytest.approx(last["profit"].sum())
    assert table["equity"].iloc[0] == BUDGET * len(last)
    assert (table["cash"] + table["shares"] - table["equity"]).abs().max() < 0.01
    trades = as_frame(Trade, outputs)
    assert (values["equity"] - values["cash"]).max() < 5_300  # the limit of a position, and what it gained since
    assert (trades["price"] * trades["shares"])[trades["action"] == "buy"].max() <= 2_500


def test_signals_that_come_again_change_nothing(prices_and_signals: list[Received], outputs: list[Output]) -> None:
    """The trading algorithm crashed, and wrote its last signals once more: at other offsets."""
    again: list[Received] = []
    offsets: dict[tuple[str, int], int] = {}
    last: dict[int, list[Received]] = {}
    for record in prices_and_signals:
        repeated = []
        if record.topic == "trading-signals":
            last.setdefault(record.partition, []).append(record)
            if len(last[record.partition]) % 50 == 0:
                repeated = last[record.partition][-20:]
        for each in [record, *repeated]:
            offsets[each[:2]] = offsets.get(each[:2], -1) + 1
            again.append(each._replace(offset=offsets[each[:2]]))
    assert len(again) > len(prices_and_signals) + 300
    key = lambda out: (out.time_ms, repr(out))  # noqa: E731 - what else would one call it
    assert sorted(run(DecisionMaker, again), key=key) == sorted(outputs, key=key)


def story(*steps: tuple[int, float | str]) -> list[Output]:
    """Prices, and signals as words, at their times; without the valuations."""
    records, offsets = [], [0, 0]
    for time, step in steps:
        topic, value = (
            ("trading-signals", {"symbol": "A", "action": step, "time_ms": time})
            if isinstance(step, str)
            else ("stock-prices", {"symbol": "A", "price": step})
        )
        offset = offsets[isinstance(step, str)]
        offsets[isinstance(step, str)] += 1
        records.append(Received(topic, 0, offset, "A", value, time))
    return [output for output in run(DecisionMaker, records) if not isinstance(output, Valuation)]


def test_a_position_has_a_limit_and_one_alert() -> None:
    steps: list[tuple[int, float | str]] = [
        step for time in range(10, 60, 10) for step in ((time, "buy"), (time + 5, 30.0))
    ]
    trades, alerts = ([out for out in story((1, 30.0), *steps) if isinstance(out, kind)] for kind in (Trade, Alert))
    assert [trade.position for trade in trades if isinstance(trade, Trade)] == [83, 166]
    (alert,) = alerts
    assert isinstance(alert, Alert)
    assert (alert.limit, alert.value) == ("position", 4980.0)


def test_a_loss_ends_the_day() -> None:
    day: list[tuple[int, float | str]] = [
        (1, 25.0),
        (2, "buy"),
        (3, 25.0),
        (4, 23.4),
        (5, "hold"),
        (6, 23.5),
        (7, "buy"),
        (8, 23.6),
    ]
    outputs = story(*day, (DAY, "buy"), (DAY + 1, 24.0))
    assert [type(out).__name__ for out in outputs] == ["Trade", "Alert", "Trade", "Trade"]
    bought, alert, sold, tomorrow = outputs
    assert isinstance(alert, Alert)
    assert isinstance(sold, Trade)
    assert (alert.time_ms, alert.limit, alert.value) == (4, "loss", 160.0)
    assert (bought.time_ms, sold.time_ms, tomorrow.time_ms) == (3, 6, DAY + 1)
    assert (sold.action, sold.price, sold.position, sold.cash) == ("sell", 23.5, 0, 9850.0)


def test_an_old_signal_does_not_replace_a_newer_one() -> None:
    assert story((1, 30.0), (10, "buy"), (20, "hold"), (10, "buy"), (30, 30.0)) == []
