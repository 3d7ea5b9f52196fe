"""What the shop is: its products and customers, its places, and the rhythm of its day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kafkalab.simulation.shop_rows import DAY_MS, HOUR_MS

__all__ = [
    "CARRIERS",
    "CHANNELS",
    "COUNTRIES",
    "LOCATIONS",
    "OVERSEAS",
    "TASTES",
    "Crowd",
    "Products",
    "Rhythm",
    "draw_crowd",
    "draw_products",
]

Array = npt.NDArray[Any]

# Relative number of visits in each hour of the day, from midnight: a low at four, a lunch break, a peak at eight p.m.
HOURS = (22, 13, 8, 6, 5, 7, 14, 26, 40, 50, 56, 58, 60, 57, 54, 54, 57, 62, 70, 82, 90, 84, 62, 38)
SUPPLIERS = {"supplier-lyon": 12, "supplier-turin": 24, "supplier-gdansk": 36, "supplier-porto": 48}  # lead time, h
WAREHOUSES = ("warehouse-north", "warehouse-south", "warehouse-west")
SHOPS = ("shop-berlin", "shop-paris", "shop-milan", "shop-madrid")
LOCATIONS = (*SUPPLIERS, *WAREHOUSES, *SHOPS)
CARRIERS = ("Redbird Parcels", "Swift Post", "Green Wheels")
CHANNELS = ("email", "push", "sms")
MARKETS = {"DE": 30, "FR": 22, "IT": 15, "ES": 12, "NL": 8, "PL": 6, "AT": 4, "SE": 3}  # % of customers
OVERSEAS = ("US", "CA", "BR", "AU", "JP", "KR", "ZA", "MX")
COUNTRIES = (*MARKETS, *OVERSEAS)
TASTES = {
    "books": "Novel Atlas Cookbook Diary Biography Dictionary Sketchbook Anthology Almanac Thriller Guidebook Comic",
    "cycling": "Helmet Pump Saddle Lock Bell Jersey Panniers Headlight Gloves Chain Multitool Pedals",
    "games": "Puzzle Chessboard Dice Card-Game Dominoes Kite Yo-Yo Marbles Board-Game Darts Spinning-Top Juggling-Set",
    "garden": "Rake Hose Planter Secateurs Trowel Wheelbarrow Bird-House Watering-Can Hammock Seeds Lantern Sprinkler",
    "kitchen": "Teapot Skillet Whisk Grinder Kettle Colander Apron Knife Cutting-Board Casserole Sieve Mug",
    "music": "Ukulele Metronome Tuner Harmonica Drumsticks Capo Songbook Headphones Stand Recorder Microphone Kalimba",
}
ADJECTIVES = ("Classic", "Compact", "Sturdy", "Bright", "Travel", "Oak", "Steel", "Little", "Deluxe", "Everyday")
MEDIAN_PRICE, PRICE_SPREAD = 25.0, 0.8  # euros, and the standard deviation of their logarithm
# Zipf-Mandelbrot's law, 1 / (rank + offset): the offset says how much alike the first ones are.
PRODUCT_OFFSET, CUSTOMER_OFFSET = 2, 50


@dataclass(frozen=True)
class Products:
    """The catalogue: arrays with one entry per product, the products of one taste group side by side.

    Attributes:
        sku: their texts, without any order that would tell the group.
        taste: code of the group in TASTES.
        cents: price.
        popularity: share of the group's views.
        supplier: code in LOCATIONS.
        warehouse: code in LOCATIONS.
        cheap: codes of the cheapest twentieth, at 1.99 to 4.99.
        dear: codes of the dearest twentieth.
    """

    sku: tuple[str, ...]
    taste: Array
    cents: Array
    popularity: Array
    supplier: Array
    warehouse: Array
    cheap: Array
    dear: Array
    _edges: Array

    def pick(self, rng: np.random.Generator, taste: Array) -> Array:
        """Return a product code for each taste group asked for, by popularity."""
        # Each group fills an interval of length 1, so that one search serves all groups.
        codes = np.searchsorted(self._edges, taste + rng.random(len(taste)), side="right")
        return np.minimum(codes, len(self.sku) - 1)

    def lead_ms(self) -> Array:
        """Return for each product how long its supplier takes."""
        hours: Array = np.array(list(SUPPLIERS.values()))[self.supplier]
        return hours * HOUR_MS

    def frame(self) -> pd.DataFrame:
        """Return the catalogue as a table sorted by sku."""
        columns = {
            "sku": self.sku,
            "name": _product_names(self.taste),
            "taste": np.array(list(TASTES))[self.taste],
            "price": self.cents / 100,
            "popularity": self.popularity,
            "supplier": np.array(LOCATIONS)[self.supplier],
            "warehouse": np.array(LOCATIONS)[self.warehouse],
        }
        return pd.DataFrame(columns).sort_values("sku", ignore_index=True)


@dataclass(frozen=True)
class Crowd:
    """The customers: arrays with one entry per customer.

    Attributes:
        customer_id: their texts.
        card: texts of the cards, the usual and the second one of each customer in turn.
        taste: code of the favourite group in TASTES.
        country: code of home in COUNTRIES.
        channel: code in CHANNELS, by which they are told.
        activity: share of all visits.
    """

    customer_id: tuple[str, ...]
    card: tuple[str, ...]
    taste: Array
    country: Array
    channel: Array
    activity: Array
    _edges: Array

    def pick(self, rng: np.random.Generator, count: int) -> Array:
        """Return the codes of ``count`` visitors, by activity."""
        return np.searchsorted(self._edges, rng.random(count), side="right")

    def frame(self) -> pd.DataFrame:
        """Return the customers as a table sorted by id."""
        columns = {
            "customer_id": self.customer_id,
            "taste": np.array(list(TASTES))[self.taste],
            "country": np.array(COUNTRIES)[self.country],
            "channel": np.array(CHANNELS)[self.channel],
            "card": self.card[::2],
            "second_card": self.card[1::2],
            "activity": self.activity,
        }
        return pd.DataFrame(columns)


class Rhythm:
    """The clock of visits: how many are expected until when, for a rate that is constant within each hour of the day.

    Args:
        start_ms: when nobody has come yet.
        per_day: expected visits.
    """

    def __init__(self, start_ms: int, per_day: float) -> None:
        self._per_day = per_day
        self._edges = np.cumsum([0, *HOURS]) / sum(HOURS)
        self._hours_ms = np.arange(25) * (DAY_MS / 24)
        self._midnight = start_ms - start_ms % DAY_MS
        self._gone = float(np.interp(start_ms % DAY_MS, self._hours_ms, self._edges))

    def time(self, visits: Array) -> Array:
        """Return the times (ms) until which that many visits are expected since the start.

        Uniform numbers so become the times of a Poisson process with this rate (Cinlar 1975).
        """
        days, part = np.divmod(self._gone + np.asarray(visits) / self._per_day, 1)
        within = np.interp(part, self._edges, self._hours_ms)
        times: Array = self._midnight + days.astype(np.int64) * DAY_MS + within.astype(np.int64)
        return times


def draw_products(rng: np.random.Generator, count: int) -> Products:
    """Return a catalogue of ``count`` products."""
    taste = np.sort(np.arange(count) % len(TASTES))
    popularity = _zipf_in_groups(taste)
    cents = 99 + 100 * np.clip(MEDIAN_PRICE * np.exp(rng.normal(0, PRICE_SPREAD, count)), 5, 899).astype(np.int64)
    ranking = np.argsort(cents, kind="stable")
    few = max(1, count // 20)
    cents[ranking[:few]] = 99 + 100 * rng.integers(1, 5, few)
    return Products(
        sku=tuple(f"SKU-{number:05d}" for number in rng.permutation(count) + 1),
        taste=taste.astype(np.int8),
        cents=cents,
        popularity=popularity,
        supplier=rng.integers(0, len(SUPPLIERS), count),
        warehouse=rng.integers(0, len(WAREHOUSES), count) + len(SUPPLIERS),
        cheap=ranking[:few],
        dear=ranking[-few:],
        _edges=np.cumsum(popularity),
    )


def draw_crowd(rng: np.random.Generator, count: int) -> Crowd:
    """Return ``count`` customers."""
    activity = _shares(1 / (rng.permutation(count) + 1 + CUSTOMER_OFFSET))
    edges = np.cumsum(activity)
    edges[-1] = 1
    home = rng.choice(len(MARKETS), count, p=_shares(np.array(list(MARKETS.values()), float)))
    return Crowd(
        customer_id=tuple(f"C{number:06d}" for number in range(1, count + 1)),
        card=tuple(f"card-{number}" for number in _card_numbers(rng, 2 * count)),
        taste=rng.integers(0, len(TASTES), count),
        country=home,
        channel=rng.integers(0, len(CHANNELS), count),
        activity=activity,
        _edges=edges,
    )


def _zipf_in_groups(taste: Array) -> Array:
    """Return each product's share of its group's views, the first of each group leading."""
    weights: Array = 1 / (_nth_of_group(taste) + 1 + PRODUCT_OFFSET)
    return weights / np.bincount(taste, weights)[taste]


def _nth_of_group(taste: Array) -> Array:
    return np.arange(len(taste)) - np.searchsorted(taste, taste)


def _shares(weights: Array) -> Array:
    shares: Array = weights / weights.sum()
    return shares


def _card_numbers(rng: np.random.Generator, count: int) -> list[str]:
    """Return tokens in place of numbers: six digits each, all different, in no order."""
    return [f"{number:06d}" for number in rng.choice(1_000_000, count, replace=False)]


def _product_names(taste: Array) -> list[str]:
    nouns = [[noun.replace("-", " ") for noun in line.split()] for line in TASTES.values()]
    nth = _nth_of_group(taste).tolist()
    return [_product_name(nouns[group], number) for group, number in zip(taste.tolist(), nth, strict=True)]


def _product_name(nouns: list[str], number: int) -> str:
    model, rest = divmod(number, len(nouns) * len(ADJECTIVES))
    # Both step on together; half way through, the nouns step once more, so that each pair comes once.
    noun = nouns[(rest + 2 * rest // (len(nouns) * len(ADJECTIVES))) % len(nouns)]
    return f"{ADJECTIVES[rest % len(ADJECTIVES)]} {noun}" + (f" {model + 1}" if model else "")
