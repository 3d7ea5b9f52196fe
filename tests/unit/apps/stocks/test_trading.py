from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kafkalab.apps import Received, as_frame
from kafkalab.apps.stocks import Signal, TradingAlgorithm
from kafkalab.simulation import Stocks
from tests.unit.apps.conftest import received, run

SOURCE = Stocks(seed=5, news_per_session=8, jumps_per_session=0)
N = 25_000
MINUTE = 60_000


@pytest.fixture(scope="module")
def signals() -> pd.DataFrame:
    return as_frame(Signal, run(TradingAlgorithm, received(SOURCE, N)))


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    frame = SOURCE.frame(N)
    return frame.assign(symbol=frame["symbol"].astype(str))


def test_news_is_joined_with_the_last_price_before_it(signals: pd.DataFrame, frame: pd.DataFrame) -> None:
    news = frame.loc[frame["topic"] == "news-sentiment", ["timestamp_ms", "symbol", "sentiment"]]
    prices = frame.loc[frame["topic"] == "stock-prices", ["timestamp_ms", "symbol", "price"]]
    at_news = pd.merge_asof(news, prices, on="timestamp_ms", by="symbol", allow_exact_matches=False)
    at_news = at_news.dropna().assign(told_ms=at_news["timestamp_ms"]).rename(columns={"price": "price_then"})
    left = signals.rename(columns={"time_ms": "timestamp_ms"})
    joined = pd.merge_asof(left, at_news, on="timestamp_ms", by="symbol", allow_exact_matches=False)
    fresh = joined["timestamp_ms"] - joined["told_ms"] < 15 * MINUTE
    acting = joined[joined["to_come"] != 0]
    assert set(acting.index) <= set(joined[fresh].index)
    assert len(acting) > 300
    np.testing.assert_array_equal(acting["sentiment_x"], acting["sentiment_y"])
    wanted = 0.01 * acting["sentiment_y"] - (acting["price"] / acting["price_then"] - 1)
    np.testing.assert_allclose(acting["to_come"], wanted, atol=1e-12)


def test_there_is_a_signal_for_each_symbol_and_minute_with_trades(signals: pd.DataFrame, frame: pd.DataFrame) -> None:
    prices = frame[frame["topic"] == "stock-prices"]
    ends = prices["timestamp_ms"] // MINUTE * MINUTE + MINUTE
    wanted = prices.groupby([prices["symbol"], ends])["price"].last()
    assert signals.set_index(["symbol", "time_ms"])["price"].sort_index().to_dict() == wanted.to_dict()


def test_its_signals_foresee_prices(signals: pd.DataFrame) -> None:
    """News moves prices for some minutes, and who is quick has a part of that."""
    later = signals.groupby("symbol")["price"].shift(-10)
    move = np.log(later / signals["price"])
    bought, sold = signals["action"].eq("buy"), signals["action"].eq("sell") & signals["to_come"].lt(0)
    usual = move[~(bought | sold)].mean()
    gain = pd.concat([move[bought] - usual, usual - move[sold]])
    assert gain.mean() > 0.0005
    assert move[bought].mean() > 0.001


def told(*records: tuple[int, float | None, float | None]) -> list[tuple[str, str]]:
    """Of time, price or sentiment: what is signalled, and why."""
    received = [
        Received("stock-prices", 0, number, "A", {"symbol": "A", "price": price, "size": 1}, time)
        if price is not None
        else Received("news-sentiment", 0, number, "A", {"symbol": "A", "sentiment": mood, "agency": "X"}, time)
        for number, (time, price, mood) in enumerate(records)
    ]
    return [(out.action, out.reason) for out in run(TradingAlgorithm, received) if isinstance(out, Signal)]


def test_it_buys_while_the_price_has_not_taken_in_the_news() -> None:
    signals = told(
        (0, 100.0, None), (1, None, 0.8), (2, 100.1, None), (MINUTE, 100.7, None), (16 * MINUTE, 100.8, None)
    )
    assert signals == [
        ("buy", "X +0.80, 0 min ago: +0.10% so far, +0.70% to come"),
        ("hold", "X +0.80, 1 min ago: +0.70% so far, +0.10% to come"),
        ("sell", "news of 16 minutes ago is taken in"),
    ]


def test_it_does_not_bet_against_the_news() -> None:
    overshot = told((0, 100.0, None), (1, None, 0.5), (2, 102.0, None))
    assert [action for action, _ in overshot] == ["hold"]
    assert [action for action, _ in told((0, 100.0, None), (1, None, -0.5), (2, 100.0, None))] == ["sell"]


def test_news_before_any_price_says_nothing() -> None:
    assert told((0, None, 0.9), (1, 100.0, None)) == [("hold", "no news")]
