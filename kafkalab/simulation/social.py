"""Posts, likes, comments, shares and mentions of brands on several social platforms, and one post that goes viral."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from kafkalab.simulation.arguments import checked_number, checked_whole
from kafkalab.simulation.social_hawkes import SPONTANEOUS, Events, Hawkes
from kafkalab.simulation.social_subject import BRANDS, KINDS, PLATFORMS, Subjects, Weighted
from kafkalab.simulation.social_text import FIGURES, SENTIMENTS, Texts, handles
from kafkalab.simulation.source import MISSING, Block, Kinds, Source, TopicPlan

__all__ = ["Social"]

_REACTION = ("event_id", "post_id", "platform", "user", "brand", "campaign")
_MESSAGE = (*_REACTION, "text")
# For each kind: which of the texts' kinds it has, -1 for none.
_TEXT_KIND = np.array([0, -1, 1, -1, 2], np.int8)
_POST = KINDS.index("post")
_AGREE_PERCENT = 60


class Social(Source):
    """What a service for monitoring brands receives from four social platforms.

    **Events.** A Hawkes process (Hawkes, 1971, "Spectra of some self-exciting and mutually exciting point
    processes"): spontaneous posts come as a Poisson process of ``rate * (1 - branching)`` per second; every event
    sets off a Poisson number of others, ``branching`` on average, after delays that are exponential with mean
    ``reaction_s``. In the long run, and from the start, there are ``rate`` events per second, and the share
    ``branching`` of them are offspring. Cascades have ``1 / (1 - branching)`` events on average, and counts over
    long times vary ``1 / (1 - branching)**2`` times as much as those of a Poisson process.
    Offspring are likes (60 %), comments (15 %), shares (12 %), mentions (8 %) and further posts (5 %), in
    campaigns other shares (see :attr:`campaigns`). What answers a further post belongs to that post. Platform,
    brand and campaign are those of the conversation. Posts are numbered from 1000; the first minutes have reactions
    to posts 1 to 999, which were sent before the start.

    **Authors and brands.** Posts are written by users, and start about brands, with a frequency proportional to
    ``rank ** -zipf`` (Zipf, 1949, "Human Behavior and the Principle of Least Effort"); who reacts is drawn from all
    users alike, and may do so again. Of the conversations, 40 % belong to a campaign of the brand, and 40, 30, 20 and
    10 % run on the four platforms.

    **The viral post.** At ``viral_after_s`` an angry post about the third brand (the last, of fewer) gets so many
    direct reactions, each of which sets off others as any event does, that ``viral_size`` events come from it: an
    exogenous shock in a self-exciting system (Crane and Sornette, 2008, "Robust dynamic classes revealed by measuring
    the response function of a social system"). The excess dies down as ``exp(-t * (1 - branching) / reaction_s)``.

    **Texts.** The sentiment of each text is known. A conversation has a mood, drawn from the brand's shares (see
    :attr:`brands`); its first post has this mood, and other texts have it with probability 0.6 and are else drawn
    from the brand's shares, too. A lexicon does well on plain texts only: others are negated, ironic, or neutral with
    loaded words.

    **Topics**, suggested with 6 partitions each. A like or share has ``event_id`` (its number in the stream, from 0),
    ``post_id``, ``platform``, ``user``, ``brand``, ``campaign`` (null for none); a post, comment or mention has
    ``text``, too. The key is ``post_id``, so that all about a post is in one partition and a viral post is a hot key;
    mentions have ``brand``.

    Args:
        seed, start: see :class:`Source`.
        rate: events per second in the long run, without the viral post's; 0.01 to 10,000.
        branching: the branching ratio, 0 to 0.95.
        reaction_s: mean delay of a reaction in seconds, 1 to 600.
        users: how many there are, 1 to 1,000,000.
        brands: how many there are, 1 to 16.
        zipf: exponent of authors and brands, 0 (all alike) to 3.
        viral_after_s: when the viral post is sent, whole seconds after the start, 0 to 86,400.
        viral_size: events that it sets off on average, 0 (no such post) to 1,000,000.

    Raises:
        InvalidArgument: a value out of its range.
    """

    topics: ClassVar = {
        "social-posts": TopicPlan("post_id", _MESSAGE),
        "social-likes": TopicPlan("post_id", _REACTION),
        "social-comments": TopicPlan("post_id", _MESSAGE),
        "social-shares": TopicPlan("post_id", _REACTION),
        "social-mentions": TopicPlan("brand", _MESSAGE),
    }

    def __init__(
        self,
        seed: int = 0,
        start: str | dt.datetime | None = None,
        *,
        rate: float = 20.0,
        branching: float = 0.8,
        reaction_s: float = 60.0,
        users: int = 50_000,
        brands: int = 12,
        zipf: float = 1.0,
        viral_after_s: int = 600,
        viral_size: int = 20_000,
    ) -> None:
        super().__init__(seed, start)
        self.rate = checked_number("rate", rate, 0.01, 10_000)
        self.branching = checked_number("branching", branching, 0, 0.95)
        self.reaction_s = checked_number("reaction_s", reaction_s, 1, 600)
        self.viral_after_s = checked_whole("viral_after_s", viral_after_s, 0, 86_400)
        self.viral_size = checked_whole("viral_size", viral_size, 0, 1_000_000)
        exponent = checked_number("zipf", zipf, 0, 3)
        self._subjects = Subjects(checked_whole("brands", brands, 1, len(BRANDS)), exponent)
        self._texts = Texts(self._subjects.brands, viral=int(self._subjects.brand[-1]))
        self._users = handles(checked_whole("users", users, 1, 1_000_000))
        self._authors = Weighted(np.arange(1.0, users + 1) ** -exponent)
        self._process = Hawkes(
            self._subjects, self.rate, self.branching, 1000 * self.reaction_s, 1000 * viral_after_s, viral_size
        )

    @property
    def kinds(self) -> Kinds:
        """Beside ``topic`` and ``timestamp_ms``; campaign and text are missing where there is none."""
        return {
            "event_id": "int64",
            "post_id": "int64",
            "platform": PLATFORMS,
            "user": self._users,
            "brand": tuple(brand.name for brand in self._subjects.brands),
            "campaign": self._subjects.campaigns,
            "text": self._texts.all,
        }

    @property
    def truth_kinds(self) -> Kinds:
        """What no consumer is told.

        - ``sentiment``: of the text, negative, neutral or positive; missing where there is no text.
        - ``figure``: why the text is hard to classify: plain (it is not), negated, ironic, loaded (neutral, with
          strong words); missing where there is no text.
        - ``offspring``: whether another event set it off.
        - ``parent``: the ``event_id`` of that event; missing for a spontaneous post and where it was before the start.
        - ``viral``: whether it is the viral post or comes from it, directly or not.
        """
        return {
            "sentiment": SENTIMENTS,
            "figure": FIGURES,
            "offspring": "bool",
            "parent": "Int64",
            "viral": "bool",
        }

    @property
    def brands(self) -> pd.DataFrame:
        """A row for each brand, by rank: ``brand``, ``handle``, ``product``; as parts of 1 (float64) ``share`` (of
        conversations) and ``negative``, ``neutral``, ``positive`` (of texts, where none is viral).
        """
        return self._subjects.brand_table()

    @property
    def campaigns(self) -> pd.DataFrame:
        """A row for each campaign: ``campaign``, ``brand``, ``style`` (giveaway, question or discount); and as parts
        of 1 (float64) the kinds of what its events set off: ``post``, ``like``, ``comment``, ``share``, ``mention``.
        """
        return self._subjects.campaign_table()

    @property
    def process(self) -> pd.DataFrame:
        """One row, float64: ``rate`` and ``spontaneous_rate`` (events/s), ``branching``, ``reaction_s``,
        ``mean_cascade`` (events, the first counted), ``dispersion`` (variance over mean of counts, long run).
        """
        size = 1 / (1 - self.branching)
        values = (self.rate, self.rate / size, self.branching, self.reaction_s, size, size**2)
        names = ("rate", "spontaneous_rate", "branching", "reaction_s", "mean_cascade", "dispersion")
        return pd.DataFrame([values], columns=list(names), dtype="float64")

    @cached_property
    def viral(self) -> pd.DataFrame:
        """A row for the viral post, none without one: ``post_id``, ``event_id``, ``start_ms`` (int64, simulated time
        of the post), ``end_ms`` (int64, when 95 % of what it sets off is expected to be over), ``brand``,
        ``platform``.
        """
        rows = [self._viral_post()] if self.viral_size else []
        columns = {"post_id": "int64", "event_id": "int64", "start_ms": "int64", "end_ms": "int64"}
        return pd.DataFrame(rows, columns=[*columns, "brand", "platform"]).astype(columns)

    def _viral_post(self) -> tuple[int, int, int, int, str, str]:
        """Simulate up to the viral post: its numbers hang on all that was before."""
        found = ((block, np.flatnonzero(block.truth["viral"])) for block in self._blocks())
        # The first event of its cascade is the post itself.
        block, row = next((block, int(rows[0])) for block, rows in found if len(rows))
        post, event, start, brand, platform = (
            int(block.sent[name][row]) for name in ("post_id", "event_id", "timestamp_ms", "brand", "platform")
        )
        span_s = self.reaction_s / (1 - self.branching) * math.log(20)
        names = self._subjects.brands[brand].name, PLATFORMS[platform]
        return post, event, start, start + round(1000 * span_s), *names

    def _blocks(self) -> Iterator[Block]:
        event_id = 0
        for rng, events in self._process.stretches(self._rng):
            yield self._block(rng, events, event_id)
            event_id += len(events)

    def _block(self, rng: np.random.Generator, events: Events, event_id: int) -> Block:
        subject, kind, parent = events["subject"].astype(np.intp), events["kind"], events["parent"]
        text = self._written(rng, kind, subject, parent)
        sent = {
            "topic": np.ascontiguousarray(kind),
            "timestamp_ms": self.start_ms + events["time"],
            "event_id": np.arange(event_id, event_id + len(events)),
            "post_id": np.ascontiguousarray(events["post"]),
            "platform": self._subjects.platform[subject],
            "user": self._who(rng, kind),
            "brand": self._subjects.brand[subject],
            "campaign": self._subjects.campaign[subject],
            "text": text,
        }
        truth = {
            "sentiment": self._texts.sentiment[text],
            "figure": self._texts.figure[text],
            "offspring": parent != SPONTANEOUS,
            "parent": np.where(parent >= 0, parent, MISSING),
            "viral": subject == self._subjects.viral,
        }
        return Block(sent, truth)

    def _who(self, rng: np.random.Generator, kind: npt.NDArray[np.int8]) -> npt.NDArray[np.int32]:
        """Draw a user for each event: Zipf for posts, else any."""
        user = rng.integers(0, len(self._users), len(kind), dtype=np.int32)
        posts = np.flatnonzero(kind == _POST)
        user[posts] = self._authors.draw(rng, len(posts))
        return user

    def _written(
        self,
        rng: np.random.Generator,
        kind: npt.NDArray[np.int8],
        subject: npt.NDArray[np.intp],
        parent: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.int16]:
        """Draw a text for each event that has one, -1 for the others."""
        text = np.full(len(kind), -1, np.int16)
        rows = np.flatnonzero(_TEXT_KIND[kind] >= 0)
        subject, first = subject[rows], parent[rows] == SPONTANEOUS
        brand = self._subjects.brand[subject]
        own = self._subjects.sentiments[brand, rng.integers(0, 100, len(rows))]
        agrees = first | (rng.integers(0, 100, len(rows)) < _AGREE_PERCENT)
        sentiment = np.where(agrees, self._subjects.mood[subject], own)
        text[rows] = self._texts.draw(rng, _TEXT_KIND[kind[rows]], brand, sentiment)
        text[rows[first & (subject == self._subjects.viral)]] = self._texts.viral
        return text
