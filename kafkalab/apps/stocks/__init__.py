"""Who reads the stock market: an analyst, a trading algorithm, and who decides on its signals."""

from __future__ import annotations

from collections.abc import Mapping

from kafkalab.apps.stocks.analyst import Analyst, Candle
from kafkalab.apps.stocks.decisions import BUDGET, Alert, DecisionMaker, Trade, Valuation, portfolio
from kafkalab.apps.stocks.on_paper import on_paper
from kafkalab.apps.stocks.trading import Signal, TradingAlgorithm
from kafkalab.apps.task import Task

__all__ = [
    "APPLICATIONS",
    "BUDGET",
    "Alert",
    "Analyst",
    "Candle",
    "DecisionMaker",
    "Signal",
    "Trade",
    "TradingAlgorithm",
    "Valuation",
    "on_paper",
    "portfolio",
]

#: Each is a consumer group of this name.
APPLICATIONS: Mapping[str, type[Task]] = {
    "analyst": Analyst,
    "trading-algorithm": TradingAlgorithm,
    "decisions": DecisionMaker,
}
