"""Orders read from checked-out carts, and what becomes of them if the stock suffices."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kafkalab.simulation.shop_catalogue import Products
from kafkalab.simulation.shop_rows import DAY_MS, FRAUDS, HOUR_MS, MINUTE_MS, SECOND_MS, pause
from kafkalab.simulation.source import Columns

__all__ = ["ATTEMPTS", "Fates", "Orders", "draw_fates", "read_orders"]

Array = npt.NDArray[Any]

ATTEMPTS, RETRIED = 3, 0.8  # payments tried at most, and share of declined ones that are tried again
TEST_DECLINED = 0.4  # share of a card test's payments that are declined, at least
CHANGED_MIND = 0.02  # share of paid orders cancelled before they are packed
# An order's stations, each after the one before: at least so long, and an exponentially distributed time (mean, ms).
STATIONS = (
    ("packed", 45 * MINUTE_MS, 4 * HOUR_MS),
    ("handed_over", 30 * MINUTE_MS, 3 * HOUR_MS),
    ("in_transit", HOUR_MS, 3 * HOUR_MS),
    ("out_for_delivery", 8 * HOUR_MS, 12 * HOUR_MS),
    ("delivered", 20 * MINUTE_MS, 2 * HOUR_MS),
    ("returned", DAY_MS, 4 * DAY_MS),
)


@dataclass(frozen=True)
class Orders:
    """Orders of one stretch of time, in the order of their times: arrays with one entry each, and their lines.

    Attributes:
        columns: ``time`` (ms), ``order_id``, ``cart_id``, ``customer_id``, ``card``, ``country`` (of the payment),
            ``fraud``, ``amount`` (euros).
        sku: of each line, order by order.
        quantity: of each line.
        owner: the order of each line, counted from 0.
    """

    columns: Columns
    sku: Array
    quantity: Array
    owner: Array

    def __len__(self) -> int:
        return len(self.columns["time"])

    def steps(self, products: Products, event: Array, time: Array, change: int) -> Columns:
        """Return what orders ask of the stock, line by line, as ``Stock.move`` takes it.

        Args:
            products: the catalogue.
            event: code for each order.
            time: for each order (ms).
            change: 1 to put pieces back, -1 to take them.
        """
        return {
            "time": time[self.owner],
            "sku": self.sku,
            "change": change * self.quantity,
            "event": event[self.owner],
            "location": products.warehouse[self.sku],
            "order_id": self.columns["order_id"][self.owner],
        }

    def items(self, products: Products) -> Array:
        """Return each order's lines as a list of dicts with ``sku``, ``quantity`` and ``unit_price``."""
        names, prices = products.sku, (products.cents / 100).tolist()
        lines = zip(self.sku.tolist(), self.quantity.tolist(), strict=True)
        dicts = [{"sku": names[sku], "quantity": pieces, "unit_price": prices[sku]} for sku, pieces in lines]
        edges = np.searchsorted(self.owner, np.arange(len(self) + 1)).tolist()
        lists = (dicts[first:last] for first, last in itertools.pairwise(edges))
        return np.fromiter(lists, object, len(self))


@dataclass(frozen=True)
class Fates:
    """What becomes of orders if the stock suffices: arrays with one entry per order.

    Attributes:
        attempts: number of payments; all but the last were declined.
        paid: whether the last was captured.
        cancelled: for want of payment, or by the customer before the order was packed.
        returned: delivered and then sent back.
        tried: times of the payments (ms), shape (orders, ATTEMPTS).
        at: times (ms) of what may happen, by the names of orders' events and of a parcel's stations.
    """

    attempts: Array
    paid: Array
    cancelled: Array
    returned: Array
    tried: Array
    at: Columns

    def undone(self) -> tuple[Array, Array]:
        """Return which orders give their pieces back, and when (ms)."""
        return self.cancelled | self.returned, np.where(self.cancelled, self.at["cancelled"], self.at["returned"])


def read_orders(lines: Columns, products: Products, first_id: int) -> Orders:
    """Return the orders of these lines (columns as of ``Visitors.browse``), numbered in the order of their times."""
    order = np.lexsort((lines["cart_id"], lines["time"]))
    lines = {name: column[order] for name, column in lines.items()}
    first = np.flatnonzero(np.diff(lines["cart_id"], prepend=-1))
    owner = np.cumsum(np.diff(lines["cart_id"], prepend=-1) != 0) - 1
    cents = np.bincount(owner, lines["quantity"] * products.cents[lines["sku"]], len(first))
    columns = {name: lines[name][first] for name in ("time", "cart_id", "customer_id", "card", "country", "fraud")}
    columns["order_id"] = first_id + np.arange(len(first))
    columns["amount"] = cents / 100
    return Orders(columns, lines["sku"], lines["quantity"], owner)


def draw_fates(rng: np.random.Generator, orders: Orders, decline_rate: float, return_rate: float) -> Fates:
    """Draw what becomes of orders: who pays at which attempt, who cancels, who sends back, and when."""
    count = len(orders)
    attempts, paid = _attempts(rng, orders.columns["fraud"], decline_rate)
    waits = [pause(rng, count, SECOND_MS, 8 * SECOND_MS)]
    waits += [pause(rng, count, 20 * SECOND_MS, MINUTE_MS) for _ in range(ATTEMPTS - 1)]
    tried = orders.columns["time"][:, None] + np.cumsum(waits, axis=0).T
    settled = tried[np.arange(count), attempts - 1]
    changed = paid & (rng.random(count) < CHANGED_MIND)
    cancelled = changed | ~paid
    returned = ~cancelled & (rng.random(count) < return_rate)
    return Fates(attempts, paid, cancelled, returned, tried, _times(rng, settled, paid))


def _attempts(rng: np.random.Generator, fraud: Array, decline_rate: float) -> tuple[Array, Array]:
    """Return how many payments are tried, and whether the last one succeeds."""
    test = fraud == FRAUDS.index("card_testing")
    # Who was declined once is likelier to be declined again.
    rates = np.array([decline_rate] + [np.sqrt(decline_rate)] * (ATTEMPTS - 1))
    declined = rng.random((len(fraud), ATTEMPTS)) < np.where(test[:, None], np.maximum(rates, TEST_DECLINED), rates)
    again = (rng.random((len(fraud), ATTEMPTS)) < RETRIED) & ~test[:, None]
    again[:, -1] = False
    attempts = 1 + np.logical_and.accumulate(declined & again, axis=1).sum(axis=1)
    return attempts, ~declined[np.arange(len(fraud)), attempts - 1]


def _times(rng: np.random.Generator, settled: Array, paid: Array) -> Columns:
    count = len(settled)
    at = {"paid": settled + rng.integers(50, 300, count)}
    # A customer changes their mind before the order is packed; an unpaid order stays open for a while.
    mind, given_up = rng.integers(MINUTE_MS, 30 * MINUTE_MS, count), pause(rng, count, 10 * MINUTE_MS, 5 * MINUTE_MS)
    at["cancelled"] = at["paid"] + np.where(paid, mind, given_up)
    last = "paid"
    for station, least, mean in STATIONS:
        at[station] = at[last] + pause(rng, count, least, mean)
        last = station
    return at
