from __future__ import annotations

import itertools
from collections import Counter
from functools import cache

import numpy as np
import orjson
import pandas as pd
import pytest

from kafkalab.errors import InvalidArgument
from kafkalab.simulation.shop import Shop

N = 200_000  # some ten days
SOURCE = Shop(seed=4)
NEXT = {
    "placed": {"paid", "cancelled"},
    "paid": {"packed", "cancelled"},
    "packed": {"shipped"},
    "shipped": {"delivered"},
    "delivered": {"returned"},
    "cancelled": set(),
    "returned": set(),
}


@cache
def run() -> pd.DataFrame:
    """Records and truth side by side."""
    return pd.concat([SOURCE.frame(N), SOURCE.truth(N)], axis=1)


def of(topic: str, *events: str) -> pd.DataFrame:
    rows = run()[run()["topic"] == topic]
    return rows[rows["event"].isin(events)] if events else rows


def when(topic: str, event: str) -> pd.Series:
    """Time by order."""
    return of(topic, event).set_index("order_id")["timestamp_ms"]


def lines() -> pd.DataFrame:
    """One row per line of every order that was placed."""
    placed = of("orders", "placed").explode("items")
    return placed.assign(**{name: [item[name] for item in placed["items"]] for name in placed["items"].iloc[0]})


def test_records_and_frame_are_the_same() -> None:
    count, seen = 20_000, Counter[str]()
    rows = Shop(seed=2).frame(count)
    columns = {name: rows[name].astype(object).where(rows[name].notna(), None).tolist() for name in rows}
    for number, record in enumerate(Shop(seed=2).records(count)):
        plan = Shop.topics[record.topic]
        assert orjson.loads(record.value) == {name: columns[name][number] for name in plan.fields}
        assert record.key == str(columns[plan.key][number]).encode()
        assert (record.topic, record.timestamp_ms) == (columns["topic"][number], columns["timestamp_ms"][number])
        seen[record.topic] += 1
    assert set(seen) == set(Shop.topics)
    assert min(seen.values()) > 300


def test_a_column_that_a_topic_does_not_have_is_missing_there() -> None:
    for topic, plan in Shop.topics.items():
        others = [name for name in SOURCE.kinds if name not in plan.fields]
        assert of(topic)[others].isna().all(axis=None), topic


def test_a_seed_decides_and_the_first_records_do_not_depend_on_how_many_are_asked_for() -> None:
    few = list(Shop(seed=1).records(3_000))
    assert few == list(itertools.islice(Shop(seed=1).records(20_000), 3_000))
    assert few != list(Shop(seed=2).records(3_000))
    pd.testing.assert_frame_equal(SOURCE.frame(5_000), SOURCE.frame(N).head(5_000))
    pd.testing.assert_frame_equal(SOURCE.truth(5_000), SOURCE.truth(N).head(5_000))


def test_time_never_goes_back_and_no_cart_or_payment_comes_twice() -> None:
    assert run()["timestamp_ms"].is_monotonic_increasing
    assert run()["timestamp_ms"].iloc[0] >= SOURCE.start_ms
    assert of("orders", "placed")["order_id"].tolist() == list(range(100_001, 100_001 + len(of("orders", "placed"))))
    assert not of("carts", "checked_out")["cart_id"].duplicated().any()
    assert not of("payments", "captured", "declined")["payment_id"].duplicated().any()


def test_an_order_goes_through_its_states_version_by_version() -> None:
    orders = of("orders")
    assert (orders["version"] == orders.groupby("order_id").cumcount() + 1).all()
    before = orders.groupby("order_id")["event"].shift()
    steps = set(zip(before.dropna(), orders["event"][before.notna()], strict=True))
    assert steps == {(first, then) for first, following in NEXT.items() for then in following}
    assert (orders["event"][before.isna()] == "placed").all()


def test_an_order_ends_as_the_truth_says() -> None:
    orders = of("orders")
    assert orders.groupby("order_id")["final_state"].nunique(dropna=False).eq(1).all()
    last = orders.groupby("order_id").tail(1)
    over = last["event"].isin(["cancelled", "returned"])
    assert (last["event"][over] == last["final_state"][over].astype(str)).all()
    # A parcel takes five days only once in a hundred times.
    old = last[last["timestamp_ms"] < run()["timestamp_ms"].iloc[-1] - 5 * 86_400_000]
    assert old["event"].eq(old["final_state"].astype(str)).mean() > 0.9
    assert old["final_state"].value_counts().min() > 50


def test_no_order_without_a_cart_and_none_that_differs_from_it() -> None:
    placed = of("orders", "placed").set_index("cart_id")
    carts = of("carts", "checked_out").set_index("cart_id").loc[placed.index]
    assert (carts["customer_id"].astype(str) == placed["customer_id"].astype(str)).all()
    assert (carts["timestamp_ms"] < placed["timestamp_ms"]).all()
    moves = of("carts", "added", "removed")
    sign = np.where(moves["event"] == "added", 1, -1)
    held = (moves["quantity"] * sign).groupby([moves["cart_id"], moves["sku"].astype(str)]).sum()
    ordered = lines().set_index(["cart_id", "sku"])["quantity"].sort_index()
    held = held[held.index.get_level_values(0).isin(placed.index) & (held > 0)]
    assert held.to_dict() == ordered.to_dict()
    left = set(of("carts", "checked_out")["cart_id"]) - set(placed.index)
    assert len(left) <= 1  # one may have been checked out just before the last record


def test_a_cart_is_checked_out_last() -> None:
    carts = of("carts")
    last = carts.groupby("cart_id").tail(1).set_index("cart_id")["event"]
    assert (last[of("carts", "checked_out")["cart_id"]] == "checked_out").all()
    viewed = carts.groupby(["cart_id", "sku"], observed=True)["event"].first()
    assert (viewed == "viewed").all()


def test_amounts_are_the_sums_of_their_lines_and_prices_those_of_the_catalogue() -> None:
    price = SOURCE.products.set_index("sku")["price"]
    assert (price[lines()["sku"]].to_numpy() == lines()["unit_price"].to_numpy()).all()
    cents = (lines()["quantity"] * (lines()["unit_price"] * 100).round().astype(int)).groupby(lines()["order_id"]).sum()
    amount = of("orders", "placed").set_index("order_id")["amount"]
    assert (cents / 100 == amount).all()
    paid = of("payments")
    assert (paid["amount"].to_numpy() == amount[paid["order_id"]].to_numpy()).all()
    shown = of("carts", "viewed")
    assert (price[shown["sku"]].to_numpy() == shown["unit_price"].to_numpy()).all()


def test_a_declined_payment_is_tried_again_or_the_order_is_cancelled() -> None:
    tries = of("payments", "captured", "declined")
    assert (tries["attempt"] == tries.groupby("order_id").cumcount() + 1).all()
    assert tries["attempt"].max() == 3
    last = tries.groupby("order_id").tail(1).set_index("order_id")
    assert not tries[tries["event"] == "captured"].duplicated("order_id").any()
    failed = of("orders", "cancelled").set_index("order_id").query("reason == 'payment_failed'")
    refused = last[last["event"] == "declined"]
    assert set(failed.index) <= set(refused.index)
    assert (failed["timestamp_ms"] > refused["timestamp_ms"][failed.index]).all()
    # What is still open at the end has been so for an hour at most.
    still = refused.drop(failed.index)["timestamp_ms"]
    assert (still > run()["timestamp_ms"].iloc[-1] - 3_600_000 * 2).all()


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (("orders", "placed"), ("payments", "captured")),
        (("inventory_updates", "reserved"), ("payments", "captured")),
        (("payments", "captured"), ("orders", "paid")),
        (("orders", "paid"), ("shipping", "handed_over")),
        (("orders", "packed"), ("shipping", "handed_over")),
        (("shipping", "handed_over"), ("orders", "shipped")),
        (("shipping", "handed_over"), ("shipping", "in_transit")),
        (("shipping", "in_transit"), ("shipping", "out_for_delivery")),
        (("shipping", "out_for_delivery"), ("shipping", "delivered")),
        (("shipping", "delivered"), ("orders", "delivered")),
        (("shipping", "delivered"), ("shipping", "returned")),
        (("orders", "returned"), ("payments", "refunded")),
        (("orders", "cancelled"), ("inventory_updates", "released")),
        (("orders", "paid"), ("notifications", "order_paid")),
        (("payments", "declined"), ("notifications", "payment_declined")),
        (("orders", "shipped"), ("notifications", "order_shipped")),
        (("orders", "delivered"), ("notifications", "order_delivered")),
        (("orders", "cancelled"), ("notifications", "order_cancelled")),
        (("payments", "refunded"), ("notifications", "order_refunded")),
    ],
)
def test_a_cause_comes_before_its_effect(first: tuple[str, str], then: tuple[str, str]) -> None:
    causes, effects = when(*first).groupby("order_id").min(), when(*then).groupby("order_id").min()
    if first == ("orders", "returned"):  # a cancelled order is refunded, too
        effects = effects.drop(when("orders", "cancelled").index, errors="ignore")
    assert len(effects) > 50
    assert (causes.reindex(effects.index) < effects).all()


def test_who_paid_and_got_nothing_is_refunded_once() -> None:
    paid = set(when("orders", "paid").index)
    undone = set(when("orders", "cancelled").index) | set(when("orders", "returned").index)
    refunded = of("payments", "refunded")
    assert not refunded["order_id"].duplicated().any()
    assert set(refunded["order_id"]) <= paid & undone
    captured = of("payments", "captured").set_index("order_id")["payment_id"]
    assert (captured[refunded["order_id"]].to_numpy() == refunded["payment_id"].to_numpy()).all()
    assert len((paid & undone) - set(refunded["order_id"])) <= 5  # refunds under way


def test_the_stock_is_the_sum_of_its_changes_and_never_negative() -> None:
    moves = of("inventory_updates")
    level = moves.groupby("sku", observed=True)["change"].cumsum()
    assert (level == moves["stock"]).all()
    assert level.min() == 0
    assert (moves.groupby("sku", observed=True)["event"].first() == "received").all()
    supplied = moves["event"] == "received"
    places = SOURCE.products.set_index("sku")
    assert (moves["location"][supplied].astype(str) == places["supplier"][moves["sku"][supplied]].to_numpy()).all()
    sold = moves["event"] == "sold"
    assert moves["location"][sold].str.startswith("shop-").all()
    inside = ~(supplied | sold)
    assert (moves["location"][inside].astype(str) == places["warehouse"][moves["sku"][inside]].to_numpy()).all()
    assert moves["order_id"].notna().equals(inside)


def test_what_is_reserved_is_what_was_ordered_and_all_that_is_undone_comes_back() -> None:
    moves = of("inventory_updates")
    refused = set(of("orders", "cancelled").query("reason == 'out_of_stock'")["order_id"])
    keys = ["order_id", "sku"]
    reserved = moves[moves["event"] == "reserved"].astype({"sku": str}).set_index(keys)["change"]
    ordered = lines().set_index(keys)["quantity"]
    accepted = ordered[~ordered.index.get_level_values(0).isin(refused)]
    assert refused
    assert not set(of("payments")["order_id"]) & refused
    assert accepted.mul(-1).to_dict() == reserved.to_dict()
    back = moves[moves["event"].isin(["released", "returned"])].astype({"sku": str}).set_index(keys)["change"]
    assert (back == -reserved[back.index]).all()
    undone = set(when("orders", "cancelled").index) - refused | set(when("orders", "returned").index)
    assert set(back.index.get_level_values(0)) <= undone
    assert len(undone) - back.index.get_level_values(0).nunique() <= 1


def test_an_order_is_refused_only_where_the_stock_did_not_suffice() -> None:
    refused = of("orders", "cancelled").query("reason == 'out_of_stock'")["order_id"]
    asked = lines()[lines()["order_id"].isin(refused)]
    moves = of("inventory_updates")
    history = {sku: (rows["timestamp_ms"].to_numpy(), rows["stock"].to_numpy()) for sku, rows in moves.groupby("sku")}
    # Records of the stock are up to 80 ms late; so the lower of what was there just before and just after.
    short = []
    for time, sku, quantity in zip(asked["timestamp_ms"], asked["sku"], asked["quantity"], strict=True):
        times, stock = history[sku]
        first, last = np.searchsorted(times, [time, time + 100])
        short.append(min(stock[max(first - 1, 0) : last], default=quantity) < quantity)
    assert pd.Series(short).groupby(asked["order_id"].to_numpy()).any().all()
    assert 0.002 < len(refused) / len(of("orders", "placed")) < 0.03


def test_parcels_go_home_and_customers_are_told_as_they_wish() -> None:
    homes = SOURCE.customers.set_index("customer_id")
    for topic, column in (("shipping", "country"), ("notifications", "channel")):
        rows = of(topic)
        assert (homes[column][rows["customer_id"]].to_numpy() == rows[column].astype(str)).all()
    texts = of("notifications").groupby("event", observed=True)["text"].nunique()
    assert texts.eq(1).all()
    assert len(texts) == 6


def test_delays_and_shares_are_as_stated() -> None:
    placed = of("orders", "placed").set_index("order_id")
    early = placed["timestamp_ms"] < placed["timestamp_ms"].iloc[0] + 4 * 86_400_000  # theirs is known to the end
    paid, delivered = when("orders", "paid"), when("orders", "delivered")
    days = (delivered - paid).reindex(early[early].index).dropna() / 86_400_000
    # Five exponential parts of 4, 3, 3, 12 and 2 h: a standard deviation of 13.5 h.
    assert days.mean() == pytest.approx(1.44, abs=4 * 13.5 / 24 / len(days) ** 0.5)
    share = placed["final_state"].eq("returned").sum() / placed["final_state"].ne("cancelled").sum()
    assert share == pytest.approx(0.08, abs=4 * (0.08 * 0.92 / len(placed)) ** 0.5)
    changed = of("orders", "cancelled").query("reason == 'customer_request'")
    assert len(changed) / len(paid) == pytest.approx(0.02, abs=4 * (0.02 * 0.98 / len(paid)) ** 0.5)


def test_the_first_records_come_at_once_and_the_rates_can_be_set() -> None:
    quick = Shop(visits_per_day=200, customers=50, products=20, start="2024-01-01T08:00Z").frame(10_000)
    assert (quick["timestamp_ms"].iloc[-1] - quick["timestamp_ms"].iloc[0]) / 86_400_000 == pytest.approx(5.2, abs=0.5)
    last = quick[quick["topic"] == "orders"].groupby("order_id")["event"].last()
    assert last.isin(["delivered", "cancelled", "returned"]).mean() > 0.6


def test_extreme_rates() -> None:
    def rows(**rates: float) -> pd.DataFrame:
        source = Shop(visits_per_day=200, fraud_rate=0, **rates)  # type: ignore[arg-type]
        return pd.concat([source.frame(8_000), source.truth(8_000)], axis=1)

    never, always = rows(decline_rate=0, return_rate=0), rows(decline_rate=1, return_rate=1)
    assert never["fraud"].isna().all()
    assert not never["event"].isin(["declined", "returned", "payment_declined"]).any()
    assert never["event"].eq("paid").sum() > 100
    assert not always["event"].isin(["captured", "paid"]).any()
    assert set(always["final_state"].dropna()) == {"cancelled"}
    assert set(rows(return_rate=1)["final_state"].dropna()) == {"cancelled", "returned"}


def test_the_tables_of_the_shop() -> None:
    source = Shop(products=30, customers=7)
    assert list(source.products) == ["sku", "name", "taste", "price", "popularity", "supplier", "warehouse"]
    assert list(source.customers) == [
        *("customer_id", "taste", "country", "channel", "card", "second_card", "activity")
    ]
    assert (len(source.products), len(source.customers)) == (30, 7)
    assert source.products["sku"].is_monotonic_increasing
    assert set(SOURCE.frame(5_000)["sku"].dropna()) <= set(SOURCE.products["sku"])


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("customers", 1, "from 2 to 100,000"),
        ("customers", 2.5, "whole number"),
        ("products", 19, "from 20 to 20,000"),
        ("products", True, "from 20"),
        ("products", None, "whole number"),
        ("visits_per_day", 0, "from 1 to 200,000"),
        ("visits_per_day", float("nan"), "from 1"),
        ("visits_per_day", "many", "from 1"),
        ("decline_rate", 1.01, "from 0 to 1"),
        ("return_rate", -0.1, "from 0 to 1"),
        ("fraud_rate", None, "from 0 to 1"),
    ],
)
def test_arguments_that_cannot_be(name: str, value: object, advice: str) -> None:
    with pytest.raises(InvalidArgument, match=f"^{name}={value!r} is not possible: give a .*{advice}"):
        Shop(**{name: value})  # type: ignore[arg-type]
