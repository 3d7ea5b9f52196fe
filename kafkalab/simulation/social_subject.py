"""What conversations in the source ``social`` are about: platform, brand, campaign and mood, drawn as one number."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kafkalab.simulation.social_text import SENTIMENTS, Brand

__all__ = ["BRANDS", "KINDS", "PLATFORMS", "Subjects", "Weighted"]

KINDS = ("post", "like", "comment", "share", "mention")
PLATFORMS = ("chirper", "photofeed", "clipstream", "townsquare")
# In the order of their popularity.
BRANDS = (
    Brand("Auralis", "headset", (20, 35, 45)),
    Brand("Nimbus", "phone", (30, 30, 40)),
    Brand("Ionride", "e-bike", (15, 35, 50)),
    Brand("Cortado", "coffee maker", (20, 40, 40)),
    Brand("Everpath", "running shoe", (10, 40, 50)),
    Brand("Orbello", "smart watch", (35, 35, 30)),
    Brand("Driftwear", "rain jacket", (15, 50, 35)),
    Brand("Kitely", "drone", (30, 40, 30)),
    Brand("Hearthly", "oven", (25, 45, 30)),
    Brand("Lumora", "desk lamp", (10, 50, 40)),
    Brand("Mapleroad", "backpack", (10, 35, 55)),
    Brand("Clearsweep", "vacuum cleaner", (45, 30, 25)),
    Brand("Tablero", "tablet", (30, 35, 35)),
    Brand("Fokus", "camera", (15, 30, 55)),
    Brand("Boomwood", "speaker", (20, 30, 50)),
    Brand("Zipline", "scooter", (40, 30, 30)),
)
_PLATFORM_PERCENT = (40, 30, 20, 10)
# Percent of the events that an event sets off, in the order of KINDS, by the style of the campaign.
_STYLES = {
    "none": (5, 60, 15, 12, 8),
    "giveaway": (5, 45, 12, 30, 8),
    "question": (5, 45, 33, 9, 8),
    "discount": (5, 72, 8, 7, 8),
}
_SLOTS = ("", "spring", "launch")  # no campaign, or one of the brand's two
_SLOT_PERCENT = (60, 25, 15)


class Weighted:
    """Draws codes with given weights.

    It compares whole numbers only, so that a last bit of a float, other on another machine, decides nothing.

    Args:
        weights: how often each code comes, in any unit; the first need not be the largest.
    """

    def __init__(self, weights: npt.ArrayLike) -> None:
        shares = np.asarray(weights, np.float64)
        self._below = np.cumsum(np.rint(shares / shares.max() * 2**40).astype(np.int64))

    def draw(self, rng: np.random.Generator, count: int) -> npt.NDArray[np.intp]:
        """Return ``count`` codes, from 0."""
        return np.searchsorted(self._below, rng.integers(0, self._below[-1], count), side="right")


class Subjects:
    """Every combination of platform, brand, campaign and mood, and one more: the viral post's.

    Args:
        brands: how many of BRANDS.
        zipf: the exponent of their popularity.

    Attributes:
        viral: the code of the viral post's subject.
        platform, brand, campaign, mood: for each subject its code; -1 for no campaign.
        campaigns: their names, in the order of their codes.
        kinds: for each subject, 100 codes of KINDS, one for each percent of the events that an event sets off.
        sentiments: for each brand, 100 codes of sentiments, one for each percent of the texts.
    """

    def __init__(self, brands: int, zipf: float) -> None:
        self.brands = BRANDS[:brands]
        self._shape = (brands, len(PLATFORMS), len(_SLOTS), len(SENTIMENTS))
        # The viral post is an angry one about a brand that is not the loudest.
        viral = (min(2, brands - 1), 0, 0, SENTIMENTS.index("negative"))
        every = np.indices(self._shape).reshape(4, -1)
        self.brand, self.platform, slot, self.mood = np.column_stack([every, viral]).astype(np.int8)
        self.campaign = np.where(slot > 0, self.brand * 2 + slot - 1, -1).astype(np.int8)
        self.viral = len(slot) - 1
        self.campaigns = tuple(f"{brand.tag}-{slot}" for brand in self.brands for slot in _SLOTS[1:])
        self.kinds = _percents(_STYLES.values())[np.where(self.campaign < 0, 0, 1 + self.campaign % 3)]
        self.sentiments = _percents(brand.sentiment for brand in self.brands)
        self._shares = np.arange(1.0, brands + 1) ** -zipf
        self._draws = [Weighted(weights) for weights in (self._shares, _PLATFORM_PERCENT, _SLOT_PERCENT)]

    def draw(self, rng: np.random.Generator, count: int) -> npt.NDArray[np.intp]:
        """Return the subjects of ``count`` new conversations, the viral one never among them."""
        brand, platform, slot = (weighted.draw(rng, count) for weighted in self._draws)
        mood = self.sentiments[brand, rng.integers(0, 100, count)]
        return np.ravel_multi_index((brand, platform, slot, mood), self._shape)

    def brand_table(self) -> pd.DataFrame:
        """Return a row for each brand: its names, its share of conversations, the shares of sentiments; see Social."""
        rows = [(brand.name, f"@{brand.tag}", brand.product) for brand in self.brands]
        table = pd.DataFrame(rows, columns=["brand", "handle", "product"])
        table["share"] = self._shares / self._shares.sum()
        shares = np.array([brand.sentiment for brand in self.brands]) / 100
        return table.assign(**dict(zip(SENTIMENTS, shares.T, strict=True)))

    def campaign_table(self) -> pd.DataFrame:
        """Return a row for each campaign: its brand, its style, the shares of kinds it sets off; see Social."""
        styles = list(_STYLES)[1:]
        rows = [
            (name, self.brands[code // 2].name, styles[code % 3], *np.array(_STYLES[styles[code % 3]]) / 100)
            for code, name in enumerate(self.campaigns)
        ]
        return pd.DataFrame(rows, columns=["campaign", "brand", "style", *KINDS])


def _percents(rows: Any) -> npt.NDArray[np.int8]:
    """Return for each row of percentages 100 codes, each as often as its percentage."""
    return np.array([np.repeat(np.arange(len(row)), row) for row in rows], np.int8)
