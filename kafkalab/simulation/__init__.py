"""Seeded sources of believable records: pure, vectorised, in simulated time; nothing here knows of a cluster."""

from __future__ import annotations

from collections.abc import Mapping

from kafkalab.simulation.city import City
from kafkalab.simulation.crypto import Crypto
from kafkalab.simulation.shop import Shop
from kafkalab.simulation.social import Social
from kafkalab.simulation.source import Record, Source, TopicPlan
from kafkalab.simulation.stocks import Stocks

__all__ = ["SOURCES", "City", "Crypto", "Record", "Shop", "Social", "Source", "Stocks", "TopicPlan"]

#: The sources by the names that ``kafkalab run`` takes.
SOURCES: Mapping[str, type[Source]] = {"stocks": Stocks, "social": Social, "city": City, "crypto": Crypto, "shop": Shop}
