"""Crypto prices: coins that trade around the clock, as several sources report them that disagree a little."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator, Sequence
from typing import ClassVar, NamedTuple

import numpy as np
import pandas as pd

from kafkalab.errors import InvalidArgument
from kafkalab.simulation.arguments import checked_number, checked_whole
from kafkalab.simulation.crypto_feeds import FEEDS, Feeds, Quotes
from kafkalab.simulation.crypto_market import COINS, REGIMES, Coin, Market, Stretch
from kafkalab.simulation.source import Block, Kinds, Source, TopicPlan

__all__ = ["Crypto", "Quote", "Tick"]

_FIRST_PRICES, _PRICES = 100, 20_000  # true prices in a block: the first comes at once, later ones are quick per row
_DAY_BEFORE, _FEEDS, _MARKET, _QUOTES = range(4)  # what a generator is for
_REGIME_NAMES = tuple(regime.name for regime in REGIMES)


class Quote(NamedTuple):
    """What one source says of one coin; the fields are those of a record's value.

    Attributes:
        coin_id: such as ``bitcoin``.
        symbol: such as ``btc``.
        source: such as ``coinatlas``.
        price_usd: US dollars.
        change_24h_pct: percent against 24 hours before.
        volume_24h_usd: US dollars that the source saw traded in 24 hours.
        last_updated_ms: when the source made this quote, milliseconds since 1970 (UTC).
    """

    coin_id: str
    symbol: str
    source: str
    price_usd: float
    change_24h_pct: float
    volume_24h_usd: int
    last_updated_ms: int


class Tick(NamedTuple):
    """One step of the market, for a server of prices to hold until the next.

    Attributes:
        time_ms: when the step begins, milliseconds since 1970 (UTC).
        true_price_usd: coin id -> US dollars, which no source knows exactly.
        quotes: source -> coin id -> what it says.
    """

    time_ms: int
    true_price_usd: dict[str, float]
    quotes: dict[str, dict[str, Quote]]


class Crypto(Source):
    """Coins with volatility regimes, polled from several price sources that disagree a little.

    **Market.** The logarithm of a price is a random walk without drift. Its volatility follows the coin's own regime:
    ``calm`` (50 % of the time, half the coin's volatility), ``normal`` (35 %, the coin's) or ``turbulent`` (15 %, two
    and a half times). A regime is drawn anew at random times, on average every ``regime_hours``: a Markov chain in
    continuous time, exact at any interval (Hamilton 1989, "A New Approach to the Economic Analysis of Nonstationary
    Time Series and the Business Cycle"; for the log-normal model Hardy 2001, "A Regime-Switching Model of Long-Term
    Stock Returns"; on Bitcoin Chappell 2018, "Regime heteroskedasticity in Bitcoin: A comparison of Markov switching
    models"). Real regimes last for days or weeks; these are short, so that a lesson sees some. A market-wide
    factor gives the returns of any two coins a correlation of 0.65. Turnover rises with volatility, 0.7, 1 or 2.2
    times the coin's own. The market never opens or closes: no hour or day is unlike another. What it leaves out:
    jumps, drift, a rhythm of the day, and the real history of any coin.

    **Sources.** Each is asked for each coin once per ``interval_s``, at a moment of its own, and its answer is sent on
    when it arrives, a log-normal latency later (median 60 to 400 ms; at most 40 % of the interval). It differs from
    the true price by the source's constant bias (3 to 15 basis points either way, drawn by the seed) and by noise (2
    to 9 basis points), the same until the source updates: every 1 to 60 s. And it freezes at times, for five minutes
    on average: it goes on answering with its last quote, which only ``last_updated_ms`` gives away. Prices of a coin
    do differ between exchanges, by more than this at times (Makarov and Schoar 2020, "Trading and arbitrage in
    cryptocurrency markets"). The names of the sources are invented; ids and symbols of the coins are CoinGecko's,
    their prices a day before the start about those of March 2025.

    **Topic.** ``crypto-price-updates`` (6 partitions suit it), key = coin id, value = the fields of :class:`Quote`:
    ``coin_id``, ``symbol``, ``source``, ``price_usd`` (rounded as exchanges do), ``change_24h_pct``,
    ``volume_24h_usd`` (all exchanges together from an aggregator, its own turnover from an exchange) and
    ``last_updated_ms``. A record's time is that of arrival, and never goes back.

    **Truth.** :meth:`truth` has for each record ``regime`` (category), ``true_price_usd`` (float64, of the step it
    was asked in) and ``frozen`` (bool, whether the source hung). :attr:`sources` has their biases, :meth:`true_prices`
    the market itself.

    Args:
        seed: a whole number from 0.
        start: simulated time of the first step; see :class:`~kafkalab.simulation.source.Source`.
        coins: how many, 1 to 20 in the order of :data:`~kafkalab.simulation.crypto_market.COINS`, or their ids.
        sources: how many, 1 to 5 in the order of :data:`~kafkalab.simulation.crypto_feeds.FEEDS`.
        interval_s: simulated seconds between two questions to a source for a coin, 1 to 3600; with the defaults
            3 records come per simulated second.
        regime_hours: mean simulated hours between two draws of a coin's regime, 0.01 to 10000.
        disagreement: factor on biases and noise, 0 to 20; at 0 every quote is the true price of when it
            was made.
        frozen_share: share of the time that a source hangs, 0 to 0.9.

    Raises:
        InvalidArgument: a value outside these ranges, or an unknown coin.
    """

    topics: ClassVar = {"crypto-price-updates": TopicPlan("coin_id", Quote._fields)}

    def __init__(
        self,
        seed: int = 0,
        start: str | dt.datetime | None = None,
        *,
        coins: int | Sequence[str] = 10,
        sources: int = 3,
        interval_s: float = 10.0,
        regime_hours: float = 2.0,
        disagreement: float = 1.0,
        frozen_share: float = 0.02,
    ) -> None:
        super().__init__(seed, start)
        self._coins = _chosen_coins(coins)
        self._feeds = FEEDS[: checked_whole("sources", sources, 1, len(FEEDS))]
        self._interval_ms = round(1000 * checked_number("interval_s", interval_s, 1, 3600))
        self._regime_hours = checked_number("regime_hours", regime_hours, 0.01, 10_000)
        self._disagreement = checked_number("disagreement", disagreement, 0, 20)
        self._frozen_share = checked_number("frozen_share", frozen_share, 0, 0.9)

    @property
    def kinds(self) -> Kinds:
        """The columns of a quote; see :class:`Quote`."""
        return {
            "coin_id": tuple(coin.id for coin in self._coins),
            "symbol": tuple(coin.symbol for coin in self._coins),
            "source": tuple(feed.name for feed in self._feeds),
            "price_usd": "float64",
            "change_24h_pct": "float64",
            "volume_24h_usd": "int64",
            "last_updated_ms": "int64",
        }

    @property
    def truth_kinds(self) -> Kinds:
        """The columns of the truth: regime of the coin, its true price, whether the source hung."""
        return {"regime": _REGIME_NAMES, "true_price_usd": "float64", "frozen": "bool"}

    @property
    def coins(self) -> pd.DataFrame:
        """The coins: ``coin_id``, ``symbol``, ``name``, ``price_usd`` (a day before the start), ``decimals`` (of a
        quote), ``volatility`` (of a year, in the regime ``normal``), ``turnover_usd`` (of a day, likewise).
        """
        columns = ["coin_id", "symbol", "name", "price_usd", "decimals", "volatility", "turnover_usd"]
        return pd.DataFrame(self._coins, columns=columns)

    @property
    def sources(self) -> pd.DataFrame:
        """The sources and what is true of them: ``source``, ``kind`` (aggregator or exchange), ``volume_share``,
        ``refresh_s``, ``noise_bp``, ``latency_ms`` (median), ``bias_bp`` (basis points above the true price).
        """
        columns = ["source", "kind", "volume_share", "refresh_s", "noise_bp", "latency_ms"]
        table = pd.DataFrame(self._feeds, columns=columns)
        return table.assign(noise_bp=self._disagreement * table["noise_bp"], bias_bp=self._new_feeds().bias_bp)

    def ticks(self) -> Iterator[Tick]:
        """Iterate the market step by step, for ever: the true prices and what every source says.

        For a server of prices: each tick holds for ``interval_s``. The quotes are those of :meth:`records`.
        """
        coin_ids = [coin.id for coin in self._coins]
        times = itertools.count(self.start_ms, self._interval_ms)
        for market, quotes in self._quoted():
            for step, prices in enumerate(market.price.tolist()):
                yield Tick(next(times), dict(zip(coin_ids, prices, strict=True)), self._quotes_at(quotes, step))

    def true_prices(self, steps: int) -> pd.DataFrame:
        """Return the market of the first ``steps`` steps, one row for each step and coin.

        It hangs on the seed, the start, the coins, ``interval_s`` and ``regime_hours``; not on the sources.
        Columns are ``time_ms`` (int64, when the step begins), ``coin_id`` (category), ``price_usd`` (float64) and
        ``regime`` (category).

        Raises:
            InvalidArgument: ``steps`` is no whole number from 0 to 1,000,000,000.
        """
        count = checked_whole("steps", steps, 0, 10**9)
        markets = self._markets()
        parts = [next(markets)]
        while sum(len(part.price) for part in parts) < count:
            parts.append(next(markets))
        coin_ids = pd.Index([coin.id for coin in self._coins])
        price = np.concatenate([part.price for part in parts])[:count].ravel()
        regime = np.concatenate([part.regime for part in parts])[:count].ravel()
        columns = {
            "time_ms": np.repeat(self.start_ms + self._interval_ms * np.arange(count), len(coin_ids)),
            "coin_id": pd.Categorical.from_codes(np.tile(np.arange(len(coin_ids)), count), coin_ids),
            "price_usd": price,
            "regime": pd.Categorical.from_codes(regime, pd.Index(_REGIME_NAMES)),
        }
        return pd.DataFrame(columns)

    def _markets(self) -> Iterator[Stretch]:
        market = Market(self._rng(_DAY_BEFORE), self._coins, self._interval_ms, self._regime_hours)
        for number in itertools.count():
            # By coins alone, so that the market is the same whatever the sources.
            yield market.advance(self._rng(_MARKET, number), min(_PRICES, _FIRST_PRICES << min(number, 16)))

    def _quoted(self) -> Iterator[tuple[Stretch, Quotes]]:
        feeds = self._new_feeds()
        for number, market in enumerate(self._markets()):
            yield market, feeds.advance(self._rng(_QUOTES, number), market)

    def _new_feeds(self) -> Feeds:
        return Feeds(
            self._rng(_FEEDS),
            self._feeds,
            self._coins,
            start_ms=self.start_ms,
            interval_ms=self._interval_ms,
            disagreement=self._disagreement,
            frozen_share=self._frozen_share,
        )

    def _quotes_at(self, quotes: Quotes, step: int) -> dict[str, dict[str, Quote]]:
        columns = (quotes.price, quotes.change, quotes.volume, quotes.updated_ms)
        lines = zip(self._feeds, *(column[step].tolist() for column in columns), strict=True)
        return {
            feed.name: {
                coin.id: Quote(coin.id, coin.symbol, feed.name, *values)
                for coin, *values in zip(self._coins, *columns_of_feed, strict=True)
            }
            for feed, *columns_of_feed in lines
        }

    def _blocks(self) -> Iterator[Block]:
        for market, quotes in self._quoted():
            yield _block(market, quotes)


def _block(market: Stretch, quotes: Quotes) -> Block:
    """Lay out one row for each step, source and coin, in the order of arrival."""
    steps, feeds, coins = quotes.price.shape
    # What is asked for in one step arrives before the next begins, so sorting within steps is enough.
    order = quotes.arrived_ms.reshape(steps, feeds * coins).argsort(axis=1, kind="stable")
    rows = (order + feeds * coins * np.arange(steps)[:, np.newaxis]).ravel()
    feed, coin = np.divmod(order.ravel().astype(np.int8), coins)
    step_of = np.repeat(np.arange(steps), feeds * coins)
    prices = step_of * coins + coin
    sent = {
        "topic": np.zeros(len(rows), np.int8),
        "timestamp_ms": quotes.arrived_ms.ravel()[rows],
        "coin_id": coin,
        "symbol": coin,
        "source": feed,
        "price_usd": quotes.price.ravel()[rows],
        "change_24h_pct": quotes.change.ravel()[rows],
        "volume_24h_usd": quotes.volume.ravel()[rows],
        "last_updated_ms": quotes.updated_ms.ravel()[rows],
    }
    truth = {
        "regime": market.regime.ravel()[prices],
        "true_price_usd": market.price.ravel()[prices],
        "frozen": quotes.frozen.ravel()[step_of * feeds + feed],
    }
    return Block(sent, truth)


def _chosen_coins(coins: object) -> tuple[Coin, ...]:
    known = {coin.id: coin for coin in COINS}
    if isinstance(coins, str) or not isinstance(coins, Sequence):
        return COINS[: checked_whole("coins", coins, 1, len(COINS))]
    # Looked up in a list, for an entry may be unhashable.
    if unknown := [coin for coin in coins if coin not in list(known)]:
        raise InvalidArgument(f"coins={coins!r} has {unknown[0]!r}, which is not one of {', '.join(known)}.")
    if not coins or len(set(coins)) < len(coins):
        raise InvalidArgument(f"coins={coins!r} is not possible: give one id or more, each once.")
    return tuple(known[coin] for coin in coins)
