"""Visits to the shop: who looks at what, what goes into the cart, and which carts are checked out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kafkalab.simulation.shop_catalogue import COUNTRIES, OVERSEAS, TASTES, Crowd, Products
from kafkalab.simulation.shop_rows import FRAUDS, Timeline, pause, select
from kafkalab.simulation.source import Columns

__all__ = ["ORDERS_PER_VISIT", "UNITS_PER_ORDER", "Visitors"]

Array = npt.NDArray[Any]

VIEWS_PER_VISIT = 4.0
ADDED, REMOVED, CHECKED_OUT = 0.3, 0.08, 0.42  # share of views, of what was added, of carts that are not empty
QUANTITIES = (0.8, 0.15, 0.05)  # of one, two and three pieces
FAVOURITE, THEME = 0.8, 0.9  # share of visits for the favourite taste, and of a visit's views for its own
SECOND_CARD, TRAVEL = 0.1, 0.003  # share of orders paid with the second card, and of those paid from overseas
BURST, BURST_MS = (8, 20), 600_000  # orders of one card test, and within how long they are begun
BULK = (10, 16)  # pieces of a dear product
# What follows from these: the size of supplies hangs on it, and a test holds it.
ORDERS_PER_VISIT, UNITS_PER_ORDER = 0.25, 2.2


@dataclass(frozen=True)
class Visitors:
    """Makes visits, honest and fraudulent.

    Attributes:
        products: what they look at.
        crowd: who they are.
        fraud_rate: fraud incidents for each honest order expected.
    """

    products: Products
    crowd: Crowd
    fraud_rate: float

    def browse(
        self, rng: np.random.Generator, expected: float, when: Callable[[Array], Array], cart: int, rows: Timeline
    ) -> tuple[Columns, int]:
        """Simulate the visits that begin in one stretch of time, and add what they do to ``rows``.

        Args:
            rng: the block's generator.
            expected: mean number of honest visits.
            when: turns uniform numbers from 0 to 1 into times of the stretch (ms).
            cart: id of the first cart.
            rows: takes the rows of the topic ``carts``.

        Returns:
            The lines of the orders that come of it, one entry each, those of one order side by side: ``time`` of the
            order (ms), ``cart_id``, ``customer_id``, ``card``, ``country``, ``fraud``, ``sku``, ``quantity``; and the
            id of the next cart.
        """
        visits = self._visits(rng, expected, when)
        visits["cart_id"] = cart + np.arange(len(visits["time"]))
        views = self._views(rng, visits)
        rows.add("carts", "viewed", views["time"], **self._shown(views))
        lines = self._cart_lines(rng, visits, views, rows)
        return self._check_out(rng, visits, views, lines, rows), cart + len(visits["time"])

    def shares(self) -> Array:
        """Return the share of each product in all views of honest visits."""
        favourite = np.bincount(self.crowd.taste, self.crowd.activity, len(TASTES))
        theme = FAVOURITE * favourite + (1 - FAVOURITE) / len(TASTES)
        view = THEME * theme + (1 - THEME) / len(TASTES)
        return view[self.products.taste] * self.products.popularity

    def _visits(self, rng: np.random.Generator, expected: float, when: Callable[[Array], Array]) -> Columns:
        parts = [self._honest(rng, rng.poisson(expected), when)]
        incidents = rng.poisson(expected * ORDERS_PER_VISIT * self.fraud_rate)
        kinds = rng.integers(0, len(FRAUDS), incidents)
        times = when(rng.random(incidents))
        for kind, plant in enumerate((self._card_testing, self._unusual_amount, self._unusual_country)):
            parts.append(plant(rng, times[kinds == kind]))
            parts[-1]["fraud"] = np.full(len(parts[-1]["time"]), kind, np.int8)
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        order = np.argsort(joined["time"], kind="stable")
        return {name: column[order] for name, column in joined.items()}

    def _honest(self, rng: np.random.Generator, count: int, when: Callable[[Array], Array]) -> Columns:
        customer = self.crowd.pick(rng, count)
        away = rng.random(count) < TRAVEL
        return {
            **self._visit(rng, when(rng.random(count)), customer),
            "country": np.where(away, _overseas(rng, count), self.crowd.country[customer]),
        }

    def _visit(self, rng: np.random.Generator, time: Array, customer: Array) -> Columns:
        """Return visits with their customers' own cards, from home, without a fixed product (-1)."""
        second = rng.random(len(time)) < SECOND_CARD
        return {
            "time": time,
            "customer_id": customer,
            "card": 2 * customer + second,
            "country": self.crowd.country[customer],
            "sku": np.full(len(time), -1),
            "quantity": np.ones(len(time), np.int64),
            "fraud": np.full(len(time), -1, np.int8),
        }

    def _card_testing(self, rng: np.random.Generator, time: Array) -> Columns:
        """One account tries a stolen card: many small orders of one cheap product within minutes."""
        size = rng.integers(BURST[0], BURST[1] + 1, len(time))
        thief, victim = rng.integers(0, len(self.crowd.customer_id), (2, len(time))).repeat(size, axis=1)
        later = rng.integers(0, BURST_MS, len(thief))
        cheap = rng.choice(self.products.cheap, len(time))
        return {**self._visit(rng, time.repeat(size) + later, thief), "card": 2 * victim, "sku": cheap.repeat(size)}

    def _unusual_amount(self, rng: np.random.Generator, time: Array) -> Columns:
        """Somebody in a taken-over account buys what sells well again: many pieces of a dear product."""
        dear = rng.choice(self.products.dear, len(time))
        pieces = rng.integers(BULK[0], BULK[1] + 1, len(time))
        return {**self._visit(rng, time, self.crowd.pick(rng, len(time))), "sku": dear, "quantity": pieces}

    def _unusual_country(self, rng: np.random.Generator, time: Array) -> Columns:
        """Somebody in a taken-over account buys this and that, from overseas."""
        return {**self._visit(rng, time, self.crowd.pick(rng, len(time))), "country": _overseas(rng, len(time))}

    def _views(self, rng: np.random.Generator, visits: Columns) -> Columns:
        """Return one entry per product looked at; ``visit`` counts from 0."""
        fixed = visits["sku"]
        count = np.where(fixed < 0, rng.geometric(1 / VIEWS_PER_VISIT, len(fixed)), 1)
        visit = np.repeat(np.arange(len(fixed)), count)
        first = (np.cumsum(count) - count)[visit]
        since = np.cumsum(pause(rng, len(visit), 1_000, 40_000))
        sku = self.products.pick(rng, self._tastes(rng, visits["customer_id"], visit))
        return {
            "time": visits["time"][visit] + since - since[first],
            "visit": visit,
            "nth": np.arange(len(visit)) - first,
            "sku": np.where(fixed[visit] < 0, sku, fixed[visit]),
            **{name: visits[name][visit] for name in ("cart_id", "customer_id", "fraud")},
        }

    def _tastes(self, rng: np.random.Generator, customer: Array, visit: Array) -> Array:
        favourite = self.crowd.taste[customer]
        other = rng.integers(0, len(TASTES), len(customer))
        theme = np.where(rng.random(len(customer)) < FAVOURITE, favourite, other)[visit]
        stray = rng.integers(0, len(TASTES), len(visit))
        return np.where(rng.random(len(visit)) < THEME, theme, stray)

    def _cart_lines(self, rng: np.random.Generator, visits: Columns, views: Columns, rows: Timeline) -> Columns:
        """Put products into carts and some out again; return the lines that stay."""
        wanted = (rng.random(len(views["visit"])) < ADDED) | ((views["fraud"] >= 0) & (views["nth"] == 0))
        added = select(views, np.flatnonzero(wanted))
        # A product stands once in a cart, however often it was looked at.
        _, once = np.unique(added["visit"] * len(self.products.sku) + added["sku"], return_index=True)
        added = select(added, np.sort(once))
        count = len(added["visit"])
        own = rng.choice(len(QUANTITIES), count, p=QUANTITIES) + 1
        added["quantity"] = np.where(added["fraud"] < 0, own, visits["quantity"][added["visit"]])
        added["time"] = added["time"] + rng.integers(2_000, 15_000, count)
        rows.add("carts", "added", added["time"], quantity=added["quantity"], **self._shown(added))
        regretted = (rng.random(count) < REMOVED) & (added["fraud"] < 0)
        removed = select(added, regretted)
        time = removed["time"] + rng.integers(2_000, 15_000, len(removed["time"]))
        rows.add("carts", "removed", time, quantity=removed["quantity"], **self._shown(removed))
        return select(added, ~regretted)

    def _check_out(
        self, rng: np.random.Generator, visits: Columns, views: Columns, lines: Columns, rows: Timeline
    ) -> Columns:
        count = len(visits["time"])
        filled = np.bincount(lines["visit"], minlength=count) > 0
        bought = filled & ((rng.random(count) < CHECKED_OUT) | (visits["fraud"] >= 0))
        last_view = np.zeros(count, np.int64)
        last_view[views["visit"]] = views["time"]
        # Later than the last product came in or went out, at most 30 s after the last view.
        left = last_view + pause(rng, count, 35_000, 40_000)
        own = select({name: visits[name] for name in ("cart_id", "customer_id", "fraud")}, bought)
        rows.add("carts", "checked_out", left[bought], **own)
        ordered = left + rng.integers(100, 500, count)
        bought_lines = select(lines, bought[lines["visit"]])
        visit = bought_lines["visit"]
        order = {name: visits[name][visit] for name in ("cart_id", "customer_id", "card", "country", "fraud")}
        return {"time": ordered[visit], **order, "sku": bought_lines["sku"], "quantity": bought_lines["quantity"]}

    def _shown(self, views: Columns) -> Columns:
        columns = {name: views[name] for name in ("cart_id", "customer_id", "fraud", "sku")}
        return {**columns, "unit_price": self.products.cents[views["sku"]] / 100}


def _overseas(rng: np.random.Generator, count: int) -> Array:
    return rng.integers(len(COUNTRIES) - len(OVERSEAS), len(COUNTRIES), count)
