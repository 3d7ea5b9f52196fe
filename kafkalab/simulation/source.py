"""What every source has: seeded blocks of columns, read as a DataFrame or as encoded records.

A source simulates in blocks of simulated time. A block is a set of numpy columns, one row per record, in the order
in which the records are sent; its random numbers come from a generator of its own, seeded by the source's seed and
the block's number. So the first n records are the same whatever n is, no more than one block is ever held while
records are iterated, and nothing hangs on a clock or on a hidden generator.
"""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import pandas as pd

from kafkalab.errors import InvalidArgument

__all__ = ["MISSING", "Block", "Columns", "Kinds", "Record", "Source", "TopicPlan"]

Columns = dict[str, npt.NDArray[Any]]
# How a column stands in the DataFrame: a tuple of texts for a categorical whose array holds int codes (-1 for none),
# else a dtype of pandas. "Int64" is the nullable one, whose array holds int64 with MISSING where there is none.
Kinds = Mapping[str, "str | tuple[str, ...]"]
MISSING = int(np.iinfo(np.int64).min)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_TIME_COLUMNS: Kinds = {"timestamp_ms": "int64"}


class Record(NamedTuple):
    """One record, ready to be sent.

    Attributes:
        topic: its name without any prefix.
        key: UTF-8 text, or None.
        value: a JSON object in UTF-8.
        timestamp_ms: simulated time of sending, milliseconds since 1970 (UTC).
        headers: pairs of name and value, as in Kafka.
    """

    topic: str
    key: bytes | None
    value: bytes
    timestamp_ms: int
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True)
class TopicPlan:
    """What a source sends to one topic.

    Attributes:
        key: the column whose text is the record's key.
        fields: the columns that make the value, in this order; a missing number (NaN, MISSING) becomes null.
        partitions: how many suit the source's load.
    """

    key: str
    fields: tuple[str, ...]
    partitions: int = 6


@dataclass(frozen=True)
class Block:
    """Rows of one stretch of simulated time, in the order of sending.

    Attributes:
        sent: ``topic`` (codes into the order of :attr:`Source.topics`), ``timestamp_ms``, and the source's columns.
        truth: what a lesson may know and no consumer is told, for the same rows; may be empty.
    """

    sent: Columns
    truth: Columns = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.sent["topic"])

    def head(self, count: int) -> Block:
        """Return the first ``count`` rows."""
        return Block(
            {name: column[:count] for name, column in self.sent.items()},
            {name: column[:count] for name, column in self.truth.items()},
        )


class Source(ABC):
    """A seeded source of records.

    Args:
        seed: a whole number from 0; the same seed gives the same records on every machine.
        start: simulated time of the first records, an ISO 8601 text or a datetime (UTC where it names no zone);
            from 1970 on and in the past, since brokers refuse records from the future.

    Raises:
        InvalidArgument: a seed or a start that cannot be right.
    """

    #: Name -> what is sent there, in the order of the codes of the column ``topic``.
    topics: ClassVar[Mapping[str, TopicPlan]]
    default_start: ClassVar[str] = "2025-03-03T00:00:00Z"  # a Monday

    def __init__(self, seed: int = 0, start: str | dt.datetime | None = None) -> None:
        self.seed = _checked_count("seed", seed)
        self.start = _checked_start(self.default_start if start is None else start)

    @property
    @abstractmethod
    def kinds(self) -> Kinds:
        """The columns beside ``topic`` and ``timestamp_ms``, and how each stands in the DataFrame."""

    @property
    def truth_kinds(self) -> Kinds:
        """The columns of :meth:`truth`; none where the source has no secrets."""
        return {}

    @abstractmethod
    def _blocks(self) -> Iterator[Block]:
        """Simulate from the start, for ever. A call must not depend on an earlier one."""

    def _rng(self, *path: int) -> np.random.Generator:
        """Return the generator of one part of the simulation, named by whole numbers (a purpose, a block).

        Paths that differ only in zeros at the end name the same generator.
        """
        return np.random.default_rng([self.seed, *path])

    @property
    def start_ms(self) -> int:
        """The start in milliseconds since 1970 (UTC)."""
        return int(self.start.timestamp() * 1000)

    def records(self, n: int) -> Iterator[Record]:
        """Iterate the first ``n`` records, in the order of sending.

        Raises:
            InvalidArgument: ``n`` is no whole number from 0.
        """
        # Checked here and not at the first record, which may be asked for much later.
        count = _checked_count("n", n)
        return (record for block in self._take(count) for record in self._encode(block))

    def frame(self, n: int) -> pd.DataFrame:
        """Return the same ``n`` records as a DataFrame, one row each, values not encoded.

        Columns are ``topic`` (category), ``timestamp_ms`` (int64) and those of :attr:`kinds`; a column that the
        record's topic does not have is missing there.

        Raises:
            InvalidArgument: ``n`` is no whole number from 0.
        """
        kinds = {"topic": tuple(self.topics), **_TIME_COLUMNS, **self.kinds}
        return _as_frame([block.sent for block in self._take(_checked_count("n", n))], kinds)

    def truth(self, n: int) -> pd.DataFrame:
        """Return what is true of the same ``n`` records and stands in none of them, row by row as in :meth:`frame`.

        Raises:
            InvalidArgument: ``n`` is no whole number from 0.
        """
        blocks = list(self._take(_checked_count("n", n)))
        frame = _as_frame([block.truth for block in blocks], self.truth_kinds)
        return frame if self.truth_kinds else pd.DataFrame(index=range(sum(map(len, blocks))))

    def _take(self, n: int) -> Iterator[Block]:
        left = n
        blocks = self._blocks()
        while left:
            block = next(blocks)
            yield block.head(left)
            left -= min(left, len(block))

    def _encode(self, block: Block) -> Iterator[Record]:
        """Encode each topic's rows column by column, and deal them out in the order of sending."""
        kinds = self.kinds
        codes = block.sent["topic"]
        queues = [
            self._encode_topic(name, plan, block.sent, np.flatnonzero(codes == code), kinds)
            for code, (name, plan) in enumerate(self.topics.items())
        ]
        return (next(queues[code]) for code in codes.tolist())

    @staticmethod
    def _encode_topic(
        name: str, plan: TopicPlan, columns: Columns, rows: npt.NDArray[np.intp], kinds: Kinds
    ) -> Iterator[Record]:
        values = {column: _plain(columns[column][rows], kinds[column]) for column in (plan.key, *plan.fields)}
        times = columns["timestamp_ms"][rows].tolist()
        lines = zip(*(values[column] for column in plan.fields), strict=True)
        dumps, fields = orjson.dumps, plan.fields
        for key, time, line in zip(values[plan.key], times, lines, strict=True):
            yield Record(name, str(key).encode(), dumps(dict(zip(fields, line, strict=True))), time)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(seed={self.seed}, start={self.start.isoformat()!r})"


def _plain(column: npt.NDArray[Any], kind: str | tuple[str, ...]) -> list[Any]:
    """Return a column as Python values; what is missing is None."""
    if isinstance(kind, tuple):
        names = [*kind, None]  # code -1 is the last
        return [names[code] for code in column.tolist()]
    if kind == "Int64" and (column == MISSING).any():
        return [None if value == MISSING else value for value in column.tolist()]
    values: list[Any] = column.tolist()  # orjson writes NaN as null
    return values


def _as_frame(blocks: list[Columns], kinds: Kinds) -> pd.DataFrame:
    return pd.DataFrame(
        {name: _series([columns[name] for columns in blocks], kind) for name, kind in kinds.items()}, copy=False
    )


def _series(parts: list[npt.NDArray[Any]], kind: str | tuple[str, ...]) -> Any:
    column: npt.NDArray[Any] = np.concatenate(parts) if parts else np.empty(0, np.int64)
    if isinstance(kind, tuple):
        return pd.Categorical.from_codes(column, pd.Index(list(kind)))
    if kind == "Int64":
        return pd.arrays.IntegerArray(column.astype(np.int64, copy=False), column == MISSING)
    return column.astype(kind, copy=False)


def _checked_count(name: str, value: object) -> int:
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 0:
        raise InvalidArgument(f"{name}={value!r} is not possible: give a whole number from 0.")
    return int(value)


def _checked_start(start: object) -> dt.datetime:
    if isinstance(start, str):
        try:
            start = dt.datetime.fromisoformat(start)
        except ValueError as error:
            raise InvalidArgument(f"start={start!r} is not a time: write it like 2025-03-03T09:30:00Z.") from error
    if not isinstance(start, dt.datetime):
        raise InvalidArgument(f"start={start!r} is not a time: give an ISO 8601 text or a datetime.")
    start = start if start.tzinfo else start.replace(tzinfo=dt.UTC)
    if not _EPOCH <= start <= dt.datetime.now(dt.UTC):
        raise InvalidArgument(
            f"start={start.isoformat()} is not between 1970 and now, and brokers refuse such times: choose another."
        )
    return start.astimezone(dt.UTC)
