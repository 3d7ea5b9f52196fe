"""One run through the shop's simulated time, block by block: the state that is carried from one to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kafkalab.simulation.shop_catalogue import TASTES, Rhythm
from kafkalab.simulation.shop_orders import Fates, Orders, draw_fates, read_orders
from kafkalab.simulation.shop_records import OrderRecords
from kafkalab.simulation.shop_rows import Pending, Timeline, event_code, select
from kafkalab.simulation.shop_stock import STEPS, Stock, shop_sales
from kafkalab.simulation.shop_visits import ORDERS_PER_VISIT, UNITS_PER_ORDER, Visitors
from kafkalab.simulation.source import Block, Columns

__all__ = ["Flow", "Rates"]

Array = npt.NDArray[Any]

SALES_PER_VISIT = 0.1  # pieces sold over the counter for each visit to the online shop
FIRST_ORDER = 100_001


@dataclass(frozen=True)
class Rates:
    """What a user may set: visits a day, and shares from 0 to 1 of declined first payments and of parcels sent back."""

    visits_per_day: float
    declined: float
    returned: float


class Flow:
    """The shop in motion.

    Args:
        visitors: who comes to see what.
        rates: how often what happens.
        start_ms: when it opens.
    """

    def __init__(self, visitors: Visitors, rates: Rates, start_ms: int) -> None:
        self._visitors, self._products, self._rates = visitors, visitors.products, rates
        self._rhythm = Rhythm(start_ms, rates.visits_per_day)
        self._stock = Stock(self._products, rates.visits_per_day * self._units_per_visit())
        self._rows, self._lines, self._put_backs = Timeline(), Pending(), Pending()
        self._put_backs.put(dict.fromkeys(STEPS, np.empty(0, np.int64)))
        self._visits, self._end = 0.0, start_ms
        self._next_cart, self._next_order = 1, FIRST_ORDER

    def block(self, rng: np.random.Generator, visits: int) -> Block:
        """Simulate until that many more visits are expected, and return the rows of this time."""
        begin, self._end = self._end, int(self._rhythm.time(np.array(self._visits + visits)))

        def when(uniform: Array) -> Array:
            return np.clip(self._rhythm.time(self._visits + uniform * visits), begin, self._end - 1)

        lines, self._next_cart = self._visitors.browse(rng, visits, when, self._next_cart, self._rows)
        self._lines.put(lines)
        orders = read_orders(self._lines.take(self._end), self._products, self._next_order)
        fates = draw_fates(rng, orders, self._rates.declined, self._rates.returned)
        over_the_counter = self._sales(rng, when(rng.random(rng.poisson(visits * SALES_PER_VISIT))))
        accepted = self._move_stock(rng, orders, fates, over_the_counter)
        records = OrderRecords(rng, orders, fates, accepted, crowd=self._visitors.crowd, rows=self._rows)
        records.write(self._products)
        self._visits += visits
        self._next_order += len(orders)
        return self._rows.block(self._end)

    def _units_per_visit(self) -> Array:
        online = ORDERS_PER_VISIT * UNITS_PER_ORDER * self._visitors.shares()
        return online + SALES_PER_VISIT * self._products.popularity / len(TASTES)

    def _sales(self, rng: np.random.Generator, time: Array) -> Columns:
        return shop_sales(rng, self._products.pick(rng, rng.integers(0, len(TASTES), len(time))), time)

    def _move_stock(self, rng: np.random.Generator, orders: Orders, fates: Fates, sales: Columns) -> Array:
        """Let the stock serve all that asks for it, and return which orders it sufficed for."""
        event = np.where(fates.cancelled, event_code("released"), event_code("returned"))
        undone, undone_ms = fates.undone()
        back = orders.steps(self._products, event, undone_ms, 1)
        undone, soon = undone[orders.owner], back["time"] < self._end
        parts = self._grouped(orders, select(back, undone & soon), orders.owner[undone & soon], sales)
        steps = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        done = self._stock.move(rng, steps, self._end, self._rows)
        accepted = np.zeros(len(orders), bool)
        accepted[orders.owner] = done[: len(orders.owner)]
        self._put_backs.put(select(back, undone & ~soon & accepted[orders.owner]))
        return accepted

    def _grouped(self, orders: Orders, back: Columns, back_owner: Array, sales: Columns) -> list[Columns]:
        """Return all steps, those of orders first, with the groups that are done wholly or not at all."""
        count = len(orders)
        event = np.full(count, event_code("reserved"))
        reserved = orders.steps(self._products, event, orders.columns["time"], -1)
        earlier = self._put_backs.take(self._end)
        single = 2 * count + np.arange(len(earlier["time"]) + len(sales["time"]))
        return [
            _group(reserved, orders.owner, -1),
            _group(back, count + back_owner, back_owner),
            _group(earlier, single[: len(earlier["time"])], -1),
            _group(sales, single[len(earlier["time"]) :], -1),
        ]


def _group(steps: Columns, group: Array, after: Array | int) -> Columns:
    return {**steps, "group": group, "after": np.broadcast_to(after, group.shape)}
