"""The coins of ``kafkalab.simulation.Crypto`` as a plain loop: the same model, topic and fields, other numbers."""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Iterator
from random import Random

from kafkalab.simulation.crypto_feeds import BIAS_BP, FEEDS, FREEZE_MS, LATENCY_SPREAD, Feed
from kafkalab.simulation.crypto_market import COINS, CORRELATION, DAY_MS, REGIMES, Coin

__all__ = ["records"]

_START_MS, _INTERVAL_MS, _CANDLE_STEPS = 1_740_960_000_000, 10_000, 6
_REGIME_MS, _FROZEN_SHARE, _LONGEST_LATENCY = 7_200_000, 0.02, 0.4
_SHARES = [regime.share for regime in REGIMES]


class _Market:
    """One coin's true market."""

    def __init__(self, coin: Coin, rng: Random) -> None:
        self.coin = coin
        self.rng = rng
        self.regime = rng.choices(REGIMES, _SHARES)[0]
        self.log_price = math.log(coin.price)
        self.traded = 0.0
        self.day: deque[tuple[float, float]] = deque(maxlen=DAY_MS // (_CANDLE_STEPS * _INTERVAL_MS))

    def step(self, common: float, ms: int) -> None:
        rng, coin = self.rng, self.coin
        if rng.random() < 1 - math.exp(-ms / _REGIME_MS):
            self.regime = rng.choices(REGIMES, _SHARES)[0]
        shock = math.sqrt(CORRELATION) * common + math.sqrt(1 - CORRELATION) * rng.gauss(0, 1)
        self.log_price += math.sqrt(ms / (365 * DAY_MS)) * self.regime.volatility * coin.volatility * shock
        trades = rng.gammavariate(ms / 10_000, 10_000 / DAY_MS)
        self.traded += self.regime.turnover * coin.turnover * trades
        then, traded = self.day[0] if self.day else (self.log_price, 0.0)
        self.price = math.exp(self.log_price)
        self.change = round(100 * math.expm1(self.log_price - then), 2)
        self.volume = self.traded - traded

    def close_candle(self) -> None:
        self.day.append((self.log_price, self.traded))


class _Feed:
    """One source's quotes of all coins."""

    def __init__(self, feed: Feed, coins: int, rng: Random) -> None:
        self.feed = feed
        self.rng = rng
        self.bias = rng.choice((-1, 1)) * round(rng.uniform(*BIAS_BP), 1) * 1e-4
        self.every = max(1, round(1000 * feed.refresh_s / _INTERVAL_MS))
        self.turns = [rng.randrange(self.every) for _ in range(coins)]
        self.moments = [rng.randrange(int((1 - _LONGEST_LATENCY) * _INTERVAL_MS)) for _ in range(coins)]
        self.said: list[tuple[float, float, int, int]] = [(0.0, 0.0, 0, 0)] * coins
        self.frozen = False

    def step(self, number: int, markets: list[_Market]) -> Iterator[tuple[int, str, bytes]]:
        rng, feed = self.rng, self.feed
        if rng.random() < 1 - math.exp(-_INTERVAL_MS / (FREEZE_MS * (1 - _FROZEN_SHARE))):
            self.frozen = rng.random() < _FROZEN_SHARE
        for index, market in enumerate(markets):
            coin = market.coin
            asked = _START_MS + number * _INTERVAL_MS + self.moments[index]
            if number == 0 or (not self.frozen and (number + self.turns[index]) % self.every == 0):
                price = market.price * (1 + self.bias + feed.noise_bp * 1e-4 * rng.gauss(0, 1))
                volume = round(market.volume * feed.volume_share)
                self.said[index] = (round(price, coin.decimals), market.change, volume, asked)
            latency = feed.latency_ms * math.exp(LATENCY_SPREAD * rng.gauss(0, 1))
            price, change, volume, updated = self.said[index]
            value = {
                "coin_id": coin.id,
                "symbol": coin.symbol,
                "source": feed.name,
                "price_usd": price,
                "change_24h_pct": change,
                "volume_24h_usd": volume,
                "last_updated_ms": updated,
            }
            arrived = asked + round(min(latency, _LONGEST_LATENCY * _INTERVAL_MS))
            yield arrived, coin.id, json.dumps(value).encode()


def records(seed: int, n: int) -> Iterator[tuple[str, bytes, bytes, int]]:
    """Iterate ``n`` records of ten coins and three sources: topic, key, value, time in milliseconds since 1970."""
    left = n
    for number, markets, feeds in _steps(Random(seed)):
        arrivals = [arrival for feed in feeds for arrival in feed.step(number, markets)]
        arrivals.sort(key=lambda arrival: arrival[0])
        for time, coin, value in arrivals[:left]:
            yield "crypto-price-updates", coin.encode(), value, time
        left -= len(arrivals)
        if left <= 0:
            return


def _steps(rng: Random) -> Iterator[tuple[int, list[_Market], list[_Feed]]]:
    markets = [_Market(coin, rng) for coin in COINS[:10]]
    feeds = [_Feed(feed, len(markets), rng) for feed in FEEDS[:3]]
    candles = DAY_MS // (_CANDLE_STEPS * _INTERVAL_MS)
    number = -candles
    while True:
        common = rng.gauss(0, 1)
        for market in markets:
            market.step(common, _INTERVAL_MS if number >= 0 else _CANDLE_STEPS * _INTERVAL_MS)
            if number < 0 or number % _CANDLE_STEPS == _CANDLE_STEPS - 1:
                market.close_candle()
        if number >= 0:
            yield number, markets, feeds
        number += 1
