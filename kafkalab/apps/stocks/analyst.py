"""The analyst: candles, moving averages and volatility of every symbol, minute by minute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import fsum, log, sqrt
from typing import Any, ClassVar

from kafkalab.apps.merge import Received
from kafkalab.apps.output import Output
from kafkalab.apps.task import Task

__all__ = ["Analyst", "Candle"]

_AVERAGED = 20  # candles
_FEWEST_RETURNS = 5


@dataclass(frozen=True, slots=True)
class Candle(Output):
    """The trades of a symbol in one minute; ``time_ms`` is when the minute begins.

    Attributes:
        symbol: whose.
        open, high, low, close: prices.
        volume: shares.
        trades: how many.
        moving_average: mean of the last 20 closes, this one included, of fewer at the start.
        volatility: standard deviation of the log returns between the last 21 closes, per candle; None before there
            are five returns.
    """

    key: ClassVar = "symbol"
    symbol: str
    open: float
    high: float
    low: float
    close: float
    volume: int
    trades: int
    moving_average: float
    volatility: float | None


class Analyst(Task):
    """Watches the market and says nothing to anybody: charts are made of its candles.

    Reads ``stock-prices``. Its key is the symbol, so that one partition has all trades of a symbol, in order, and is
    all that a candle waits for: members of the group can share the partitions. Gives a :class:`Candle` for each
    symbol and minute with trades, once a trade of a later minute was seen in the partition.
    """

    reads: ClassVar = ("stock-prices",)
    gives: ClassVar = (Candle,)
    together: ClassVar = "input"

    def take(self, record: Received, now_ms: int) -> None:
        window = self.window(record.timestamp_ms, now_ms)
        if window is None:
            return
        value = record.value
        symbol, price = value["symbol"], value["price"]
        candle = window.get(symbol)
        if candle is None:
            window[symbol] = [price, price, price, price, value["size"], 1]
            return
        if price > candle[1]:
            candle[1] = price
        elif price < candle[2]:
            candle[2] = price
        candle[3] = price
        candle[4] += value["size"]
        candle[5] += 1

    def close(self, start_ms: int, window: Mapping[str, Any]) -> None:
        for symbol, candle in sorted(window.items()):
            closes = self.memory.setdefault(symbol, [])
            closes.append(candle[3])
            del closes[: -_AVERAGED - 1]
            last = closes[-_AVERAGED:]
            fields = (*candle, fsum(last) / len(last), _volatility(closes))
            self.give(Candle(start_ms, symbol, *fields))


def _volatility(closes: Sequence[float]) -> float | None:
    """Return the sample standard deviation of the log returns."""
    returns = [log(after / before) for before, after in pairwise(closes)]
    if len(returns) < _FEWEST_RETURNS:
        return None
    mean = fsum(returns) / len(returns)
    return sqrt(fsum((each - mean) ** 2 for each in returns) / (len(returns) - 1))
