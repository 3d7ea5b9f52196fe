from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from kafkalab.simulation.shop_catalogue import (
    COUNTRIES,
    CUSTOMER_OFFSET,
    HOURS,
    LOCATIONS,
    MARKETS,
    PRODUCT_OFFSET,
    SUPPLIERS,
    TASTES,
    Rhythm,
    draw_crowd,
    draw_products,
)
from kafkalab.simulation.shop_rows import DAY_MS

START = int(dt.datetime(2025, 3, 3, tzinfo=dt.UTC).timestamp() * 1000)


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_products_are_popular_by_zipf_mandelbrot_within_their_taste() -> None:
    products = draw_products(rng(), 205)
    assert np.bincount(products.taste).tolist() == [35, 34, 34, 34, 34, 34]
    count = 300_000
    picked = products.pick(rng(), np.full(count, 2))
    assert set(products.taste[picked]) == {2}
    weights = 1 / (np.arange(34) + 1 + PRODUCT_OFFSET)
    expected = count * weights / weights.sum()
    found = np.bincount(picked, minlength=205)[products.taste == 2]
    chi_squared = ((found - expected) ** 2 / expected).sum()
    assert chi_squared < 33 + 4 * 66**0.5  # 33 degrees of freedom


def test_the_catalogue() -> None:
    products = draw_products(rng(), 1_000)
    table = products.frame()
    assert sorted(table["sku"]) == table["sku"].tolist() == [f"SKU-{number:05d}" for number in range(1, 1_001)]
    assert set(table["taste"]) == set(TASTES)
    assert (table.groupby("taste")["popularity"].sum() - 1).abs().max() < 1e-9
    assert table["price"].between(1.99, 899.99).all()
    assert ((table["price"] * 100).round() % 100 == 99).all()
    # The median of a thousand lognormal prices: a standard error of 1.25 * 0.8 / sqrt(1000) in the logarithm.
    assert np.log(table["price"].median() / 25) == pytest.approx(0, abs=4 * 1.25 * 0.8 / 1_000**0.5)
    assert products.cents[products.cheap].max() < 500
    assert len(products.cheap) == len(products.dear) == 50
    assert products.cents[products.dear].min() >= np.sort(products.cents)[-50]
    assert set(table["supplier"]) == set(SUPPLIERS)
    assert set(table["warehouse"]) < set(LOCATIONS) - set(SUPPLIERS)
    assert set(products.lead_ms() // 3_600_000) == set(SUPPLIERS.values())


def test_a_sku_does_not_tell_the_taste() -> None:
    taste = draw_products(rng(), 600).frame()["taste"].to_numpy()
    same = (taste[1:] == taste[:-1]).mean()
    assert same == pytest.approx(1 / 6, abs=4 * (5 / 36 / 599) ** 0.5)


def test_no_name_comes_twice() -> None:
    table = draw_products(rng(), 2_000).frame()
    assert not table.duplicated(["name"]).any()
    assert table["name"].str.fullmatch(r"[A-Z][a-z]+( [A-Z][a-z]+|-[A-Z][a-z]+| Yo Yo){1,2}( \d)?").all()


def test_customers_are_active_by_zipf_mandelbrot() -> None:
    crowd = draw_crowd(rng(), 3_000)
    visits = np.bincount(crowd.pick(rng(), 1_000_000), minlength=3_000)
    expected = 1_000_000 * crowd.activity
    assert ((visits - expected) ** 2 / expected).sum() < 2_999 + 4 * (2 * 2_999) ** 0.5
    ranked = np.sort(crowd.activity)[::-1]
    slope = np.polyfit(np.log(np.arange(1, 3_001) + CUSTOMER_OFFSET), np.log(ranked), 1)[0]
    assert slope == pytest.approx(-1)
    # Neither the id nor the taste tells who is active.
    assert abs(np.corrcoef(np.arange(3_000), crowd.activity)[0, 1]) < 4 / 3_000**0.5


def test_the_customers() -> None:
    crowd = draw_crowd(rng(), 5_000)
    table = crowd.frame()
    assert table["customer_id"].iloc[[0, -1]].tolist() == ["C000001", "C005000"]
    assert len(set(crowd.card)) == 10_000
    assert table["activity"].sum() == pytest.approx(1)
    shares = table["country"].value_counts(normalize=True)
    assert set(shares.index) == set(MARKETS) < set(COUNTRIES)
    for country, percent in MARKETS.items():
        share = percent / 100
        assert shares[country] == pytest.approx(share, abs=4 * (share * (1 - share) / 5_000) ** 0.5)


@pytest.mark.parametrize("hour", [0, 17.5])
def test_visits_follow_the_hours_of_the_day(hour: float) -> None:
    start = START + int(hour * 3_600_000)
    rhythm = Rhythm(start, per_day=1_000)
    count = 400_000
    times = rhythm.time(rng().random(count) * 7_000)  # a week
    assert abs(int(rhythm.time(np.array(0.0))) - start) <= 1
    assert abs(int(rhythm.time(np.array(7_000.0))) - start - 7 * DAY_MS) <= 1
    found = np.bincount(times % DAY_MS // 3_600_000, minlength=24)
    expected = count * np.array(HOURS) / sum(HOURS)
    assert ((found - expected) ** 2 / expected).sum() < 23 + 4 * 46**0.5
    assert (HOURS.index(min(HOURS)), HOURS.index(max(HOURS))) == (4, 20)


def test_time_never_goes_back() -> None:
    times = Rhythm(START, per_day=37.7).time(np.linspace(0, 400, 100_000))
    assert (np.diff(times) >= 0).all()
