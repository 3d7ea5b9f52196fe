"""Sentiment analysis with a list of words, and how often it is right."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

import pandas as pd

from kafkalab.apps.merge import Received
from kafkalab.apps.output import Output
from kafkalab.apps.task import Task

__all__ = ["LEXICON", "Opinion", "SentimentAnalysis", "confusion", "hit_rates", "score"]

_POSITIVE = """amazing awesome best better brilliant enjoy excellent fantastic fast friendly glad good great happy
impressed joy love loved lovely nice perfect perfectly pleased recommend reliable satisfied super thanks wonderful"""
_NEGATIVE = """angry annoying avoid awful bad broke broken complain complaint complaints disappointed disappointing
disappointment fail failed fails hate horrible ignored poor problem problems return rude slow terrible unhappy
unreliable useless waste worse worst"""
#: Word -> 1 or -1: common words of praise and blame.
LEXICON = {**dict.fromkeys(_POSITIVE.split(), 1), **dict.fromkeys(_NEGATIVE.split(), -1)}
_NEGATIONS = """aren't can't cannot couldn't didn't doesn't don't hasn't haven't isn't never no nobody not nothing
shouldn't wasn't weren't without won't wouldn't"""
_REACH = 3  # words behind a negation that it turns round
_WORD = re.compile(r"[a-z']+|[.!?;:,]")
_NEGATES, _STOPS = 2, 3
_MARKS = {**LEXICON, **dict.fromkeys(_NEGATIONS.split(), _NEGATES), **dict.fromkeys(".!?;:,", _STOPS)}
_NAMES = ("negative", "neutral", "positive")


@dataclass(frozen=True, slots=True)
class Opinion(Output):
    """What a text says, as far as its words tell; ``time_ms`` is when it was sent.

    Attributes:
        brand: about whom.
        event_id: of the text.
        sentiment: negative, neutral or positive: the sign of the score.
        score: of its words, see :func:`score`.
    """

    topic: ClassVar = "brand-sentiment"
    key: ClassVar = "brand"
    brand: str
    event_id: int
    sentiment: str
    score: int


class SentimentAnalysis(Task):
    """Says of every text whether it is for or against the brand.

    Reads ``social-posts``, ``social-comments`` and ``social-mentions``; each text is judged by itself, so that no
    partition waits for another, and members of the group can share them. Writes ``brand-sentiment`` with the brand as
    key, so that who adds up a brand's opinions finds them in one partition.

    It counts words of a lexicon (Liu, "Sentiment Analysis and Opinion Mining", 2012, chapter 3, has the method and its
    limits); a negation turns round the three words behind it, or those up to the next comma or stop. It cannot see:

    - irony, where words say the opposite of what is meant ("Best support ever: two hours of music");
    - strong words in a neutral text ("Is it any good?"), and praise of something else;
    - negation from further away, in front of a comma, or without a word of the list ("goes back to the shop
      tomorrow", "runs as on the first day").

    :func:`confusion` and :func:`hit_rates` measure what that costs.
    """

    reads: ClassVar = ("social-posts", "social-comments", "social-mentions")
    gives: ClassVar = (Opinion,)
    together: ClassVar = "input"

    def take(self, record: Received, now_ms: int) -> None:
        value = record.value
        points = score(value["text"])
        sentiment = _NAMES[1 + (points > 0) - (points < 0)]
        self.give(Opinion(record.timestamp_ms, value["brand"], value["event_id"], sentiment, points))


def score(text: str) -> int:
    """Return how many words of praise a text has more than words of blame.

    >>> score("Not good, but fast."), score("The best, no complaint at all!")
    (0, 2)
    """
    total = turned = 0  # turned: the first word that is too far from the last negation
    for place, word in enumerate(_WORD.findall(text.lower())):
        mark = _MARKS.get(word)
        if mark is None:
            continue
        if mark == _NEGATES:
            turned = place + 1 + _REACH
        elif mark == _STOPS:
            turned = 0
        else:
            total += -mark if place < turned else mark
    return total


def confusion(opinions: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Return how often each true sentiment was taken for which: rows are the truth, columns the opinion, int64.

    Args:
        opinions: a table of :class:`Opinion`.
        truth: ``Social.truth(n)`` for at least as many records.
    """
    true = truth["sentiment"].reindex(opinions["event_id"]).astype(str).to_numpy()
    table = pd.crosstab(true, opinions["sentiment"].to_numpy(), rownames=["truth"], colnames=["opinion"])
    return table.reindex(index=list(_NAMES), columns=list(_NAMES), fill_value=0).astype("int64")


def hit_rates(opinions: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Return for each figure of speech (plain, negated, ironic, loaded) how many ``texts`` and the share ``right``.

    Args:
        opinions: a table of :class:`Opinion`.
        truth: ``Social.truth(n)`` for at least as many records.
    """
    true = truth.reindex(opinions["event_id"]).reset_index(drop=True)
    right = true["sentiment"].astype(str) == opinions["sentiment"].reset_index(drop=True)
    table = right.groupby(true["figure"].astype(str)).agg(["size", "mean"])
    return table.set_axis(["texts", "right"], axis="columns").rename_axis("figure").reset_index()
