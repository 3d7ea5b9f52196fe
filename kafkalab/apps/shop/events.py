"""The events of a shop's orders and payments: in the order of sending, as a table, added up, and as they really are.

A view of an event log is a state and a rule that takes it from one event to the next (Fowler 2005, "Event Sourcing").
Here is what can be said without one: sums over events in any order, which must come to the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import compress
from typing import Any, Protocol

import numpy as np
import pandas as pd

from kafkalab.simulation.shop import Shop
from kafkalab.simulation.source import Record

__all__ = ["SIGNS", "as_table", "balances", "history", "journal", "statuses", "truth"]

#: How an event changes what is between a customer and the shop, in multiples of the order's price.
SIGNS = {"placed": -1, "captured": 1, "cancelled": 1, "returned": 1, "refunded": -1}
_TOPICS = ("orders", "payments")
_COLUMNS = ("partition", "offset", "time_ms", "reached_ms", "by", "customer", "order", "event", "version", "amount",
            "reason")  # fmt: skip

Account = dict[str, Any]
Rule = Callable[[Account, Mapping[str, Any]], Account]


class Event(Protocol):
    """A record as a consumer of kafka-python gets it, whose header ``by`` names the service that sent it."""

    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def value(self) -> bytes: ...
    @property
    def headers(self) -> Iterable[tuple[str, bytes]]: ...


def journal(shop: Shop, records: int, orders: int, held_up: tuple[str, int, int] = ("", 0, 0)) -> list[Record]:
    """Return the events of the first orders, and of their payments, in the order in which they are sent.

    Args:
        shop: whose.
        records: how many of its records are looked at.
        orders: how many orders are followed.
        held_up: a topic (orders or payments), and a time span (ms): its events of that time are sent at the end of it.
    """
    topic, first, end = held_up
    known: set[int] = set()
    found = []
    for record in shop.records(records):
        if record.topic in _TOPICS:
            order = json.loads(record.value)["order_id"]
            if len(known) < orders:
                known.add(order)
            if order in known:
                found.append(record)
    return sorted(
        found,
        key=lambda each: end if each.topic == topic and first <= each.timestamp_ms < end else each.timestamp_ms,
    )


def truth(shop: Shop, records: int, orders: int) -> pd.DataFrame:
    """Return what the simulation knows of the same events, in the order in which they happened.

    Columns: ``time_ms`` (int64), ``customer``, ``order``, ``event`` (str), ``version`` (Int64, none for payments),
    ``amount`` (float64, euros), ``final_state`` (str: how the order ends).
    """
    frame = pd.concat([shop.frame(records), shop.truth(records)], axis="columns")
    frame = frame[frame["topic"].isin(_TOPICS)]
    frame = frame[frame["order_id"].isin(frame["order_id"].unique()[:orders])]
    names = {"timestamp_ms": "time_ms", "customer_id": "customer", "order_id": "order"}
    columns = ["time_ms", "customer", "order", "event", "version", "amount", "final_state"]
    texts = dict.fromkeys(("customer", "order", "event", "final_state"), str)
    return frame.rename(columns=names)[columns].astype(texts).reset_index(drop=True)


def as_table(records: Iterable[Event]) -> pd.DataFrame:
    """Return one row per event, in the order given, in which those of a partition are in its order.

    Columns: ``partition``, ``offset``, ``time_ms`` (int64, when it happened), ``reached_ms`` (int64, the highest time
    so far in its partition), ``by`` (str, which service), ``customer``, ``order``, ``event`` (str), ``version`` (Int64,
    of the order; none for payments), ``amount`` (float64, euros), ``reason`` (str, often empty).
    """
    reached: dict[int, int] = {}
    rows = []
    for record in records:
        event = json.loads(record.value)
        time = reached[record.partition] = max(record.timestamp, reached.get(record.partition, 0))
        place = (record.partition, record.offset, record.timestamp, time, dict(record.headers)["by"].decode())
        ids = (event["customer_id"], str(event["order_id"]), event["event"])
        rows.append((*place, *ids, event.get("version"), event.get("amount"), event["reason"] or ""))
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    return table.astype({"version": "Int64", "amount": "float64", "time_ms": "int64", "reached_ms": "int64"})


def balances(events: pd.DataFrame) -> dict[str, int]:
    """Return each customer's balance in cents, the sum over these events; below zero the customer owes the shop.

    Args:
        events: customer, order, event, amount, in any order, as :func:`as_table` or :func:`truth` has them; no event of
            an order without its ``placed``.
    """
    placed = events[events["event"] == "placed"]
    cents = (100 * placed.set_index("order")["amount"]).round().astype("int64")
    change = events["event"].map(SIGNS).fillna(0).astype("int64") * events["order"].map(cents)
    return {str(customer): int(sum_of) for customer, sum_of in change.groupby(events["customer"]).sum().items()}


def statuses(events: pd.DataFrame) -> dict[str, str]:
    """Return each order's status by its event of the highest version.

    Args:
        events: order, event, version, as :func:`as_table` or :func:`truth` has them.
    """
    versions = events[events["version"].notna()].sort_values("version", kind="stable")
    last = versions.drop_duplicates("order", keep="last")
    return dict(zip(last["order"], last["event"], strict=True))


def history(records: Iterable[Event], customer: str, rule: Rule, new: Account) -> pd.DataFrame:
    """Return one row for each version of an account, in the order of its events as given.

    Args:
        records: of all customers.
        customer: whose account.
        rule: makes the account after an event of the one before; an account has its ``balance``, in cents.
        new: the account before the first event.

    Returns:
        Columns ``number`` (int64, of the account's version, from 1), ``offset``, ``time_ms``, ``reached_ms`` (int64),
        ``time`` (str, UTC, to the minute), ``by``, ``event``, ``order``, ``reason`` (str), ``change`` and ``balance``
        (float64, euros); the others as in :func:`as_table`.
    """
    found = list(records)
    table = as_table(found)
    own = (table["customer"] == customer).tolist()
    levels, account = [new["balance"]], new
    for record in compress(found, own):
        account = rule(account, json.loads(record.value))
        levels.append(account["balance"])
    euros = np.array(levels) / 100
    return (
        table[own]
        .reset_index(drop=True)
        .assign(
            number=range(1, len(levels)),
            time=lambda rows: pd.to_datetime(rows["time_ms"], unit="ms").dt.strftime("%d %B %H:%M"),
            change=np.diff(euros).round(2),
            balance=euros[1:],
        )[["number", "offset", "time_ms", "reached_ms", "time", "by", "event", "order", "reason", "change", "balance"]]
    )
