"""Who reads social media: a brand monitor, a marketing team, and an analysis of sentiment."""

from __future__ import annotations

from collections.abc import Mapping

from kafkalab.apps.social.brands import BrandMonitor, Mentions, Spike
from kafkalab.apps.social.campaigns import Engagement, MarketingTeam
from kafkalab.apps.social.sentiment import LEXICON, Opinion, SentimentAnalysis, confusion, hit_rates, score
from kafkalab.apps.task import Task

__all__ = [
    "APPLICATIONS",
    "LEXICON",
    "BrandMonitor",
    "Engagement",
    "MarketingTeam",
    "Mentions",
    "Opinion",
    "SentimentAnalysis",
    "Spike",
    "confusion",
    "hit_rates",
    "score",
]

#: Each is a consumer group of this name.
APPLICATIONS: Mapping[str, type[Task]] = {
    "brand-monitor": BrandMonitor,
    "marketing-team": MarketingTeam,
    "sentiment-analysis": SentimentAnalysis,
}
