"""Records of which something is to be said: by kind, in compact rows that become a DataFrame when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from itertools import chain, islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["KINDS", "UNCLEAN", "Anomalies", "Detail", "Rows", "make_rows", "sorted_rows", "unique_places"]

#: The counts of which each must be 0 in a clean verdict.
UNCLEAN = (
    "lost",
    "duplicated",
    "reordered",
    "changed",
    "aborted_visible",
    "failed_visible",
    "processed_twice",
    "unprocessed",
)
#: The kinds of which every record is kept, in the order in which they are told; the last two are gone by rule.
KINDS = (*UNCLEAN, "expired", "compacted")
#: ``session`` is the index of a session, -1 for none; ``topic`` and ``detail`` are codes.
_ROW = np.dtype(
    [("session", "i4"), ("sequence", "i8"), ("topic", "u2"), ("partition", "i4"), ("offset", "i8"), ("detail", "u2")]
)
Rows = npt.NDArray[np.void]


class Detail(IntEnum):
    """What more there is to say of a record; a higher number is the code of a processor."""

    NONE = 0
    NOT_AS_SENT = 1
    NOT_AS_SEEN = 2
    REPLACED = 3
    ABOVE_END = 4
    PARTITION_GONE = 5
    TOPIC_GONE = 6


_DETAILS = {
    Detail.NONE: "",
    Detail.NOT_AS_SENT: "its key or value is not what was sent",
    Detail.NOT_AS_SEEN: "a consumer saw another record at this offset before",
    Detail.REPLACED: "another record has its offset now",
    Detail.ABOVE_END: "the log now ends below its offset",
    Detail.PARTITION_GONE: "the partition is gone",
    Detail.TOPIC_GONE: "the topic is gone",
}


def make_rows(count: int, **columns: Any) -> Rows:
    """Return rows of these columns (arrays, or one value for all); a column not given is 0."""
    rows = np.zeros(count, _ROW)
    for name, column in columns.items():
        rows[name] = column
    return rows


def sorted_rows(rows: Rows) -> Rows:
    """Return the rows by session, sequence, topic, partition and offset, without repetitions."""
    return _first_of_each(rows, ("session", "sequence", "topic", "partition", "offset"))


def unique_places(rows: Rows) -> Rows:
    """Return one row of each topic, partition and offset, by these: the one whose detail has the lowest code."""
    return _first_of_each(rows[np.argsort(rows["detail"], kind="stable")], ("topic", "partition", "offset"))


def _first_of_each(rows: Rows, names: Sequence[str]) -> Rows:
    ordered = rows[np.lexsort([rows[name] for name in reversed(names)])]
    first = np.ones(len(rows), np.bool_)
    first[1:] = np.any([ordered[name][1:] != ordered[name][:-1] for name in names], axis=0)
    return ordered[first]


class Anomalies:
    """The records of each of ``KINDS``, sorted.

    Args:
        sessions: the number of each session, by its index.
        topics: the topics' names, whose codes begin with 1.
        processors: names, which are the details of what is said of their inputs.
    """

    def __init__(self, sessions: Sequence[int], topics: Sequence[str], processors: Sequence[str] = ()) -> None:
        self._sessions = np.array([*sessions, -1], np.int64)  # index -1 is the last
        self._topics = ["", *topics]
        self._details = [*_DETAILS.values(), *processors]
        self._rows: dict[str, list[Rows]] = {kind: [] for kind in KINDS}

    def add(self, kind: str, rows: Rows) -> None:
        """Add records of one kind, after those that are there in the order of session and sequence."""
        if len(rows):
            self._rows[kind].append(rows)

    def rows(self, kind: str) -> Rows:
        """Return the rows of one kind."""
        return np.concatenate([make_rows(0), *self._rows[kind]])

    def count(self, kind: str) -> int:
        """Return how many there are of one kind."""
        return sum(map(len, self._rows[kind]))

    def table(self, kind: str) -> pd.DataFrame:
        """Return the records of one kind, as described at :meth:`kafkalab.ledger.Verdict.table`."""
        rows = self.rows(kind)
        return pd.DataFrame(
            {
                "session": self._sessions[rows["session"]],
                "sequence": rows["sequence"].astype(np.int64),
                "topic": _named(self._topics, rows["topic"]),
                "partition": rows["partition"].astype(np.int64),
                "offset": rows["offset"].astype(np.int64),
                "detail": _named(self._details, rows["detail"]),
            }
        )

    def examples(self, kind: str, count: int) -> tuple[str, ...]:
        """Return the first records of one kind in words; a session is named by its index, from 1 on."""
        return tuple(self._in_words(row) for row in islice(chain.from_iterable(self._rows[kind]), count))

    def _in_words(self, row: np.void) -> str:
        name = (
            f"record {row['sequence']} of producer {row['session'] + 1}"
            if row["session"] >= 0
            else "a record not of this ledger"
        )
        place = f"{self._topics[row['topic']]}-{row['partition']}" if row["partition"] >= 0 else "an unknown partition"
        at = f" at offset {row['offset']}" if row["offset"] >= 0 else ""
        detail = self._details[row["detail"]]
        return f"{name}, {place}{at}" + (f": {detail}" if detail else "")


def _named(names: Sequence[str], codes: npt.NDArray[Any]) -> pd.Series:
    return pd.Series(np.array(names, object)[codes], dtype="str")
