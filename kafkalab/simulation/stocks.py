"""A stock market: trades on two exchanges, their volumes minute by minute, and news that moves prices afterwards."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pandas as pd

from kafkalab.simulation.arguments import checked_number, checked_whole
from kafkalab.simulation.source import Block, Kinds, Source, TopicPlan
from kafkalab.simulation.stocks_clock import SESSION_MINUTES, SessionClock, session_rhythm
from kafkalab.simulation.stocks_market import Market, list_companies
from kafkalab.simulation.stocks_names import AGENCIES, EXCHANGES, MOST_COMPANIES, headlines
from kafkalab.simulation.stocks_session import ATTENTION, Trading

__all__ = ["Stocks"]

_BLOCK_ROWS = 40_000
_LISTING, _TRADING = range(2)  # purposes of random numbers


class Stocks(Source):
    """A stock market of invented companies.

    **Topics**, all with the symbol as key, so that a symbol's records stay in order; six partitions each are
    suggested, the same number, so that prices and news of a symbol can be joined partition by partition:

    - ``stock-prices``, one record per trade: ``symbol``, ``exchange``, ``trade_id`` (counted by each exchange from 1,
      without gaps), ``price`` (in whole cents), ``size`` (shares), ``side`` (``buy`` or ``sell``: who took the quote).
    - ``trading-volumes``, one record per symbol and minute that had trades, sent when the minute is over: ``symbol``,
      ``exchange``, ``window_start_ms`` (the minute's begin, since 1970), ``trades`` (count), ``volume`` (shares),
      ``turnover`` (price times size, to the cent). They are exactly the sums of the minute's records in
      ``stock-prices``.
    - ``news-sentiment``: ``symbol``, ``exchange`` (where it is listed), ``agency``, ``headline``, ``sentiment``
      (-1 to 1).

    **Time.** Weekdays from 09:30 to 16:00 UTC, without holidays and clock changes; over nights and weekends simulated
    time jumps. A start outside these hours means the next open, one within them the next whole minute. A session has
    some 17,000 records by default. Each symbol is listed on one exchange, ``EAST`` or ``WEST``.

    **Trades** are a Poisson process whose rate goes through a U over the day with a burst at the open: 5 times the
    mean in the first minute, half of it at noon, 1.8 times before the close (Jain and Joh, "The dependence between
    hourly prices and trading volume", 1988; Admati and Pfleiderer, "A theory of intraday patterns", 1988). Symbols are
    not equally popular. Sizes are log-normal with a median of 55 shares.

    **Prices** are a geometric Brownian motion in three parts, market, sector and company (a factor model after Sharpe,
    "A simplified model for portfolio analysis", 1963), with normal jumps of 2 % at Poisson times (Merton, "Option
    pricing when underlying stock returns are discontinuous", 1976). Variance accrues as trades do (Clark, "A
    subordinated stochastic process model with finite variance for speculative prices", 1973), and a fifth of a day's
    overnight; a year has 252 sessions. A trade is 0.02 % above that price or below, as the buyer or the seller took
    the quote (Roll, "A simple implicit measure of the effective bid-ask spread", 1984). As trades of two symbols are
    not simultaneous, returns over seconds look less correlated than they are (Epps, "Comovements in stock prices in
    the very short run", 1979).

    **News** comes in trading hours, about any symbol at any time alike. An item of sentiment s moves its symbol's log
    price by ``news_impact`` times s plus an error, whose size depends on the agency, not at once but by
    1 - exp(-t / ``news_minutes``) after t minutes of trading; from the next minute on it multiplies its symbol's
    trades by 1 + 4 abs(s) exp(-t / ``news_minutes``), several items together by 5 at most (intraday news with scored
    sentiment: Gross-Klussmann and Hautsch, "When machines read the news", 2011).

    **Truth** of each record (:meth:`truth`): ``efficient_price`` (of the symbol at that moment, without spread and
    rounding to cents, in all topics), ``jump`` (of the log price, since the symbol's record before; nearly always 0)
    and ``impact`` (what a news item does to the log price in the end; missing in other topics). Of the market:
    :attr:`symbols`, :attr:`correlation`, :attr:`agencies`, :attr:`rhythm`.

    Args:
        seed: a whole number from 0.
        start: simulated time from which on there may be records; by default a Monday's open in the past.
        symbols: how many, 1 to 100.
        trades_per_session: mean number for a symbol, not counting those that news brings; 1 to 100,000.
        news_per_session: mean number for a symbol, 0 to 100.
        jumps_per_session: mean number for a symbol, 0 to 10.
        news_impact: on the log price, of sentiment 1; 0 to 0.1.
        news_minutes: of trading in which prices take in 63 % of news, 1 to 390.

    Raises:
        InvalidArgument: an argument outside these bounds.
    """

    topics: ClassVar = {
        "stock-prices": TopicPlan("symbol", ("symbol", "exchange", "trade_id", "price", "size", "side")),
        "trading-volumes": TopicPlan(
            "symbol", ("symbol", "exchange", "window_start_ms", "trades", "volume", "turnover")
        ),
        "news-sentiment": TopicPlan("symbol", ("symbol", "exchange", "agency", "headline", "sentiment")),
    }
    default_start: ClassVar = "2023-01-02T09:30:00Z"  # a Monday, and ten million records later still in the past

    def __init__(
        self,
        seed: int = 0,
        start: str | dt.datetime | None = None,
        *,
        symbols: int = 12,
        trades_per_session: float = 1000,
        news_per_session: float = 3,
        jumps_per_session: float = 0.2,
        news_impact: float = 0.01,
        news_minutes: float = 5,
    ) -> None:
        super().__init__(seed, start)
        count = checked_whole("symbols", symbols, 1, MOST_COMPANIES)
        trades = checked_number("trades_per_session", trades_per_session, 1, 100_000)
        self._market = Market(
            list_companies(self._rng(_LISTING), count, trades),
            news_per_session=checked_number("news_per_session", news_per_session, 0, 100),
            jumps_per_session=checked_number("jumps_per_session", jumps_per_session, 0, 10),
            news_impact=checked_number("news_impact", news_impact, 0, 0.1),
            news_minutes=checked_number("news_minutes", news_minutes, 1, 390),
        )
        self._headlines = headlines(list(self._market.symbols["company"]))
        self._block_minutes = self._minutes_of(_BLOCK_ROWS)

    def _minutes_of(self, rows: int) -> int:
        """Return about how many minutes of trading have so many rows."""
        market = self._market
        news = market.news_per_session * market.news_minutes / SESSION_MINUTES
        trades = market.numbers("trades_per_session").sum() * (1 + ATTENTION * min(news / 2, 1))
        # exp(minutes / news_minutes) has to stay a number.
        return max(1, min(int(rows / trades * SESSION_MINUTES), int(600 * market.news_minutes)))

    @property
    def symbols(self) -> pd.DataFrame:
        """The listed companies, one row each.

        Columns: ``symbol``, ``company``, ``sector``, ``exchange``, ``price`` (at the start), ``beta`` (to the market
        factor), ``own_volatility`` (per year, what is shared with no other), ``volatility`` (per year, of the whole
        diffusion: jumps and news come on top), ``trades_per_session`` (mean number).
        """
        return self._market.symbols.copy()

    @property
    def correlation(self) -> pd.DataFrame:
        """The correlation of the symbols' diffusive returns, symbol by symbol (float64)."""
        return self._market.correlation()

    @property
    def agencies(self) -> pd.DataFrame:
        """The news agencies: ``agency`` and ``error``, the standard deviation of impact about its sentiment's.

        The error is on the log price: ``impact`` is ``news_impact * sentiment`` plus a normal error of that size.
        """
        errors = np.array(list(AGENCIES.values())) * self._market.news_impact
        return pd.DataFrame({"agency": list(AGENCIES), "error": errors})

    @property
    def rhythm(self) -> pd.Series[float]:
        """How busy each minute of a session is (index 0 to 389), relative to the mean of 1."""
        return pd.Series(session_rhythm(), pd.RangeIndex(SESSION_MINUTES, name="minute"), name="rhythm")

    @property
    def kinds(self) -> Kinds:
        """Categories, prices and turnover as float64, counts and window_start_ms as Int64."""
        return {
            "symbol": tuple(self._market.symbols["symbol"]),
            "exchange": EXCHANGES,
            "trade_id": "Int64",
            "price": "float64",
            "size": "Int64",
            "side": ("buy", "sell"),
            "agency": tuple(AGENCIES),
            "headline": self._headlines,
            "sentiment": "float64",
            "window_start_ms": "Int64",
            "trades": "Int64",
            "volume": "Int64",
            "turnover": "float64",
        }

    @property
    def truth_kinds(self) -> Kinds:
        """Three numbers, described at the class."""
        return {"efficient_price": "float64", "jump": "float64", "impact": "float64"}

    def _blocks(self) -> Iterator[Block]:
        clock = SessionClock(self.start)
        trading = Trading(self._market, clock)
        number = 0
        while True:
            first = clock.first + number * self._block_minutes
            yield trading.block(self._rng(_TRADING, number), first, self._block_minutes)
            number += 1
