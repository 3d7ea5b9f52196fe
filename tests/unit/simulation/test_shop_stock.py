from __future__ import annotations

import numpy as np
import pytest

from kafkalab.simulation.shop_catalogue import LOCATIONS, Products, draw_products
from kafkalab.simulation.shop_rows import EVENTS, Timeline, event_code
from kafkalab.simulation.shop_stock import LEAST_LOT, Stock, shop_sales
from kafkalab.simulation.source import MISSING, Block

HOUR = 3_600_000
# time, sku, change, group, after
Step = tuple[int, int, int, int, int]


@pytest.fixture
def products() -> Products:
    return draw_products(np.random.default_rng(0), 20)


class Counter:
    """A stock without any expected demand, so that a supply has LEAST_LOT pieces and is ordered at one."""

    def __init__(self, products: Products) -> None:
        self.stock = Stock(products, np.zeros(20))
        self.rows = Timeline()

    def move(self, *steps: Step, end: int) -> list[bool]:
        columns = dict(zip(("time", "sku", "change", "group", "after"), np.array(steps).T, strict=True))
        columns |= {
            "event": np.where(columns["change"] < 0, event_code("reserved"), event_code("released")),
            "location": np.zeros(len(steps), int),
            "order_id": columns["group"],
        }
        done: list[bool] = self.stock.move(np.random.default_rng(1), columns, end, self.rows).tolist()
        return done

    def block(self, end: int) -> Block:
        return self.rows.block(end)


def shown(block: Block) -> list[tuple[str, int, int, int]]:
    """Event, product, change and stock of each row."""
    names = [EVENTS[code] for code in block.sent["event"]]
    columns = (block.sent["sku"], block.sent["change"], block.truth["stock"])
    return list(zip(names, *(column.tolist() for column in columns), strict=True))


def test_an_order_takes_all_its_lines_or_none(products: Products) -> None:
    counter = Counter(products)
    done = counter.move((5, 0, -20, 0, -1), (6, 1, -1, 1, -1), (6, 0, -5, 1, -1), (7, 0, -4, 2, -1), end=100)
    assert done == [True, False, False, True]
    assert shown(counter.block(1_000)) == [
        ("received", 0, LEAST_LOT, 24),
        ("reserved", 0, -20, 4),
        ("reserved", 0, -4, 0),
    ]


def test_the_answers_stand_in_the_order_of_the_questions(products: Products) -> None:
    assert Counter(products).move((9, 3, -24, 0, -1), (8, 3, -1, 1, -1), end=100) == [False, True]


def test_what_was_not_taken_is_not_put_back(products: Products) -> None:
    counter = Counter(products)
    done = counter.move((5, 0, -25, 0, -1), (6, 0, 25, 1, 0), (5, 2, -3, 2, -1), (6, 2, 3, 3, 2), end=100)
    assert done == [False, False, True, True]
    assert shown(counter.block(1_000))[-1] == ("released", 2, 3, 24)


def test_what_runs_low_is_supplied_once_after_its_lead_time(products: Products) -> None:
    lead = int(products.lead_ms()[4])
    counter = Counter(products)
    assert counter.move((0, 4, -23, 0, -1), (HOUR, 4, -1, 1, -1), (lead - 1, 4, -1, 2, -1), end=lead) == [
        *(True, True, False)
    ]
    assert counter.move((lead, 4, -2, 0, -1), end=9 * lead) == [True]
    block = counter.block(10 * lead)
    assert shown(block)[-2:] == [("received", 4, 24, 24), ("reserved", 4, -2, 22)]
    assert block.sent["location"][-2] == products.supplier[4]
    assert block.sent["order_id"][-2] == MISSING
    assert 10 <= block.sent["timestamp_ms"][-2] - lead < 80


def test_a_supply_arrives_where_nothing_moves(products: Products) -> None:
    counter = Counter(products)
    counter.move((0, 4, -24, 0, -1), end=100)
    counter.move((HOUR, 5, -1, 0, -1), end=50 * HOUR)
    assert ("received", 4, 24, 24) in shown(counter.block(51 * HOUR))


def test_records_are_late_but_in_order(products: Products) -> None:
    counter = Counter(products)
    times = np.sort(np.random.default_rng(2).integers(0, 5_000, 400))
    steps = [(int(time), 7, (-1) ** (number + 1), number, -1) for number, time in enumerate(times)]
    assert all(counter.move(*steps[:200], end=int(times[200])))
    assert all(counter.move(*steps[200:], end=6_000))
    block = counter.block(7_000)
    late = block.sent["timestamp_ms"][1:] - times
    assert (late >= 10).all()
    assert (late < 80).all()
    assert len(set(late.tolist())) > 20
    assert np.cumsum(block.sent["change"]).tolist() == block.truth["stock"].tolist()


def test_a_supply_lasts_for_days(products: Products) -> None:
    stock = Stock(products, np.full(20, 10.0))
    assert stock._lot == [24 + 7 * 10] * 20
    awaited = 10 * products.lead_ms() / (24 * HOUR)
    assert stock._reorder_at == np.ceil(1 + awaited + awaited**0.5).tolist()


def test_sales_over_the_counter() -> None:
    sales = shop_sales(np.random.default_rng(0), np.arange(50), np.arange(50))
    assert {LOCATIONS[code].partition("-")[0] for code in sales["location"]} == {"shop"}
    assert set(sales["change"]) == {-1}
    assert set(sales["order_id"]) == {MISSING}
