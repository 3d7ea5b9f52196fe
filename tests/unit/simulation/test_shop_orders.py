from __future__ import annotations

import numpy as np
import pytest

from kafkalab.simulation.shop_catalogue import draw_products
from kafkalab.simulation.shop_orders import STATIONS, Fates, Orders, draw_fates, read_orders
from kafkalab.simulation.shop_rows import FRAUDS
from kafkalab.simulation.source import Columns

PRODUCTS = draw_products(np.random.default_rng(0), 30)
COUNT = 100_000


def rng() -> np.random.Generator:
    return np.random.default_rng(8)


def of_lines(time: list[int], cart: list[int], sku: list[int], quantity: list[int]) -> Columns:
    columns = {"time": time, "cart_id": cart, "sku": sku, "quantity": quantity}
    more = {name: [0] * len(time) for name in ("customer_id", "card", "country", "fraud")}
    return {name: np.array(column, np.int64) for name, column in {**columns, **more}.items()}


def many(fraud: int = -1) -> Orders:
    columns = {"time": np.arange(COUNT), "fraud": np.full(COUNT, fraud)}
    return Orders(columns, np.zeros(COUNT, int), np.ones(COUNT, int), np.arange(COUNT))


def fates(decline_rate: float, fraud: int = -1) -> Fates:
    return draw_fates(rng(), many(fraud), decline_rate, return_rate=0.3)


def near(share: float, count: int = COUNT) -> object:
    return pytest.approx(share, abs=4 * (share * (1 - share) / count) ** 0.5)


def test_orders_are_read_from_lines_in_the_order_of_their_times() -> None:
    orders = read_orders(of_lines([9, 9, 5, 9, 9], [1, 1, 3, 2, 2], [4, 5, 6, 7, 8], [1, 2, 3, 1, 1]), PRODUCTS, 50)
    assert orders.columns["order_id"].tolist() == [50, 51, 52]
    assert orders.columns["cart_id"].tolist() == [3, 1, 2]
    assert orders.owner.tolist() == [0, 1, 1, 2, 2]
    assert orders.sku.tolist() == [6, 4, 5, 7, 8]
    items = orders.items(PRODUCTS)
    assert [item["sku"] for item in items[1]] == [PRODUCTS.sku[4], PRODUCTS.sku[5]]
    assert items[0] == [{"sku": PRODUCTS.sku[6], "quantity": 3, "unit_price": PRODUCTS.cents[6] / 100}]
    totals = [round(sum(item["quantity"] * item["unit_price"] for item in order), 2) for order in items]
    assert orders.columns["amount"].tolist() == totals


def test_no_lines_no_orders() -> None:
    orders = read_orders(of_lines([], [], [], []), PRODUCTS, 50)
    assert len(orders) == len(orders.items(PRODUCTS)) == len(draw_fates(rng(), orders, 0.5, 0.5).paid) == 0


def test_what_orders_ask_of_the_stock() -> None:
    orders = read_orders(of_lines([9, 9, 5], [1, 1, 3], [4, 5, 6], [1, 2, 3]), PRODUCTS, 50)
    steps = orders.steps(PRODUCTS, np.array([1, 2]), np.array([70, 80]), -1)
    asked = zip(*(steps[name].tolist() for name in ("time", "event", "order_id", "sku", "change")), strict=True)
    assert list(asked) == [(70, 1, 50, 6, -3), (80, 2, 51, 4, -1), (80, 2, 51, 5, -2)]
    assert steps["location"].tolist() == PRODUCTS.warehouse[[6, 4, 5]].tolist()


def test_declined_payments_are_tried_again() -> None:
    drawn = fates(0.09)
    assert (drawn.attempts > 1).mean() == near(0.09 * 0.8)
    again = drawn.attempts > 1
    assert (drawn.attempts > 2).sum() / again.sum() == near(0.3 * 0.8, int(again.sum()))
    assert (~drawn.paid).mean() == near(0.09 * (0.2 + 0.8 * 0.3 * (0.2 + 0.8 * 0.3)))
    assert (np.diff(drawn.tried, axis=1) >= 20_000).all()


def test_payments_at_the_extremes() -> None:
    assert fates(0).paid.all()
    assert not fates(1).paid.any()
    assert set(fates(1).attempts) == {1, 2, 3}


def test_card_tests_are_declined_often_and_not_tried_again() -> None:
    tests = fates(0.09, FRAUDS.index("card_testing"))
    assert tests.attempts.max() == 1
    assert (~tests.paid).mean() == near(0.4)
    assert fates(0.09, FRAUDS.index("unusual_amount")).attempts.max() == 3


def test_an_order_is_undone_at_most_once() -> None:
    drawn = fates(0.09)
    assert not (drawn.cancelled & drawn.returned).any()
    assert drawn.cancelled[~drawn.paid].all()
    assert drawn.cancelled[drawn.paid].mean() == near(0.02, int(drawn.paid.sum()))
    assert drawn.returned[~drawn.cancelled].mean() == near(0.3, int((~drawn.cancelled).sum()))
    undone, time = drawn.undone()
    assert (undone == drawn.cancelled | drawn.returned).all()
    assert (time == np.where(drawn.cancelled, drawn.at["cancelled"], drawn.at["returned"])).all()


def test_times_follow_one_another() -> None:
    drawn = fates(0.09)
    settled = drawn.tried[np.arange(COUNT), drawn.attempts - 1]
    assert (drawn.tried[:, 0] - np.arange(COUNT) >= 1_000).all()
    assert (drawn.at["paid"] > settled).all()
    assert (drawn.at["cancelled"] > settled).all()
    # Who cancels does so before the order is packed.
    assert (drawn.at["cancelled"][drawn.paid] < drawn.at["packed"][drawn.paid]).all()
    last = "paid"
    for station, least, mean in STATIONS:
        waits = drawn.at[station] - drawn.at[last]
        assert waits.min() >= least
        assert waits.mean() == pytest.approx(least + mean, abs=4 * mean / COUNT**0.5)
        last = station
