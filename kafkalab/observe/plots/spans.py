"""From samples to spans: how long each state lasted, as far as the samples tell; and their story in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import pandas as pd

from kafkalab.observe.plots.look import names

__all__ = ["changes", "partitions_words", "spans", "stories"]

_FEW_STORIES = 6


def spans(samples: pd.DataFrame, state: str, end: float) -> pd.DataFrame:
    """Return topic, partition, the state's column, begin, end (float64, seconds): runs of equal states.

    A state holds from its sample to the next one; the last one to ``end``.

    Args:
        samples: topic, partition, second and the state, in any order.
        state: the column of the state, of anything that compares.
        end: seconds.
    """
    rows = [
        (*key, *span)
        for key, group in samples.sort_values("second", kind="stable").groupby(["topic", "partition"])
        for span in _runs(zip(group["second"].tolist(), group[state].tolist(), strict=True), end)
    ]
    found = pd.DataFrame(rows, columns=["topic", "partition", state, "begin", "end"])
    return found.astype({"partition": "int64", "begin": "float64", "end": "float64"})


def _runs(samples: Iterable[tuple[float, object]], end: float) -> list[tuple[object, float, float]]:
    starts: list[tuple[float, object]] = []
    for second, state in samples:
        if not starts or starts[-1][1] != state:
            starts.append((second, state))
    ends = [second for second, _ in starts[1:]] + [end]
    return [(state, begin, until) for (begin, state), until in zip(starts, ends, strict=True)]


def changes(states: Iterable[Any]) -> list[Any]:
    """Return ``states`` without those that equal the one before."""
    kept: list[Any] = []
    for state in states:
        if not kept or kept[-1] != state:
            kept.append(state)
    return kept


def partitions_words(keys: Sequence[tuple[str, int]]) -> str:
    """Return ``orders-0``, or ``partitions 0, 1 and 2 of orders``."""
    topics = [(topic, [number for _, number in of]) for topic, of in groupby(keys, lambda key: key[0])]
    return " and ".join(
        f"{topic}-{numbers[0]}" if len(numbers) == 1 else f"partitions {names(numbers)} of {topic}"
        for topic, numbers in topics
    )


def stories(told: Mapping[str, Sequence[tuple[str, int]]]) -> str:
    """Return what happened to which partitions, for the first few stories."""
    texts = [f"{partitions_words(keys)}: {story}" for story, keys in told.items()]
    more = len(texts) - _FEW_STORIES
    return "; ".join(texts[:_FEW_STORIES] + ([f"and {more} more"] if more > 0 else []))
