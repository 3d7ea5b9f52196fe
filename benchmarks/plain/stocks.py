"""The stock market of kafkalab.simulation.stocks as a plain Python loop: the same model, other numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from random import Random
from typing import Any

from kafkalab.simulation.stocks_names import AGENCIES, EXCHANGES, HEADLINES, companies

__all__ = ["records"]

SYMBOLS, TRADES, NEWS, JUMPS, IMPACT, SPAN = 12, 1000, 3, 0.2, 0.01, 5
MONDAY_OPEN_MS = 1_672_651_800_000  # 2023-01-02 09:30 UTC
Line = tuple[str, dict[str, Any], int]


@dataclass
class Path:
    """A Brownian motion, where and when it was last looked at."""

    value: float = 0.0
    clock: float = 0.2

    def at(self, clock: float, rng: Random) -> float:
        self.value += rng.gauss(0, math.sqrt((clock - self.clock) / 252))
        self.clock = clock
        return self.value


@dataclass
class Stock:
    names: dict[str, str]
    company: str
    beta: float
    volatility: float
    log_price: float  # without the diffusions
    trades_per_minute: float
    sector: Path
    own: Path
    price: float = 0.0
    minute: float = 0.0  # of trading, when the price was last looked at
    unpriced: float = 0.0
    attention: float = 0.0
    trades: int = 0  # of this minute, as the two below
    volume: int = 0
    turnover: float = 0.0


def records(seed: int, n: int) -> Iterator[tuple[str, bytes, bytes, int]]:
    """Iterate n records as topic, key, value and timestamp in milliseconds."""
    for topic, value, timestamp_ms in islice(trade(Random(seed)), n):
        yield topic, value["symbol"].encode(), json.dumps(value).encode(), timestamp_ms


def trade(rng: Random) -> Iterator[Line]:
    market, stocks, trade_ids = Path(), listed(rng), dict.fromkeys(EXCHANGES, 0)
    rhythm = [0.6 + 1.6 * ((2 * minute + 1) / 390 - 1) ** 2 + 4 * math.exp(-minute / 6) for minute in range(390)]
    mean = sum(rhythm) / 390
    for session in count():
        opened = MONDAY_OPEN_MS + (session // 5 * 7 + session % 5) * 86_400_000
        clock = session + 0.2
        for minute, busy in enumerate(rhythm):
            began, pace = opened + minute * 60_000, 0.8 * busy / mean / 390
            for within, stock, is_news in events(rng, stocks, busy / mean):
                move(rng, stock, market, clock + pace * within, session * 390 + minute + within)
                yield (*(news(rng, stock) if is_news else deal(rng, stock, trade_ids)), began + int(within * 60_000))
            yield from volumes(stocks, began)
            clock += pace


def listed(rng: Random) -> list[Stock]:
    sectors: dict[str, Path] = {}
    popularity = [rng.lognormvariate(0, 0.6) for _ in range(SYMBOLS)]
    stocks = []
    for (symbol, company, sector), popular in zip(companies(SYMBOLS).to_numpy().tolist(), popularity, strict=True):
        names = {"symbol": symbol, "exchange": rng.choice(EXCHANGES)}
        log_price = rng.uniform(math.log(20), math.log(400))
        rate = TRADES / 390 * popular / sum(popularity) * SYMBOLS
        beta, own = rng.uniform(0.6, 1.5), rng.uniform(0.15, 0.3)
        path = sectors.setdefault(sector, Path())
        stocks.append(Stock(names, company, beta, own, log_price, rate, path, Path()))
    return stocks


def events(rng: Random, stocks: list[Stock], busy: float) -> list[tuple[float, Stock, bool]]:
    """Draw the moments of a minute's trades and news, in order."""
    found = []
    for stock in stocks:
        for rate, is_news in (
            (stock.trades_per_minute * busy * (1 + min(stock.attention, 4)), False),
            (NEWS / 390, True),
        ):
            moment = rng.expovariate(rate)
            while moment < 1:
                found.append((moment, stock, is_news))
                moment += rng.expovariate(rate)
        stock.attention *= math.exp(-1 / SPAN)
    return sorted(found, key=lambda event: event[0])


def move(rng: Random, stock: Stock, market: Path, clock: float, minute: float) -> None:
    """Move a price to now: jumps, drift, what news still had to do, and the three diffusions."""
    elapsed = clock - stock.own.clock
    left = stock.unpriced * math.exp(-(minute - stock.minute) / SPAN)
    variance = (stock.beta * 0.15) ** 2 + 0.12**2 + stock.volatility**2
    stock.log_price += stock.unpriced - left + ((0.06 - variance / 2) / 252 - JUMPS * 0.0002) * elapsed
    if rng.random() < JUMPS * elapsed:
        stock.log_price += rng.gauss(0, 0.02)
    stock.unpriced, stock.minute = left, minute
    diffused = stock.beta * 0.15 * market.at(clock, rng) + 0.12 * stock.sector.at(clock, rng)
    stock.price = math.exp(stock.log_price + diffused + stock.volatility * stock.own.at(clock, rng))


def deal(rng: Random, stock: Stock, trade_ids: dict[str, int]) -> tuple[str, dict[str, Any]]:
    exchange = stock.names["exchange"]
    trade_ids[exchange] += 1
    side = rng.choice(("buy", "sell"))
    paid = max(round(stock.price * (1.0002 if side == "buy" else 0.9998), 2), 0.01)
    size = 1 + int(rng.lognormvariate(4, 1))
    stock.trades, stock.volume, stock.turnover = stock.trades + 1, stock.volume + size, stock.turnover + paid * size
    value = {**stock.names, "trade_id": trade_ids[exchange], "price": paid, "size": size, "side": side}
    return "stock-prices", value


def news(rng: Random, stock: Stock) -> tuple[str, dict[str, Any]]:
    (text, tone), (agency, error) = rng.choice(HEADLINES), rng.choice(list(AGENCIES.items()))
    sentiment = round(tone + rng.uniform(-0.1, 0.1), 2)
    stock.unpriced += IMPACT * (sentiment + rng.gauss(0, error))
    stock.attention += 4 * abs(sentiment)
    headline = text.format(company=stock.company)
    return "news-sentiment", {**stock.names, "agency": agency, "headline": headline, "sentiment": sentiment}


def volumes(stocks: list[Stock], began: int) -> Iterator[Line]:
    """Close a minute."""
    for stock in stocks:
        if stock.trades:
            sums = {"trades": stock.trades, "volume": stock.volume, "turnover": round(stock.turnover, 2)}
            yield "trading-volumes", {**stock.names, "window_start_ms": began, **sums}, began + 60_000
            stock.trades, stock.volume, stock.turnover = 0, 0, 0.0
