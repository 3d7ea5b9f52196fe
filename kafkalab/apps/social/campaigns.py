"""The marketing team: what people do with the posts of each campaign."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from kafkalab.apps.merge import Received
from kafkalab.apps.output import Output
from kafkalab.apps.task import MINUTE_MS, Task

__all__ = ["Engagement", "MarketingTeam"]

_KINDS = {"social-likes": 0, "social-comments": 1, "social-shares": 2}


@dataclass(frozen=True, slots=True)
class Engagement(Output):
    """Reactions to a campaign in ten minutes; ``time_ms`` is their begin. Without any there is no row.

    Attributes:
        campaign: which.
        brand: whose.
        likes, comments, shares: how many.
        engagement: their sum.
    """

    key: ClassVar = "campaign"
    campaign: str
    brand: str
    likes: int
    comments: int
    shares: int
    engagement: int


class MarketingTeam(Task):
    """Compares campaigns by their engagement.

    Reads ``social-likes``, ``social-comments`` and ``social-shares``. Their key is the post, so that the reactions to
    a campaign, which has many posts, are in all partitions: a window is closed when all have passed it, and the group
    has one member that does the work. (Larger loads are counted partition by partition first, and summed by a second
    application, over a topic with the campaign as key.) Writes nothing: its table is for people to read.
    """

    reads: ClassVar = ("social-likes", "social-comments", "social-shares")
    gives: ClassVar = (Engagement,)
    together: ClassVar = "all"
    window_ms: ClassVar = 10 * MINUTE_MS

    def take(self, record: Received, now_ms: int) -> None:
        value = record.value
        campaign = value["campaign"]
        if campaign is None:
            return
        window = self.window(record.timestamp_ms, now_ms)
        if window is None:
            return
        counts = window.get(campaign)
        if counts is None:
            counts = window[campaign] = [value["brand"], 0, 0, 0]
        counts[1 + _KINDS[record.topic]] += 1

    def close(self, start_ms: int, window: Mapping[str, Any]) -> None:
        for campaign, (brand, likes, comments, shares) in sorted(window.items()):
            engagement = likes + comments + shares
            self.give(Engagement(start_ms, campaign, brand, likes, comments, shares, engagement))
