"""The shop's stock: what is reserved, sold, put back and supplied, one movement after the other."""

from __future__ import annotations

import heapq
import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

from kafkalab.simulation.shop_catalogue import LOCATIONS, SHOPS, Products
from kafkalab.simulation.shop_rows import DAY_MS, Timeline, event_code
from kafkalab.simulation.source import MISSING, Columns

__all__ = ["STEPS", "Stock", "shop_sales"]

Array = npt.NDArray[Any]

COVER_DAYS, LEAST_LOT = 7, 24  # what a supply lasts for, and its least size in pieces
DELAY_MS = (10, 80)  # from a movement to its record
STEPS = ("time", "sku", "change", "event", "location", "order_id")  # the columns that describe a change of the stock


class Stock:
    """The stock of every product, under the policy (s, Q): at s pieces or fewer, Q more are ordered (Hadley 1963).

    A reservation takes all lines of an order or none, so that nothing is sold that is not there; what comes too late
    is refused. The opening supply of a product is recorded together with its first movement.

    Args:
        products: what is in stock.
        units_per_day: expected demand for each product.
    """

    def __init__(self, products: Products, units_per_day: Array) -> None:
        self._products = products
        self._lead_ms = products.lead_ms().tolist()
        awaited = units_per_day * products.lead_ms() / DAY_MS
        self._lot = np.ceil(LEAST_LOT + COVER_DAYS * units_per_day).astype(np.int64).tolist()
        self._reorder_at = np.ceil(1 + awaited + np.sqrt(awaited)).astype(np.int64).tolist()
        self._level = list(self._lot)
        self._opened = np.zeros(len(self._level), bool)
        self._under_way: list[tuple[int, int]] = []  # heap of arrivals: time, sku
        self._ordered = [False] * len(self._level)
        self._recorded = 0

    def move(self, rng: np.random.Generator, steps: Columns, end: int, rows: Timeline) -> Array:
        """Carry out one stretch of time, and add what changes the stock to ``rows``.

        Args:
            rng: the block's generator.
            steps: the changes asked for, in any order: ``time`` (ms), ``sku``, ``change`` (pieces), ``event`` (code),
                ``location`` (code), ``order_id`` (MISSING for a shop's sale), ``group`` (what is done wholly or not
                at all: equal numbers side by side), ``after`` (the group without which it is not done, or -1).
            end: of the stretch (ms); all steps lie before it, and after the end of the call before.
            rows: takes the rows of the topic ``inventory_updates``.

        Returns:
            For each step as given whether it was done.
        """
        order = np.argsort(steps["time"], kind="stable")
        steps = {name: column[order] for name, column in steps.items()}
        left, arrivals = self._walk(steps, end)
        done = left >= 0
        self._record(
            rng, {**{name: column[done] for name, column in steps.items()}, "stock": left[done]}, arrivals, rows
        )
        result = np.empty_like(done)
        result[order] = done
        return result

    def _walk(self, steps: Columns, end: int) -> tuple[Array, Columns]:
        """Return the stock left after each step, or -1 for one that is refused; and what arrived meanwhile."""
        # Each movement hangs on all before it, so this is a loop; it sees one row in ten.
        groups = steps["group"]
        edges = [*np.flatnonzero(np.diff(groups, prepend=-1)).tolist(), len(groups)]
        names = ("time", "sku", "change", "group", "after")
        time, sku, change, group, after = (steps[name].tolist() for name in names)
        level, left, refused, arrivals = self._level, [-1] * len(sku), set(), []
        for first, last in itertools.pairwise(edges):
            if self._under_way and self._under_way[0][0] <= time[first]:
                arrivals += self._receive(time[first])
            lines = range(first, last)
            fits = after[first] not in refused
            for line in lines:
                fits = fits and level[sku[line]] + change[line] >= 0
            if not fits:
                refused.add(group[first])
                continue
            for line in lines:
                product = sku[line]
                level[product] = left[line] = level[product] + change[line]
                if level[product] <= self._reorder_at[product] and not self._ordered[product]:
                    self._order(time[line], product)
        arrivals += self._receive(end - 1)
        return np.array(left, np.int64), self._supplies(np.array(arrivals, np.int64).reshape(-1, 3))

    def _order(self, time: int, product: int) -> None:
        self._ordered[product] = True
        heapq.heappush(self._under_way, (time + self._lead_ms[product], product))

    def _receive(self, until: int) -> list[tuple[int, int, int]]:
        """Take in what suppliers bring until then: time, product and the stock after it."""
        came = []
        while self._under_way and self._under_way[0][0] <= until:
            time, product = heapq.heappop(self._under_way)
            self._ordered[product] = False
            self._level[product] += self._lot[product]
            came.append((time, product, self._level[product]))
        return came

    def _supplies(self, came: Array) -> Columns:
        time, product, stock = came.T
        return {
            "time": time,
            "sku": product,
            "change": np.array(self._lot)[product],
            "event": np.full(len(product), event_code("received")),
            "location": self._products.supplier[product],
            "order_id": np.full(len(product), MISSING),
            "stock": stock,
        }

    def _record(self, rng: np.random.Generator, done: Columns, arrivals: Columns, rows: Timeline) -> None:
        opening = self._opening(done)
        columns = {name: np.concatenate([opening[name], arrivals[name], done[name]]) for name in arrivals}
        order = np.argsort(columns["time"], kind="stable")
        columns = {name: column[order] for name, column in columns.items()}
        # Recorded one after the other, each a little later than it happened.
        late = columns.pop("time") + rng.integers(*DELAY_MS, len(order))
        stamps = np.maximum.accumulate(np.concatenate([[self._recorded], late]))[1:]
        self._recorded = int(stamps[-1]) if len(stamps) else self._recorded
        rows.add("inventory_updates", columns.pop("event"), stamps, **columns)

    def _opening(self, done: Columns) -> Columns:
        """Return the opening supplies of the products that move for the first time."""
        product, first = np.unique(done["sku"], return_index=True)
        new = ~self._opened[product]
        self._opened[product] = True
        lots = np.array(self._lot)[product[new]]
        return self._supplies(np.stack([done["time"][first[new]], product[new], lots], axis=1))


def shop_sales(rng: np.random.Generator, products: Array, time: Array) -> Columns:
    """Return the steps of single pieces of these ``products`` (codes), sold over the counters of the shops."""
    count = len(time)
    return {
        "time": time,
        "sku": products,
        "change": np.full(count, -1),
        "event": np.full(count, event_code("sold")),
        "location": rng.integers(len(LOCATIONS) - len(SHOPS), len(LOCATIONS), count),
        "order_id": np.full(count, MISSING),
    }
