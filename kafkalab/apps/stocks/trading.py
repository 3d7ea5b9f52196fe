"""The trading algorithm: prices joined with news by symbol and event time, a signal each minute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from kafkalab.apps.merge import Received
from kafkalab.apps.output import Output
from kafkalab.apps.task import MINUTE_MS, Task

__all__ = ["Signal", "TradingAlgorithm"]

_IMPACT = 0.01  # what news of sentiment 1 does to a price in the end
_WORTH_IT = 0.003  # of the price: well above the spread
_TAKEN_IN_MS = 15 * MINUTE_MS
_BUY, _HOLD, _SELL = "buy", "hold", "sell"


@dataclass(frozen=True, slots=True)
class Signal(Output):
    """What to do with a symbol; ``time_ms`` is the end of the minute after which it was decided.

    Attributes:
        symbol: of what.
        action: buy, hold or sell.
        price: the last one of the minute.
        sentiment: of the news that it looks at, -1 to 1; None without news.
        to_come: how much the price should still move because of it, as a part of the price.
        reason: in words.
    """

    topic: ClassVar = "trading-signals"
    key: ClassVar = "symbol"
    symbol: str
    action: str
    price: float
    sentiment: float | None
    to_come: float
    reason: str


class TradingAlgorithm(Task):
    """Trades on news that the price has not yet taken in.

    Reads ``stock-prices`` and ``news-sentiment``, and joins them as of a moment: an item of news with the last price
    of its symbol before it. It expects a move of 1 % for sentiment 1, subtracts what the price has moved since, and
    buys or sells where 0.3 % is still to come; after 15 minutes the news is taken in, and what was bought is sold. Of
    several items the last counts.

    Both topics have the symbol as key and must have the same number of partitions (co-partitioning): then all about a
    symbol is in the partitions of one number, and a task waits for no other. News is rare, so that prices wait for
    the next item in their partition, about an hour of simulated time with the usual 36 items a session; see
    :mod:`kafkalab.apps.merge`.

    Writes ``trading-signals``, key = symbol, to the same number of partitions, so that they can be joined with prices
    again. There is a signal for each symbol and minute with trades, hold included: so the topic is never silent, and
    who reads it need not wait long.
    """

    reads: ClassVar = ("stock-prices", "news-sentiment")
    gives: ClassVar = (Signal,)
    together: ClassVar = "partition"

    def take(self, record: Received, now_ms: int) -> None:
        value = record.value
        if record.topic == "news-sentiment":
            self._hear(value, now_ms)
            return
        symbol, price = value["symbol"], value["price"]
        known = self.memory.get(symbol)
        if known is None:
            known = self.memory[symbol] = {"price": price, "news": None}
        known["price"] = price
        window = self.window(record.timestamp_ms, now_ms)
        if window is not None:
            window[symbol] = price

    def _hear(self, news: Mapping[str, Any], now_ms: int) -> None:
        known = self.memory.get(news["symbol"])
        if known is not None:  # else there is no price yet that it could move
            known["news"] = {"time": now_ms, "price": known["price"], **_told(news)}

    def close(self, start_ms: int, window: Mapping[str, Any]) -> None:
        end_ms = start_ms + MINUTE_MS
        for symbol, price in sorted(window.items()):
            self.give(self._signal(symbol, price, end_ms))

    def _signal(self, symbol: str, price: float, now_ms: int) -> Signal:
        known = self.memory[symbol]
        news = known["news"]
        if news is None:
            return Signal(now_ms, symbol, _HOLD, price, None, 0.0, "no news")
        sentiment, minutes = news["sentiment"], (now_ms - news["time"]) // MINUTE_MS
        if now_ms - news["time"] >= _TAKEN_IN_MS:
            known["news"] = None
            return Signal(now_ms, symbol, _SELL, price, sentiment, 0.0, f"news of {minutes} minutes ago is taken in")
        moved = price / news["price"] - 1
        to_come = _IMPACT * sentiment - moved
        reason = f"{news['agency']} {sentiment:+.2f}, {minutes} min ago: {moved:+.2%} so far, {to_come:+.2%} to come"
        return Signal(now_ms, symbol, _action(sentiment, to_come), price, sentiment, to_come, reason)


def _told(news: Mapping[str, Any]) -> dict[str, Any]:
    return {name: news[name] for name in ("sentiment", "agency")}


def _action(sentiment: float, to_come: float) -> str:
    """A price that overshot is no reason to bet on its return."""
    if to_come * sentiment <= 0 or abs(to_come) < _WORTH_IT:
        return _HOLD
    return _BUY if to_come > 0 else _SELL
