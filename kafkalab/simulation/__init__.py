"""Seeded sources of believable records: pure, vectorised, in simulated time; nothing here knows of a cluster.

``SOURCES`` has them by the names that ``kafkalab run`` takes.
"""

from __future__ import annotations

from kafkalab.simulation.source import Record, Source, TopicPlan

__all__ = ["Record", "Source", "TopicPlan"]
