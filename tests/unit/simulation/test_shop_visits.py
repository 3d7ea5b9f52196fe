from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from kafkalab.simulation.shop import Shop
from kafkalab.simulation.shop_catalogue import OVERSEAS
from kafkalab.simulation.shop_visits import ORDERS_PER_VISIT, UNITS_PER_ORDER
from kafkalab.simulation.source import Source

N = 300_000
PER_DAY = 20_000
SOURCE = Shop(seed=6, visits_per_day=PER_DAY, fraud_rate=0.03)
HONEST = Shop(seed=7, visits_per_day=PER_DAY, fraud_rate=0)


@cache
def run(source: Source) -> pd.DataFrame:
    return pd.concat([source.frame(N), source.truth(N)], axis=1)


def of(source: Source, *events: str) -> pd.DataFrame:
    rows = run(source)
    return rows[rows["event"].isin(events)]


def near(share: float, count: int) -> object:
    return pytest.approx(share, abs=4 * (share * (1 - share) / count) ** 0.5)


def carts() -> pd.DataFrame:
    """Honest carts that are over: first view, numbers of views, added and removed products, whether checked out."""
    rows = run(HONEST)[run(HONEST)["topic"] == "carts"]
    counts = pd.crosstab(rows["cart_id"], rows["event"].astype(str))
    counts["begun"] = rows.groupby("cart_id")["timestamp_ms"].first()
    over: pd.DataFrame = counts[counts["begun"] < rows["timestamp_ms"].iloc[-1] - 3_600_000]
    return over


def test_visits_come_as_often_as_asked_for() -> None:
    begun = carts()["begun"]
    day = begun[begun < HONEST.start_ms + 86_400_000]
    assert len(day) == pytest.approx(PER_DAY, abs=4 * PER_DAY**0.5)


def test_how_a_visit_goes() -> None:
    visits = carts()
    # Geometric: a variance of 4 * 3.
    assert visits["viewed"].mean() == pytest.approx(4, abs=4 * (12 / len(visits)) ** 0.5)
    assert visits["removed"].sum() / visits["added"].sum() == near(0.08, int(visits["added"].sum()))
    filled = visits["added"] > visits["removed"]
    assert visits["checked_out"][filled].mean() == near(0.42, int(filled.sum()))
    assert not visits["checked_out"][~filled].any()
    # Looked at for the first time, a product is wanted three times in ten; more often when seen again.
    views = of(HONEST, "viewed")
    once = views[~views.duplicated(["cart_id", "sku"], keep=False)]
    added = of(HONEST, "added").set_index(["cart_id", "sku"]).index
    wanted = once.set_index(["cart_id", "sku"]).index.isin(added)
    assert wanted.mean() == near(0.3, len(once))


def test_supplies_reckon_with_the_right_demand() -> None:
    visits, placed = carts(), of(HONEST, "placed")
    assert visits["checked_out"].mean() == pytest.approx(ORDERS_PER_VISIT, rel=0.05)
    pieces = placed["items"].map(lambda items: sum(item["quantity"] for item in items))
    assert pieces.mean() == pytest.approx(UNITS_PER_ORDER, rel=0.05)
    viewed = of(HONEST, "viewed")["sku"].value_counts(normalize=True)
    expected = pd.Series(HONEST._visitors.shares(), HONEST._products.sku)
    assert expected.sum() == pytest.approx(1)
    assert (viewed[expected.index] - expected).abs().max() < 0.004


def test_products_seen_together_are_of_one_taste() -> None:
    tastes = HONEST.products.set_index("sku")["taste"]
    views = of(HONEST, "viewed")
    taste = tastes[views["sku"]].to_numpy()
    by_cart = views.assign(taste=taste).sort_values("cart_id", kind="stable")
    together = by_cart["cart_id"].to_numpy()[1:] == by_cart["cart_id"].to_numpy()[:-1]
    same = (by_cart["taste"].to_numpy()[1:] == by_cart["taste"].to_numpy()[:-1])[together]
    # Each view is of the visit's taste with 0.9 + 0.1 / 6, of another one with 0.1 / 6 each.
    own, other = 0.9 + 0.1 / 6, 0.1 / 6
    assert same.mean() == near(own**2 + 5 * other**2, int(together.sum()))
    favourites = HONEST.customers.set_index("customer_id")["taste"][views["customer_id"]].to_numpy()
    theme = 0.8 + 0.2 / 6
    assert (taste == favourites).mean() == pytest.approx(theme * own + (1 - theme) * other, abs=0.01)


def test_honest_payments() -> None:
    tries = of(HONEST, "captured", "declined").drop_duplicates("order_id")
    assert run(HONEST)["fraud"].isna().all()
    assert tries["event"].eq("declined").mean() == near(0.08, len(tries))
    customers = HONEST.customers.set_index("customer_id").loc[tries["customer_id"]]
    second = customers["second_card"].to_numpy() == tries["card"].astype(str)
    assert second.mean() == near(0.1, len(tries))
    assert (second | (customers["card"].to_numpy() == tries["card"].astype(str))).all()
    away = customers["country"].to_numpy() != tries["country"].astype(str)
    assert away.mean() == near(0.003, len(tries))
    assert set(tries["country"][away]) <= set(OVERSEAS)


def test_frauds_are_as_many_as_asked_for() -> None:
    placed = of(SOURCE, "placed")
    honest = int(placed["fraud"].isna().sum())
    tests = placed[placed["fraud"] == "card_testing"].groupby("customer_id", observed=True).size()
    singles = placed["fraud"].value_counts()[["unusual_amount", "unusual_country"]]
    for found in (len(tests), *singles):
        assert found == pytest.approx(0.01 * honest, abs=4 * (0.01 * honest) ** 0.5)
    # The same account is seldom used for two; 8 to 20 have a standard deviation of 3.7.
    assert tests.median() == pytest.approx(14, abs=4 * 1.25 * 3.7 / len(tests) ** 0.5)


def test_a_card_test_is_many_small_payments_by_one_stolen_card_within_minutes() -> None:
    tries = of(SOURCE, "captured", "declined")
    tests = tries[tries["fraud"] == "card_testing"]
    assert tests["amount"].max() < 5
    by_card = tests.groupby("card", observed=True)
    spread = by_card["timestamp_ms"].max() - by_card["timestamp_ms"].min()
    assert spread.quantile(0.9) < 15 * 60_000  # a card may be stolen twice
    owners = SOURCE.customers.set_index("card")["customer_id"][tests["card"]]
    assert (owners.to_numpy() != tests["customer_id"].astype(str)).mean() > 0.99
    assert by_card["customer_id"].nunique().mean() < 1.1


def judged(alarm: pd.Series, pattern: str) -> tuple[float, float]:
    """Return precision (all frauds count) and recall (of this pattern) of an alarm per payment."""
    tries = of(SOURCE, "captured", "declined")
    return tries["fraud"][alarm].notna().mean(), alarm[tries["fraud"] == pattern].mean()


def test_simple_rules_find_frauds_but_not_without_error() -> None:
    tries = of(SOURCE, "captured", "declined")
    times = pd.to_datetime(tries["timestamp_ms"], unit="ms")
    small = tries.set_index(times)["amount"].lt(5).astype(int)
    recent = small.groupby(tries["card"].astype(str).to_numpy()).rolling("10min").sum()
    frequent = tries.assign(card=tries["card"].astype(str), at=times).set_index(["card", "at"]).index
    velocity = pd.Series(recent[~recent.index.duplicated(keep="last")][frequent].to_numpy() >= 4, tries.index)
    homes = SOURCE.customers.set_index("customer_id")["country"][tries["customer_id"]].to_numpy()
    amount, country = tries["amount"] > 600, tries["country"].astype(str) != homes
    for alarm, pattern, precision, recall in (
        (velocity, "card_testing", 0.95, 0.6),
        (amount, "unusual_amount", 0.6, 0.9),
        (country, "unusual_country", 0.6, 0.99),
    ):
        found = judged(alarm, pattern)
        assert found[0] > precision, pattern
        assert found[1] > recall, pattern
    assert judged(amount | country, "unusual_amount")[0] < 1
    assert np.mean([judged(velocity | amount | country, name)[1] for name in ("card_testing", "unusual_amount")]) < 1


def test_frauds_happen_at_honest_times() -> None:
    placed = of(SOURCE, "placed")
    hours = placed["timestamp_ms"] % 86_400_000 / 3_600_000
    singles = hours[placed["fraud"].isin(["unusual_amount", "unusual_country"])]
    honest = hours[placed["fraud"].isna()]
    assert singles.mean() == pytest.approx(honest.mean(), abs=4 * honest.std() / len(singles) ** 0.5)
