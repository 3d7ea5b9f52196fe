"""The trading itself: news, trades and minutes of one block after the other, with what they leave to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kafkalab.simulation.source import MISSING, Block, Columns
from kafkalab.simulation.stocks_clock import MINUTE_MS, SESSION_MINUTES, SessionClock, session_rhythm
from kafkalab.simulation.stocks_market import MARKET_VOLATILITY, SECTOR_VOLATILITY, SESSIONS_PER_YEAR, Market
from kafkalab.simulation.stocks_names import AGENCIES, EXCHANGES, HEADLINES, SECTORS
from kafkalab.simulation.stocks_paths import Decay, Groups, Walks

__all__ = ["ATTENTION", "EXPECTED_RETURN", "HALF_SPREAD", "JUMP_SIZE", "Trading"]

EXPECTED_RETURN = 0.06  # per year
HALF_SPREAD = 0.0002  # of the price
JUMP_SIZE = 0.02  # standard deviation of a jump of the log price
ATTENTION = 4.0  # how many times its usual trades a symbol has in addition right after news of sentiment 1 or -1
_PRICES, _VOLUMES, _NEWS = range(3)

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _News:
    """News items of a block in the order of time; ``minute`` counts from its beginning."""

    minute: Ints
    offset_ms: Ints
    symbol: Ints
    agency: Ints
    headline: Ints  # position in HEADLINES
    sentiment: Floats
    impact: Floats


@dataclass(frozen=True)
class _Rows:
    """All rows of a block in the order of time; those of each topic are in the order of their own tables."""

    topic: Ints
    minute: Ints
    offset_ms: Ints
    symbol: Ints
    of: tuple[Ints, ...]  # the rows of each topic

    def column(self, topic: int, values: npt.NDArray[Any], missing: float) -> npt.NDArray[Any]:
        """Return these values at the rows of a topic, and what stands for a missing one elsewhere."""
        spread = np.full(len(self.topic), missing, values.dtype)
        spread[self.of[topic]] = values
        return spread


class Trading:
    """A market that trades from ``clock.first`` on, block by block.

    Args:
        market: who is listed, and the numbers of the model.
        clock: the trading hours.
    """

    def __init__(self, market: Market, clock: SessionClock) -> None:
        self._market, self._clock = market, clock
        self._sector, self._exchange = market.codes("sector", SECTORS), market.codes("exchange", EXCHANGES)
        self._log_price = np.log(market.numbers("price"))
        self._trades_per_minute = market.numbers("trades_per_session") / SESSION_MINUTES
        self._rhythm = session_rhythm()
        begin = clock.price_clock(np.array([clock.first])).item()
        self._walks = [Walks(groups, begin) for groups in (1, len(SECTORS), len(market.symbols))]
        self._unpriced = Decay(len(market.symbols), market.news_minutes)
        self._attention = Decay(len(market.symbols), market.news_minutes)
        self._trade_ids = np.zeros(len(EXCHANGES), np.int64)

    def block(self, rng: np.random.Generator, first: int, length: int) -> Block:
        """Trade ``length`` minutes from minute ``first`` on."""
        news = self._draw_news(rng, length)
        trades = self._count_trades(rng, first + np.arange(length), news)
        rows = _merge(rng, news, trades)
        log_price, jumps = self._move_prices(rng, first, length, rows, news)
        sent: Columns = {
            "topic": rows.topic,
            "timestamp_ms": self._clock.minute_ms(first + np.arange(length))[rows.minute] + rows.offset_ms,
            "symbol": rows.symbol,
            "exchange": self._exchange[rows.symbol],
            **self._trade(rng, rows, log_price),
            **_news_columns(rows, news, len(self._log_price)),
        }
        truth: Columns = {
            "efficient_price": np.round(np.exp(log_price), 4),
            "jump": jumps,
            "impact": rows.column(_NEWS, news.impact, np.nan),
        }
        return Block(sent | self._volumes(rows, sent, trades, first), truth)

    def _draw_news(self, rng: np.random.Generator, length: int) -> _News:
        symbols = len(self._log_price)
        count = rng.poisson(self._market.news_per_session * symbols * length / SESSION_MINUTES)
        minute, offset_ms = np.divmod(np.sort(rng.integers(0, length * MINUTE_MS, count)), MINUTE_MS)
        headline, agency = rng.integers(0, len(HEADLINES), count), rng.integers(0, len(AGENCIES), count)
        tone = np.array([tone for _, tone in HEADLINES])[headline]
        sentiment = np.round(tone + rng.uniform(-0.1, 0.1, count), 2)
        error = np.array(list(AGENCIES.values()))[agency] * rng.standard_normal(count)
        impact = np.round(self._market.news_impact * (sentiment + error), 6)
        symbol = rng.integers(0, symbols, count)
        return _News(minute, offset_ms, symbol, agency, headline, sentiment, impact)

    def _count_trades(self, rng: np.random.Generator, minutes: Ints, news: _News) -> Ints:
        """Draw how many trades each minute (rows) has of each symbol (columns)."""
        usual = self._rhythm[minutes % SESSION_MINUTES, np.newaxis] * self._trades_per_minute
        shocks = np.zeros(usual.shape)
        np.add.at(shocks, (news.minute, news.symbol), ATTENTION * np.abs(news.sentiment))
        # Attention saturates: several items together bring no more than the strongest one could.
        attention = np.minimum(self._attention.before_minutes(shocks), ATTENTION)
        busier = np.round(1 + attention, 6)
        counts: Ints = rng.poisson(usual * busier)
        return counts

    def _move_prices(
        self, rng: np.random.Generator, first: int, length: int, rows: _Rows, news: _News
    ) -> tuple[Floats, Floats]:
        """Move every price to each of its rows: the log price without spread and rounding there, and its jumps."""
        within = rows.offset_ms / MINUTE_MS
        clock = self._clock.price_clock(first + rows.minute, within)
        market, sectors, symbols = self._walks
        sector = self._sector[rows.symbol]
        all_rows = Groups(np.zeros(len(clock), np.int8), 1)
        by_sector, by_symbol = Groups(sector, len(SECTORS)), Groups(rows.symbol, len(self._log_price))
        elapsed = symbols.elapsed(by_symbol, clock)
        jumps = self._draw_jumps(rng, elapsed)
        steps = self._own_steps(rng, rows.symbol, elapsed) + jumps
        steps[rows.of[_NEWS]] += news.impact
        yearly = self._market.numbers("beta")[rows.symbol] * MARKET_VOLATILITY * market.brownian(all_rows, clock, rng)
        yearly += SECTOR_VOLATILITY * sectors.brownian(by_sector, clock, rng)
        # News is in the walk at once; what prices have not yet taken in is taken off again.
        shocks = (rows.of[_NEWS], news.impact)
        unpriced = self._unpriced.at_rows(by_symbol, rows.symbol, rows.minute + within, shocks, length)
        own = symbols.go(by_symbol, clock, steps)
        return self._log_price[rows.symbol] + yearly / np.sqrt(SESSIONS_PER_YEAR) + own - unpriced, jumps

    def _draw_jumps(self, rng: np.random.Generator, elapsed: Floats) -> Floats:
        counts = rng.poisson(self._market.jumps_per_session * elapsed)
        jumped = np.flatnonzero(counts)
        jumps = np.zeros(len(elapsed))
        jumps[jumped] = np.round(JUMP_SIZE * np.sqrt(counts[jumped]) * rng.standard_normal(len(jumped)), 6)
        return jumps

    def _own_steps(self, rng: np.random.Generator, symbol: Ints, elapsed: Floats) -> Floats:
        """Draw the diffusion that a symbol shares with no other, and the drift that makes it a geometric one."""
        market = self._market
        drift = (EXPECTED_RETURN - market.numbers("volatility") ** 2 / 2) / SESSIONS_PER_YEAR
        drift -= market.jumps_per_session * JUMP_SIZE**2 / 2
        scale = market.numbers("own_volatility") / np.sqrt(SESSIONS_PER_YEAR)
        steps: Floats = drift[symbol] * elapsed
        steps += scale[symbol] * np.sqrt(elapsed) * rng.standard_normal(len(elapsed))
        return steps

    def _trade(self, rng: np.random.Generator, rows: _Rows, log_price: Floats) -> Columns:
        trades = rows.of[_PRICES]
        sells = rng.integers(0, 2, len(trades), np.int8)
        quoted = np.exp(log_price[trades]) * (1 + HALF_SPREAD * (1 - 2 * sells))
        size = 1 + np.exp(4 + rng.standard_normal(len(trades))).astype(np.int64)
        return {
            "trade_id": rows.column(_PRICES, self._number(self._exchange[rows.symbol[trades]]), MISSING),
            "price": rows.column(_PRICES, np.maximum(np.rint(quoted * 100), 1) / 100, np.nan),
            "size": rows.column(_PRICES, size, MISSING),
            "side": rows.column(_PRICES, sells, -1),
        }

    def _number(self, exchange: Ints) -> Ints:
        """Number trades through, each exchange its own from 1."""
        ids = np.empty(len(exchange), np.int64)
        for code in range(len(EXCHANGES)):
            own = np.flatnonzero(exchange == code)
            ids[own] = self._trade_ids[code] + 1 + np.arange(len(own))
            self._trade_ids[code] += len(own)
        return ids

    def _volumes(self, rows: _Rows, sent: Columns, trades: Ints, first: int) -> Columns:
        """Add up each symbol's trades of each minute that has any."""
        traded = rows.of[_PRICES]
        cell = rows.minute[traded] * trades.shape[1] + rows.symbol[traded]
        size, price = sent["size"][traded], sent["price"][traded]
        minute, symbol = np.nonzero(trades)
        # Summed in whole cents, which float64 has exactly.
        volume, cents = (
            np.bincount(cell, weights, trades.size).reshape(trades.shape)[minute, symbol]
            for weights in (size, size * np.rint(price * 100))
        )
        return {
            "window_start_ms": rows.column(_VOLUMES, self._clock.minute_ms(first + minute), MISSING),
            "trades": rows.column(_VOLUMES, trades[minute, symbol], MISSING),
            "volume": rows.column(_VOLUMES, volume.astype(np.int64), MISSING),
            "turnover": rows.column(_VOLUMES, cents / 100, np.nan),
        }


def _merge(rng: np.random.Generator, news: _News, trades: Ints) -> _Rows:
    """Bring a block's minutes (at their end), news and trades into the order of time."""
    lengths, symbols = trades.shape
    per_cell = trades.ravel()
    minute = np.repeat(np.repeat(np.arange(lengths), symbols), per_cell)
    symbol = np.repeat(np.tile(np.arange(symbols), lengths), per_cell)
    ended, ended_symbol = np.nonzero(trades)
    # In this order at the same millisecond, since sorting is stable.
    parts = (
        (_VOLUMES, ended, np.full(len(ended), MINUTE_MS), ended_symbol),
        (_NEWS, news.minute, news.offset_ms, news.symbol),
        (_PRICES, minute, rng.integers(0, MINUTE_MS, len(minute)), symbol),
    )
    topic = np.concatenate([np.full(len(part[1]), part[0], np.int8) for part in parts])
    minute, offset_ms, symbol = (np.concatenate([part[number] for part in parts]) for number in (1, 2, 3))
    order = np.argsort(minute * MINUTE_MS + offset_ms, kind="stable")
    topic = topic[order]
    of_topic = tuple(np.flatnonzero(topic == code) for code in range(len(parts)))
    return _Rows(topic, minute[order], offset_ms[order], symbol[order].astype(np.int16), of_topic)


def _news_columns(rows: _Rows, news: _News, symbols: int) -> Columns:
    text = news.headline * symbols + news.symbol
    return {
        "agency": rows.column(_NEWS, news.agency.astype(np.int8), -1),
        "headline": rows.column(_NEWS, text.astype(np.int16), -1),
        "sentiment": rows.column(_NEWS, news.sentiment, np.nan),
    }
