"""That the market does what the docstring of Stocks says; tolerances are 4.5 standard errors of the estimate."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from kafkalab.simulation.stocks import Stocks
from kafkalab.simulation.stocks_clock import OVERNIGHT, SESSION_MINUTES
from kafkalab.simulation.stocks_names import AGENCIES, HEADLINES
from kafkalab.simulation.stocks_session import ATTENTION, EXPECTED_RETURN, HALF_SPREAD, JUMP_SIZE

SIGMAS = 4.5
QUIET = Stocks(seed=11, symbols=6, trades_per_session=100, news_per_session=0, jumps_per_session=0)
BUSY = Stocks(seed=12, symbols=8, trades_per_session=200, news_per_session=10, jumps_per_session=1)


@pytest.fixture(scope="module", autouse=True)
def _forget() -> Iterator[None]:
    yield
    trading.cache_clear()
    quiet_prices.cache_clear()


@cache
def trading(source: Stocks, n: int = 1_000_000) -> pd.DataFrame:
    """The records with their truth, the day since 1970 and the minute of the session, whole days only."""
    frame = pd.concat([source.frame(n), source.truth(n)], axis=1)
    since_open = frame["timestamp_ms"] - 34_200_000
    frame["day"], frame["minute"] = since_open // 86_400_000, since_open % 86_400_000 / 60_000
    whole_days: pd.DataFrame = frame[frame["day"] < frame["day"].iloc[-1]]
    return whole_days


@cache
def quiet_prices(minute: int) -> pd.DataFrame:
    """Log prices of QUIET at the last record before a minute of each session; a column per symbol."""
    frame = trading(QUIET)
    before = frame[(frame["topic"] == "stock-prices") & (frame["minute"] < minute)]
    return before.pivot_table("efficient_price", "day", "symbol", aggfunc="last", observed=True).apply(np.log)


def trades_of(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["topic"] == "stock-prices"]


def test_daily_returns_have_the_volatility_of_each_symbol() -> None:
    returns = quiet_prices(SESSION_MINUTES).diff().dropna()
    measured = returns.std() * math.sqrt(252)
    expected = QUIET.symbols.set_index("symbol")["volatility"].reindex(measured.index.astype(str))
    tolerance = SIGMAS / math.sqrt(2 * len(returns))
    assert tolerance < 0.12
    np.testing.assert_allclose(measured, expected, rtol=tolerance)
    drift = (EXPECTED_RETURN - expected**2 / 2) / 252
    assert (abs(returns.mean() - drift.to_numpy()) < SIGMAS * returns.std() / math.sqrt(len(returns))).all()


def test_returns_are_normal_where_nothing_jumps() -> None:
    returns = quiet_prices(SESSION_MINUTES).diff().dropna()
    assert (returns.kurt().abs() < SIGMAS * math.sqrt(24 / len(returns))).all()
    assert (returns.skew().abs() < SIGMAS * math.sqrt(6 / len(returns))).all()


def test_daily_returns_have_the_correlation_of_each_pair() -> None:
    returns = quiet_prices(SESSION_MINUTES).diff().dropna()
    expected = QUIET.correlation.to_numpy()
    errors = (1 - expected**2) / math.sqrt(len(returns))
    # The last trades of a day are not simultaneous: that takes a hundredth away.
    assert (abs(returns.corr().to_numpy() - expected) <= SIGMAS * errors + 0.01).all()


def test_a_fifth_of_the_variance_is_overnight() -> None:
    closes, opens = quiet_prices(SESSION_MINUTES), quiet_prices(5)
    nights = (opens - closes.shift()).dropna().var() / closes.diff().dropna().var()
    sessions = closes.shape[0] - 1
    by_then = (1 - OVERNIGHT) * QUIET.rhythm.to_numpy()[:5].sum() / SESSION_MINUTES
    # Six symbols share the market: their mean is known as well as two independent ones would make it.
    tolerance = SIGMAS * OVERNIGHT * math.sqrt(2 / (2 * sessions)) * math.sqrt(2)
    assert nights.mean() == pytest.approx(OVERNIGHT + by_then, abs=tolerance)


def test_variance_accrues_as_trades_do() -> None:
    def variance(begin: int, end: int) -> float:
        return float((quiet_prices(end) - quiet_prices(begin)).var().mean())

    rhythm = QUIET.rhythm.to_numpy()
    ratio = rhythm[10:70].sum() / rhythm[180:240].sum()
    sessions = len(quiet_prices(10))
    assert variance(10, 70) / variance(180, 240) == pytest.approx(ratio, rel=SIGMAS * math.sqrt(2 * 2 / sessions))
    assert ratio > 2.5


def test_trades_come_at_their_rates_and_in_their_rhythm() -> None:
    trades = trades_of(trading(QUIET))
    days = trades["day"].nunique()
    counts = trades["symbol"].value_counts()
    expected = QUIET.symbols.set_index("symbol")["trades_per_session"].reindex(counts.index.astype(str)) * days
    assert (abs(counts.to_numpy() - expected) < SIGMAS * np.sqrt(expected)).all()
    by_minute = np.bincount(trades["minute"].astype(int), minlength=SESSION_MINUTES)
    usual = QUIET.rhythm.to_numpy() * expected.sum() / SESSION_MINUTES
    assert (abs(by_minute - usual) < SIGMAS * np.sqrt(usual)).all()


def test_trades_are_spread_evenly_over_a_minute() -> None:
    seconds = trades_of(trading(QUIET))["timestamp_ms"] % 60_000 // 1000
    counts = np.bincount(seconds, minlength=60)
    mean = len(seconds) / 60
    assert (abs(counts - mean) < SIGMAS * math.sqrt(mean)).all()


def test_trades_of_a_session_are_a_poisson_count() -> None:
    trades = trades_of(trading(QUIET))
    counts = trades.pivot_table("price", "day", "symbol", aggfunc="count", observed=True)
    dispersion = counts.var() / counts.mean()
    assert (abs(dispersion - 1) < SIGMAS * math.sqrt(2 / len(counts))).all()


def test_the_open_is_a_burst_in_the_message_rate() -> None:
    frame = trading(QUIET)
    rate = np.bincount(frame["minute"].astype(int))
    assert rate[0] > 4 * rate[180:210].mean()


def test_sizes_and_sides() -> None:
    trades = trades_of(trading(QUIET))
    logs = np.log(trades["size"].astype(float))
    assert trades["size"].min() >= 1
    assert trades["size"].median() == pytest.approx(55, abs=1)
    assert logs.std() == pytest.approx(1, abs=0.03)
    assert (trades["side"] == "buy").mean() == pytest.approx(0.5, abs=SIGMAS * 0.5 / math.sqrt(len(trades)))


def test_a_trade_is_half_a_spread_from_the_efficient_price() -> None:
    trades = trades_of(trading(BUSY))
    sign = np.where(trades["side"] == "buy", 1, -1)
    quoted = trades["efficient_price"] * (1 + sign * HALF_SPREAD)
    # Both are rounded: the price to cents, the truth to a hundredth of that.
    assert (abs(trades["price"] - quoted) < 0.005 + 0.0001).all()
    bounce = (sign * (trades["price"] / trades["efficient_price"] - 1)).mean()
    assert bounce == pytest.approx(HALF_SPREAD, rel=0.02)


def test_jumps_come_at_their_rate_and_are_in_the_prices() -> None:
    frame = trading(BUSY)
    jumps = frame.loc[frame["jump"] != 0, "jump"]
    expected = frame["day"].nunique() * 8
    assert len(jumps) == pytest.approx(expected, abs=SIGMAS * math.sqrt(expected))
    assert jumps.std() == pytest.approx(JUMP_SIZE, rel=SIGMAS / math.sqrt(2 * len(jumps)))
    moves = np.log(frame["efficient_price"]).groupby(frame["symbol"], observed=True).diff()
    rest = (moves - frame["jump"])[jumps.index]
    assert rest.std() < 0.3 * jumps.std()
    assert moves[frame["jump"] == 0].std() < 0.1 * jumps.std()


def test_jumps_have_no_direction() -> None:
    frame = trading(
        Stocks(seed=14, symbols=30, trades_per_session=3, news_per_session=0, jumps_per_session=10), 200_000
    )
    closes = frame.pivot_table("efficient_price", "day", "symbol", aggfunc="last", observed=True).ffill()
    # Of simple returns: the mean of a log-normal jump is above 1, for which the drift makes up.
    daily = (closes / closes.shift() - 1).dropna().mean(axis=1)
    error = daily.std() / math.sqrt(len(daily))
    assert 4 * error < 10 * JUMP_SIZE**2 / 2  # or it would not be seen to be missing
    assert daily.mean() == pytest.approx(EXPECTED_RETURN / 252, abs=SIGMAS * error)


def news_of(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["topic"] == "news-sentiment"]


def test_news_comes_at_its_rate_about_all_symbols_at_all_times() -> None:
    frame = trading(BUSY)
    news, days = news_of(frame), frame["day"].nunique()
    per_symbol = 10 * days
    counts = news["symbol"].value_counts()
    assert (abs(counts - per_symbol) < SIGMAS * math.sqrt(per_symbol)).all()
    by_hour = np.bincount((news["minute"] // 39).astype(int))
    assert (abs(by_hour - len(news) / 10) < SIGMAS * math.sqrt(len(news) / 10)).all()


def test_sentiment_fits_the_headline() -> None:
    news = news_of(trading(BUSY))
    assert news["sentiment"].between(-1, 1).all()
    texts = {text.replace("{company}", name): tone for name in BUSY.symbols["company"] for text, tone in HEADLINES}
    assert (abs(news["sentiment"] - news["headline"].astype(str).map(texts)) < 0.1001).all()
    companies = BUSY.symbols.set_index("symbol")["company"].reindex(news["symbol"].astype(str))
    assert all(name in text for name, text in zip(companies, news["headline"], strict=True))
    assert news["sentiment"].mean() == pytest.approx(0, abs=SIGMAS * 0.61 / math.sqrt(len(news)))


@pytest.mark.parametrize("agency", AGENCIES)
def test_an_agency_is_as_reliable_as_its_table_says(agency: str) -> None:
    news = news_of(trading(BUSY))
    news = news[news["agency"] == agency]
    error = BUSY.agencies.set_index("agency")["error"][agency]
    residual = news["impact"] - 0.01 * news["sentiment"]
    assert residual.mean() == pytest.approx(0, abs=SIGMAS * error / math.sqrt(len(news)))
    assert residual.std() == pytest.approx(error, rel=SIGMAS / math.sqrt(2 * len(news)))


def prices_at(frame: pd.DataFrame, when: pd.DataFrame) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the log price and the minute of the first record of a symbol from a time on."""
    later = frame[["timestamp_ms", "symbol", "efficient_price", "minute"]]
    found = pd.merge_asof(when, later, on="timestamp_ms", by="symbol", direction="forward")
    return np.log(found["efficient_price"].to_numpy()), found["minute"].to_numpy()


@pytest.mark.parametrize("minutes", [0, 2, 5, 15])
def test_prices_take_in_news_by_and_by(minutes: int) -> None:
    frame = trading(BUSY)
    news = news_of(frame)
    news = news[news["minute"] < 340]
    when = pd.DataFrame({"timestamp_ms": news["timestamp_ms"] + minutes * 60_000, "symbol": news["symbol"]})
    price, minute = prices_at(frame, when)
    moved = price - np.log(news["efficient_price"].to_numpy())
    share = 1 - np.exp(-(minute - news["minute"].to_numpy()) / 5)
    predicted = news["impact"].to_numpy() * share
    if minutes == 0:
        assert abs(moved).max() < 1e-6
        return
    slope = (moved @ predicted) / (predicted @ predicted)
    error = (moved - slope * predicted).std() / math.sqrt(predicted @ predicted)
    assert error < 0.02
    assert slope == pytest.approx(1, abs=SIGMAS * error)


def test_prices_do_not_know_news_before_it_comes() -> None:
    frame = trading(BUSY)
    news = news_of(frame)
    news = news[news["minute"] > 40]
    when = pd.DataFrame({"timestamp_ms": news["timestamp_ms"] - 30 * 60_000, "symbol": news["symbol"]})
    before = np.log(news["efficient_price"].to_numpy()) - prices_at(frame, when)[0]
    assert np.corrcoef(before, news["impact"])[0, 1] == pytest.approx(0, abs=SIGMAS / math.sqrt(len(news)))


def test_news_makes_a_symbol_busier_from_the_next_minute_on() -> None:
    source = Stocks(seed=13, symbols=10, trades_per_session=400, news_per_session=0.5)
    frame = trading(source, 600_000)
    news, bars = news_of(frame), frame[frame["topic"] == "trading-volumes"]
    traded = bars.set_index(["symbol", "window_start_ms"])["trades"]
    usual = source.symbols.set_index("symbol")["trades_per_session"] / SESSION_MINUTES
    for after in (0, 1, 2, 6):
        item = news[news["minute"].between(30, 370)]
        window = (item["timestamp_ms"] // 60_000 + after) * 60_000
        index = pd.MultiIndex.from_arrays([item["symbol"].astype(str), window.astype("Int64")])
        counted = traded.reindex(index, fill_value=0).sum()
        fading = ATTENTION * item["sentiment"].abs() * math.exp(-(after - 1) / 5) if after else 0.0
        rhythm = source.rhythm.to_numpy()[item["minute"].astype(int) + after]
        expected = (usual[item["symbol"].astype(str)].to_numpy() * rhythm * (1 + fading)).sum()
        # Another item of the same symbol shortly before adds a little.
        assert counted == pytest.approx(expected * 1.01, abs=SIGMAS * math.sqrt(expected) + 0.01 * expected)


def test_many_items_together_bring_five_times_the_trades_at_most() -> None:
    source = Stocks(seed=15, symbols=5, news_per_session=100, news_minutes=60)
    trades = trades_of(trading(source, 200_000))
    late = (trades["minute"] >= 60).sum() / trades["day"].nunique()
    usual = 5 * 1000 * source.rhythm.to_numpy()[60:].sum() / SESSION_MINUTES
    assert late == pytest.approx((1 + ATTENTION) * usual, rel=0.02)
