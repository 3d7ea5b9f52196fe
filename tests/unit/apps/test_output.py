from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass
from typing import ClassVar

import orjson
import pytest

from kafkalab.apps.output import Output, as_frame
from kafkalab.errors import InvalidArgument


@dataclass(frozen=True, slots=True)
class Reading(Output):
    topic: ClassVar = "readings"
    key: ClassVar = "meter"
    meter: str
    count: int
    level: float | None
    fine: bool


@dataclass(frozen=True, slots=True)
class Note(Output):
    key: ClassVar = "text"
    text: str


READINGS = [
    Reading(5, "b", 1, 2.5, fine=True),
    Reading(5, "a", 2, None, fine=False),
    Reading(3, "b", 3, 0.0, fine=True),
]


def test_a_row_can_be_sent() -> None:
    record = READINGS[1].record()
    assert (record.topic, record.key, record.timestamp_ms) == ("readings", b"a", 5)
    value = {"time_ms": 5, "meter": "a", "count": 2, "level": None, "fine": False}
    assert orjson.loads(record.value) == value


def test_a_row_for_people_cannot() -> None:
    with pytest.raises(InvalidArgument, match="Note has no topic to be sent to"):
        Note(1, "x").record()


def test_a_row_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        READINGS[0].count = 7  # type: ignore[misc]


def test_rows_of_one_kind_as_a_table() -> None:
    table = as_frame(Reading, [*READINGS, Note(4, "x")])
    assert table["count"].tolist() == [3, 2, 1]
    assert table["level"].isna().tolist() == [False, True, False]
    empty = as_frame(Reading, [])
    assert list(empty.columns) == ["time_ms", "meter", "count", "level", "fine"]
    assert empty.dtypes.equals(table.dtypes)
    assert empty.dtypes.drop("meter").astype(str).tolist() == ["int64", "int64", "float64", "bool"]
