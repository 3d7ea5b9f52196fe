"""The decision application: a portfolio that follows the signals within limits, and alerts where a limit is reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas as pd

from kafkalab.apps.merge import Received
from kafkalab.apps.output import Output, as_frame
from kafkalab.apps.task import HOUR_MS, MINUTE_MS, Task

__all__ = ["BUDGET", "Alert", "DecisionMaker", "Trade", "Valuation", "portfolio"]

#: What each symbol's account begins with.
BUDGET = 10_000.0
# In cents: prices are whole cents, so that nothing is ever rounded.
_BUDGET = 1_000_000
_STAKE = 250_000
_POSITION_LIMIT = 500_000
_LOSS_LIMIT = 15_000
_DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Trade(Output):
    """Shares bought or sold; ``time_ms`` is that of the market's trade whose price it took.

    Attributes:
        symbol: of what.
        action: buy or sell.
        shares: how many.
        price: for each.
        cash, position: what the symbol's account has afterwards, money and shares.
    """

    topic: ClassVar = "portfolio-trades"
    key: ClassVar = "symbol"
    symbol: str
    action: str
    shares: int
    price: float
    cash: float
    position: int


@dataclass(frozen=True, slots=True)
class Alert(Output):
    """A limit was reached; ``time_ms`` is when.

    Attributes:
        symbol: in whose account.
        limit: loss or position.
        value: the loss of the day, or what the shares are worth.
        text: what happened and what follows.
    """

    topic: ClassVar = "portfolio-alerts"
    key: ClassVar = "symbol"
    symbol: str
    limit: str
    value: float
    text: str


@dataclass(frozen=True, slots=True)
class Valuation(Output):
    """What an account is worth; ``time_ms`` is the end of a minute with trades.

    Attributes:
        symbol: whose account.
        price: of the symbol, the last one.
        position: shares.
        cash: money.
        equity: cash and shares together.
        profit: equity less the budget.
    """

    key: ClassVar = "symbol"
    symbol: str
    price: float
    position: int
    cash: float
    equity: float
    profit: float


class DecisionMaker(Task):
    """Decides what is bought and sold, and watches the risk.

    Reads ``stock-prices`` and ``trading-signals``, both with the symbol as key and the same number of partitions. A
    signal is carried out at the symbol's next trade, since no one can trade at a price of the past, and without costs.
    A signal that comes again, as after a crash of who wrote it, is older than the last one and changes nothing.

    Every symbol has an account of its own, with a budget of 10,000, and the portfolio is their sum. One purse for all
    would make each purchase wait for the partitions of all other symbols, and hang on their order; so one dead broker
    stops the trade in its partitions only.

    *Limits.* A purchase is of 2,500 at most, and shares are worth 5,000 at most when they are bought (position). Who
    lost 150 in a day sells all and buys nothing until the next day, UTC (loss).

    Writes ``portfolio-trades`` and ``portfolio-alerts``, key = symbol, so that an account's come in order.
    """

    reads: ClassVar = ("stock-prices", "trading-signals")
    gives: ClassVar = (Trade, Alert, Valuation)
    together: ClassVar = "partition"

    def take(self, record: Received, now_ms: int) -> None:
        value = record.value
        symbol = value["symbol"]
        account = self.memory.get(symbol)
        if account is None:
            account = self.memory[symbol] = _new_account()
        if record.topic == "trading-signals":
            _note(account, value, now_ms)
            return
        price = account["price"] = round(100 * value["price"])
        if account["order"]:
            self._carry_out(symbol, account, price, now_ms)
        if account["position"]:
            self._watch(symbol, account, now_ms)
        window = self.window(record.timestamp_ms, now_ms)
        if window is not None:
            window[symbol] = 0

    def _carry_out(self, symbol: str, account: dict[str, Any], price: int, now_ms: int) -> None:
        action, account["order"] = account["order"], ""
        if action == "sell":
            self._move(symbol, account, -account["position"], now_ms)
        elif now_ms >= account["halted_until"]:
            wanted = min(_STAKE, account["cash"]) // price
            room = max(0, _POSITION_LIMIT - account["position"] * price) // price
            self._move(symbol, account, min(wanted, room), now_ms)
            self._limit(symbol, account, wanted > room, now_ms)

    def _move(self, symbol: str, account: dict[str, Any], shares: int, now_ms: int) -> None:
        if shares:
            price, action = account["price"], "buy" if shares > 0 else "sell"
            account["cash"] -= shares * price
            account["position"] += shares
            cash, position = account["cash"] / 100, account["position"]
            self.give(Trade(now_ms, symbol, action, abs(shares), price / 100, cash, position))

    def _limit(self, symbol: str, account: dict[str, Any], limited: bool, now_ms: int) -> None:
        """Alert once, not at each signal that would buy more."""
        if limited and not account["limited"]:
            worth = account["position"] * account["price"] / 100
            text = f"{symbol}: shares for {worth:,.2f} are as many as allowed; buys no more"
            self.give(Alert(now_ms, symbol, "position", worth, text))
        account["limited"] = limited

    def _watch(self, symbol: str, account: dict[str, Any], now_ms: int) -> None:
        """Compare with the equity at the day's first trade with shares."""
        equity, day = _equity(account), now_ms // _DAY_MS
        if account["day"] != day:
            account["day"], account["morning"] = day, equity
        loss = account["morning"] - equity
        if loss >= _LOSS_LIMIT and now_ms >= account["halted_until"]:
            account["order"], account["halted_until"] = "sell", (day + 1) * _DAY_MS
            text = f"{symbol}: lost {loss / 100:,.2f} today; sells all and buys nothing until tomorrow"
            self.give(Alert(now_ms, symbol, "loss", loss / 100, text))

    def close(self, start_ms: int, window: Mapping[str, Any]) -> None:
        for symbol in sorted(window):
            account = self.memory[symbol]
            price, position, cash, equity = account["price"], account["position"], account["cash"], _equity(account)
            money = (cash / 100, equity / 100, (equity - _BUDGET) / 100)
            self.give(Valuation(start_ms + MINUTE_MS, symbol, price / 100, position, *money))


def _new_account() -> dict[str, Any]:
    limits = {"limited": False, "day": -1, "morning": _BUDGET, "halted_until": 0}
    return {"cash": _BUDGET, "position": 0, "price": 0, "order": "", "signal_ms": -1, **limits}


def _note(account: dict[str, Any], signal: Mapping[str, Any], now_ms: int) -> None:
    """Make a new signal the order; after a loss the order to sell stands, whatever the signal."""
    if signal["time_ms"] > account["signal_ms"] and now_ms >= account["halted_until"]:
        account["order"] = "" if signal["action"] == "hold" else signal["action"]
    account["signal_ms"] = max(account["signal_ms"], signal["time_ms"])


def _equity(account: Mapping[str, Any]) -> int:
    equity: int = account["cash"] + account["position"] * account["price"]
    return equity


def portfolio(outputs: Iterable[Output]) -> pd.DataFrame:
    """Return all accounts together, for each minute that has a :class:`Valuation`.

    Columns: ``time_ms`` (int64, end of the minute), ``cash``, ``shares`` (what they are worth), ``equity``, ``profit``
    (float64). An account without trades in a minute stands as it was; before its first trade it is its budget.
    """
    table = as_frame(Valuation, outputs)
    cash, equity = (_total(table, name) for name in ("cash", "equity"))
    profit = (equity - BUDGET * table["symbol"].nunique()).round(2)
    together = {"cash": cash, "shares": (equity - cash).round(2), "equity": equity, "profit": profit}
    return pd.DataFrame(together).reset_index().rename_axis(columns=None)


def _total(table: pd.DataFrame, name: str) -> pd.Series[float]:
    accounts = table.pivot_table(index="time_ms", columns="symbol", values=name, aggfunc="last")
    return accounts.ffill().fillna(BUDGET).sum(axis="columns").round(2)
