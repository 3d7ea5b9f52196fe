"""Who is listed, who reports, and in which words: the invented companies, exchanges, agencies and headlines."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["AGENCIES", "EXCHANGES", "HEADLINES", "MOST_COMPANIES", "SECTORS", "companies", "headlines"]

EXCHANGES = ("EAST", "WEST")
SECTORS = ("finance", "energy", "technology", "health")
# Name -> the standard deviation of its error, in units of a full sentiment's impact.
AGENCIES = {"Open Wire": 0.1, "Daily Ledger": 0.5, "Street Talk": 1.5}
_TRADES = ("Bank", "Energy", "Systems", "Pharma")  # by sector
# Each with a beginning of its own, since three letters of it and one of the trade make the symbol.
_NAMES = (
    *("Alder", "Bramble", "Cobalt", "Dover", "Ember", "Falcon", "Garnet", "Harbour", "Indigo"),
    *("Juniper", "Kestrel", "Lantern", "Meridian", "Nimbus", "Orchard", "Pioneer", "Quartz", "Raven"),
    *("Summit", "Tundra", "Umber", "Vantage", "Willow", "Yarrow", "Zenith"),
)
MOST_COMPANIES = len(_NAMES) * len(_TRADES)
# With the sentiment about which each is scored; together they are neutral, so that news as such has no direction.
HEADLINES = (
    ("{company} shares suspended from index after accounting errors", -0.9),
    ("{company} warns of heavy loss and cuts its dividend", -0.9),
    ("Regulator opens investigation into {company}", -0.9),
    ("{company} lowers outlook for the year", -0.5),
    ("{company} misses quarterly profit estimates", -0.5),
    ("Analysts downgrade {company} to sell", -0.5),
    ("{company} loses large contract to a rival", -0.5),
    ("Strike halts work at {company}", -0.5),
    ("{company} names new chief financial officer", 0.0),
    ("{company} to present at investor conference", 0.0),
    ("{company} confirms date of annual meeting", 0.0),
    ("{company} moves its headquarters", 0.0),
    ("{company} beats quarterly profit estimates", 0.5),
    ("{company} raises outlook for the year", 0.5),
    ("Analysts upgrade {company} to buy", 0.5),
    ("{company} wins long-term contract", 0.5),
    ("{company} opens new site earlier than planned", 0.5),
    ("{company} receives takeover offer well above its price", 0.9),
    ("{company} reports record profit and buys back shares", 0.9),
    ("Court clears {company} of all charges", 0.9),
)


def companies(count: int) -> pd.DataFrame:
    """Return the first ``count`` companies (at most ``MOST_COMPANIES``): columns symbol, company, sector."""
    numbers = np.arange(count)
    # 25 names and 4 trades have no common divisor, so walking through both at once meets each pair once.
    pairs = [(_NAMES[number % len(_NAMES)], int(number % len(_TRADES))) for number in numbers]
    return pd.DataFrame(
        {
            "symbol": [name[:3].upper() + _TRADES[trade][0] for name, trade in pairs],
            "company": [f"{name} {_TRADES[trade]}" for name, trade in pairs],
            "sector": [SECTORS[trade] for _, trade in pairs],
        }
    )


def headlines(names: list[str]) -> tuple[str, ...]:
    """Return every headline about every company: headline by headline, within it company by company."""
    return tuple(text.format(company=name) for text, _ in HEADLINES for name in names)
