"""The shop's columns, and the rows that wait for their time.

What happens in one block of simulated time has consequences for days: a parcel, a refund. Each part of the shop hands
its rows on as soon as it knows them, and takes those out whose time has come.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from kafkalab.simulation.source import MISSING, Block, Columns, Kinds, TopicPlan

__all__ = [
    "DAY_MS",
    "DECLINED",
    "EVENTS",
    "FINAL_STATES",
    "FRAUDS",
    "HOUR_MS",
    "MINUTE_MS",
    "NUMBERS",
    "REASONS",
    "RETURNED",
    "SECOND_MS",
    "TOPICS",
    "Pending",
    "Timeline",
    "event_code",
    "pause",
    "select",
]

Array = npt.NDArray[Any]

TOPICS: Mapping[str, TopicPlan] = {
    "carts": TopicPlan("customer_id", ("event", "customer_id", "cart_id", "sku", "quantity", "unit_price")),
    "orders": TopicPlan(
        "order_id", ("event", "order_id", "version", "customer_id", "cart_id", "amount", "items", "reason")
    ),
    "payments": TopicPlan(
        "order_id",
        ("event", "payment_id", "order_id", "customer_id", "attempt", "amount", "card", "country", "reason"),
    ),
    "inventory_updates": TopicPlan("sku", ("event", "sku", "change", "location", "order_id")),
    "shipping": TopicPlan("order_id", ("event", "order_id", "customer_id", "carrier", "location", "country"), 3),
    "notifications": TopicPlan("customer_id", ("event", "customer_id", "order_id", "channel", "text"), 3),
}
EVENTS: tuple[str, ...] = (
    *("viewed", "added", "removed", "checked_out"),
    *("placed", "paid", "packed", "shipped", "delivered", "cancelled", "returned"),
    *("captured", "declined", "refunded"),
    *("received", "reserved", "released", "sold"),
    *("handed_over", "in_transit", "out_for_delivery"),
    *("order_paid", "payment_declined", "order_shipped", "order_delivered", "order_cancelled", "order_refunded"),
)
FRAUDS = ("card_testing", "unusual_amount", "unusual_country")
FINAL_STATES = ("cancelled", "delivered", "returned")
CANCELLED = ("out_of_stock", "payment_failed", "customer_request")
DECLINED = ("insufficient_funds", "limit_exceeded", "card_expired", "bank_unavailable")
RETURNED = ("changed_mind", "damaged", "not_as_described")
REASONS = (*CANCELLED, *DECLINED, *RETURNED)
SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS = 1_000, 60_000, 3_600_000, 86_400_000
# Column -> kind; a tuple of texts stands for codes. Those that hang on the shop's size are filled in by it.
NUMBERS: Kinds = {
    **dict.fromkeys(("order_id", "version", "cart_id", "payment_id", "attempt", "quantity", "change"), "Int64"),
    **dict.fromkeys(("unit_price", "amount"), "float64"),
    "items": "object",
}
_CODES = {"event": np.int8, "customer_id": np.int32, "sku": np.int16, "card": np.int32, "country": np.int8} | (
    dict.fromkeys(("reason", "location", "carrier", "channel", "text", "fraud", "final_state"), np.int8)
)
# What stands where a row has no such column: its dtype says how columns of the rows that have one are kept.
_NONE: Columns = {
    **{name: np.array([-1], dtype) for name, dtype in _CODES.items()},
    **{name: np.array([MISSING]) for name, kind in NUMBERS.items() if kind == "Int64"},
    **{name: np.array([np.nan]) for name, kind in NUMBERS.items() if kind == "float64"},
    "items": np.array([None], object),
    "stock": np.array([MISSING]),
}
_TRUTH = ("fraud", "final_state", "stock")
MOST_RUNS = 32


def event_code(name: str) -> int:
    """Return the code of an event in :data:`EVENTS`."""
    return EVENTS.index(name)


class Pending:
    """Rows that wait for their time, which is their column ``time`` (ms).

    Rows of the same time come out in the order in which they were put in.

    Args:
        none: a column of one entry for each column that not all rows have: what stands where there is none. Its dtype
            is kept. Without it, all rows must have the same columns.
    """

    def __init__(self, none: Columns | None = None) -> None:
        self._none = none or {}
        self._fresh: list[Columns] = []
        self._runs: list[Columns] = []  # each sorted by time

    def put(self, columns: Columns) -> None:
        """Add rows, in any order."""
        self._fresh.append(columns)

    def take(self, end: int) -> Columns:
        """Take out the rows before ``end`` (ms), sorted by time; something must have been put in before."""
        cuts = [int(np.searchsorted(run["time"], end)) for run in self._runs]
        due = [select(run, slice(cut)) for run, cut in zip(self._runs, cuts, strict=True)]
        rows = self._sorted([*due, *self._fresh])
        cut = int(np.searchsorted(rows["time"], end))
        rests = [select(run, slice(first, None)) for run, first in zip(self._runs, cuts, strict=True)]
        rests.append({name: column[cut:].copy() for name, column in rows.items()})
        self._fresh, self._runs = [], [rest for rest in rests if len(rest["time"])]
        if len(self._runs) > MOST_RUNS:  # which also frees what they keep of rows that are long out
            self._runs = [self._sorted(self._runs)]
        return select(rows, slice(cut))

    def _sorted(self, parts: list[Columns]) -> Columns:
        joined = self._joined(parts)
        return select(joined, np.argsort(joined["time"], kind="stable"))

    def _joined(self, parts: list[Columns]) -> Columns:
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0] if name not in self._none}
        edges = np.cumsum([0, *(len(part["time"]) for part in parts)]).tolist()
        for name, none in self._none.items():
            joined[name] = np.full(edges[-1], none[0], none.dtype)
            for part, (first, last) in zip(parts, itertools.pairwise(edges), strict=True):
                if name in part:
                    joined[name][first:last] = part[name]
        return joined


class Timeline:
    """The rows of all topics, collected part by part and cut into blocks."""

    def __init__(self) -> None:
        self._pending = Pending(_NONE)

    def add(self, topic: str, event: Array | str, time: Array, **columns: Array) -> None:
        """Add rows of one topic: an event or a code for each, times in ms, and the columns that they have."""
        codes = np.broadcast_to(event_code(event), time.shape) if isinstance(event, str) else event
        kind = np.broadcast_to(np.int8(list(TOPICS).index(topic)), time.shape)
        self._pending.put({"topic": kind, "time": time, "event": codes, **columns})

    def block(self, end: int) -> Block:
        """Return the rows before ``end`` (ms) that were not in a block yet, in the order of their times."""
        rows = self._pending.take(end)
        sent = {"topic": rows.pop("topic"), "timestamp_ms": rows.pop("time")}
        truth = {name: rows.pop(name) for name in _TRUTH}
        return Block({**sent, **rows}, truth)


def select(columns: Columns, rows: Array | slice) -> Columns:
    """Return these rows (a mask, indices or a slice) of all columns."""
    return {name: column[rows] for name, column in columns.items()}


def pause(rng: np.random.Generator, count: int, least_ms: int, mean_ms: int) -> Array:
    """Return waits (ms): ``least_ms`` and an exponentially distributed part with mean ``mean_ms``."""
    return least_ms + rng.exponential(mean_ms, count).astype(np.int64)
