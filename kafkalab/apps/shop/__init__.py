"""The shop's events as one log, and what can be told from it: histories, balances, what is true."""

from __future__ import annotations

from kafkalab.apps.shop.events import SIGNS, as_table, balances, history, journal, statuses, truth

__all__ = ["SIGNS", "as_table", "balances", "history", "journal", "statuses", "truth"]
