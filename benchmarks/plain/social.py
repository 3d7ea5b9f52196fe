"""The source ``social`` as a plain Python loop: the same model, one event at a time from a heap."""

from __future__ import annotations

import heapq
import itertools
import json
import math
from collections.abc import Iterator
from random import Random

from kafkalab.simulation.social_subject import BRANDS, KINDS, PLATFORMS
from kafkalab.simulation.social_text import SENTIMENTS, Texts, handles

START_MS = 1_740_960_000_000
RATE, BRANCHING, DELAY_MS = 20.0, 0.8, 60_000.0
VIRAL_MS, VIRAL_SIZE, VIRAL_BRAND = 600_000, 20_000, 2
FIRST_POST = 1000
STYLES = ((5, 45, 12, 30, 8), (5, 45, 33, 9, 8), (5, 72, 8, 7, 8))
NO_STYLE = (5, 60, 15, 12, 8)
TEXT_KINDS = {"post": 0, "comment": 1, "mention": 2}

# An event to come: time, a number that breaks ties, post (0 for a post that nothing set off), subject.
Subject = tuple[int, str, str | None, tuple[int, ...], int]  # brand, platform, campaign, mix of kinds, mood
Event = tuple[float, int, int, Subject]


def records(seed: int, n: int) -> Iterator[tuple[str, bytes, bytes, int]]:
    """Iterate ``n`` records as topic, key, value, time in milliseconds."""
    rng = Random(seed)
    brands, names = BRANDS[:12], handles(50_000)
    popular = list(itertools.accumulate(1 / rank for rank in range(1, len(brands) + 1)))
    authors = list(itertools.accumulate(1 / rank for rank in range(1, len(names) + 1)))
    texts = Texts(brands, VIRAL_BRAND)
    groups = [texts.all[first : first + 64] for first in range(0, texts.viral, 64)]
    serial = itertools.count()
    posts = itertools.count(FIRST_POST)

    def subject() -> Subject:
        brand = rng.choices(range(len(brands)), cum_weights=popular)[0]
        platform = rng.choices(PLATFORMS, (40, 30, 20, 10))[0]
        slot = rng.choices((None, "spring", "launch"), (60, 25, 15))[0]
        style = NO_STYLE if slot is None else STYLES[(brand * 2 + (slot == "launch")) % 3]
        campaign = slot and f"{brands[brand].tag}-{slot}"
        return brand, platform, campaign, style, rng.choices(range(3), brands[brand].sentiment)[0]

    def poisson(mean: float) -> int:
        if mean > 50:
            return round(rng.gauss(mean, math.sqrt(mean)))
        count, left, limit = 0, rng.random(), math.exp(-mean)
        while left > limit:
            count, left = count + 1, left * rng.random()
        return count

    def later(now: float, count: int, post: int, about: Subject) -> None:
        for _ in range(count):
            heapq.heappush(heap, (now + rng.expovariate(1 / DELAY_MS), next(serial), post, about))

    def next_post(now: float) -> Event:
        gap_ms = rng.expovariate(RATE * (1 - BRANCHING) / 1000)
        return now + gap_ms, next(serial), 0, subject()

    heap: list[Event] = [next_post(0)]
    angry: Subject = (VIRAL_BRAND, PLATFORMS[0], None, NO_STYLE, 0)
    heapq.heappush(heap, (VIRAL_MS, next(serial), 0, angry))
    earlier = [subject() for _ in range(1, FIRST_POST)]
    for _ in range(poisson(RATE * BRANCHING * DELAY_MS / 1000)):
        known = rng.randrange(1, FIRST_POST)
        later(0, 1, known, earlier[known - 1])

    for event_id in range(n):
        now, _, post, about = heapq.heappop(heap)
        brand, platform, campaign, style, mood = about
        kind, viral = "post", about is angry and not post
        if post:
            kind = rng.choices(KINDS, style)[0]
        elif not viral:
            heapq.heappush(heap, next_post(now))
        agrees = not post or rng.random() < 0.6
        if kind == "post":
            post = next(posts)
            user = rng.choices(names, cum_weights=authors)[0]
        else:
            user = names[rng.randrange(len(names))]
        later(now, poisson(BRANCHING) + (poisson(VIRAL_SIZE * (1 - BRANCHING)) if viral else 0), post, about)
        value = {
            "event_id": event_id,
            "post_id": post,
            "platform": platform,
            "user": user,
            "brand": brands[brand].name,
            "campaign": campaign,
        }
        if kind in TEXT_KINDS:
            sentiment = mood if agrees else rng.choices(range(3), brands[brand].sentiment)[0]
            group = (TEXT_KINDS[kind] * len(brands) + brand) * len(SENTIMENTS) + sentiment
            value["text"] = texts.all[-1] if viral else rng.choice(groups[group])
        key = brands[brand].name if kind == "mention" else str(post)
        yield f"social-{kind}s", key.encode(), json.dumps(value).encode(), START_MS + int(now)
