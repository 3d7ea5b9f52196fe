"""A day and a half of a city whose sensors read seldom."""

from __future__ import annotations

from functools import cache

from kafkalab.apps import Received
from kafkalab.simulation import City
from tests.unit.apps.conftest import received

__all__ = ["CITY", "DAYS", "N", "records"]

CITY = City(seed=1, districts=6, fault_share=0.2, traffic_every_s=300, air_every_s=300, energy_every_s=600)
N = 27_000
DAYS = 2


@cache
def records() -> list[Received]:
    return received(CITY, N)
