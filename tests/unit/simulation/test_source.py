from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import orjson
import pandas as pd
import pytest

from kafkalab.errors import InvalidArgument
from kafkalab.simulation.source import MISSING, Block, Kinds, Source, TopicPlan

ROWS = 4


class Meter(Source):
    """Four rows to a block, two topics."""

    topics: ClassVar = {
        "readings": TopicPlan("meter", ("meter", "value")),
        "alarms": TopicPlan("number", ("number", "meter")),
    }

    @property
    def kinds(self) -> Kinds:
        return {"meter": ("a", "b"), "value": "float64", "number": "Int64"}

    @property
    def truth_kinds(self) -> Kinds:
        return {"faulty": "bool"}

    def _blocks(self) -> Iterator[Block]:
        for number in itertools.count():
            rng = self._rng(number)
            topic = np.array([0, 1, 0, 0])
            sent = {
                "topic": topic,
                "timestamp_ms": self.start_ms + number * 1000 + np.arange(ROWS),
                "meter": np.array([0, -1, 1, 0]),
                "value": np.where(topic == 0, rng.normal(size=ROWS).round(3), np.nan),
                "number": np.where(topic == 1, number, MISSING),
            }
            yield Block(sent, {"faulty": topic == 1})


def test_records_and_frame_are_the_same() -> None:
    frame = Meter(seed=3).frame(11)
    assert list(frame.columns) == ["topic", "timestamp_ms", "meter", "value", "number"]
    assert frame.dtypes.astype(str).tolist() == ["category", "int64", "category", "float64", "Int64"]
    for record, row in zip(Meter(seed=3).records(11), frame.itertuples(), strict=True):
        value = orjson.loads(record.value)
        assert (record.topic, record.timestamp_ms) == (row.topic, row.timestamp_ms)
        if record.topic == "readings":
            assert value == {"meter": row.meter, "value": row.value}
            assert record.key == str(row.meter).encode()
        else:
            assert value == {"number": row.number, "meter": None}
            assert record.key == str(row.number).encode()


def test_the_first_records_do_not_depend_on_how_many_are_asked_for() -> None:
    assert list(Meter().records(5)) == list(Meter().records(50))[:5]
    pd.testing.assert_frame_equal(Meter().frame(5), Meter().frame(50).head(5))


def test_a_seed_decides() -> None:
    source = Meter(seed=1)
    assert list(source.records(9)) == list(source.records(9)) == list(Meter(seed=1).records(9))
    assert list(source.records(9)) != list(Meter(seed=2).records(9))


def test_the_truth_stands_row_by_row_beside_the_frame() -> None:
    source = Meter()
    assert (source.truth(10)["faulty"] == (source.frame(10)["topic"] == "alarms")).all()
    assert len(source.truth(0)) == len(source.frame(0)) == 0
    assert source.frame(0).dtypes.equals(source.frame(9).dtypes)


@pytest.mark.parametrize("n", [-1, 2.5, "ten", True, None])
def test_a_number_of_records_that_cannot_be(n: object) -> None:
    for ask in (Meter().records, Meter().frame, Meter().truth):
        with pytest.raises(InvalidArgument, match=r"n=.* is not possible: give a whole number from 0"):
            ask(n)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [-1, 0.5, "x", True])
def test_a_seed_that_cannot_be(seed: object) -> None:
    with pytest.raises(InvalidArgument, match="seed="):
        Meter(seed=seed)  # type: ignore[arg-type]


def test_the_start() -> None:
    assert Meter().start == dt.datetime(2025, 3, 3, tzinfo=dt.UTC)
    assert Meter(start="2025-01-01T12:00:00+02:00").start_ms == Meter(start="2025-01-01T10:00").start_ms
    assert Meter(start=dt.datetime(2025, 1, 1)).start_ms == 1735689600000  # noqa: DTZ001 - it names no zone
    assert repr(Meter(seed=7)) == "Meter(seed=7, start='2025-03-03T00:00:00+00:00')"


@pytest.mark.parametrize(
    ("start", "why"),
    [
        ("soon", "is not a time"),
        (17, "is not a time"),
        ("9000-01-01", "is not between 1970 and now"),
        ("1969-12-31", "is not between 1970 and now"),
    ],
)
def test_a_start_that_cannot_be(start: object, why: str) -> None:
    with pytest.raises(InvalidArgument, match=why):
        Meter(start=start)  # type: ignore[arg-type]
