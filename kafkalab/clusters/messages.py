"""The records of a topic as a table: a bounded look, in no group, that ends at the end of each partition.

The reader is confluent-kafka's, which brings every compression with it and tells where a partition ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from kafkalab.clusters.reading import LOGGER, QUICK_RECONNECT
from kafkalab.clusters.tables import table
from kafkalab.errors import InvalidArgument
from kafkalab.waiting import wait_until

__all__ = ["check_bounds", "read"]

_READER = {
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "earliest",
    "fetch.wait.max.ms": 50,
    "fetch.error.backoff.ms": 50,
}
_END = KafkaError._PARTITION_EOF  # noqa: SLF001 - so the library names its own codes
_AT_ONCE = 1000
_POLL_SECONDS = 0.1
_COLUMNS = {"partition": "int64", "offset": "int64", "timestamp": "int64", "key": "object", "value": "object",
            "headers": "object"}  # fmt: skip


def check_bounds(limit: object, start: object) -> None:
    """Check what :func:`read` takes.

    Raises:
        InvalidArgument: ``limit`` is no number from 1 on, or ``start`` none from 0 on.
    """
    for name, value, least in (("limit", limit, 1), ("start", start, 0)):
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise InvalidArgument(f"{name}={value!r} is not possible: give a whole number from {least} on.")


def read(
    config: Mapping[str, Any],
    topic: str,
    partitions: Iterable[int],
    *,
    group: str,
    limit: int,
    start: int = 0,
    committed: bool = False,
    timestamps: bool = False,
    timeout: float = 30.0,
) -> pd.DataFrame:
    """Return partition, offset (int64), key, value (bytes or None), headers (tuple of name and bytes or None).

    Args:
        config: confluent-kafka's settings that reach the cluster.
        topic: its name.
        partitions: the numbers to read.
        group: the library wants the name of a group; what is assigned by hand joins none and commits nothing.
        limit: at most so many records of each partition.
        start: the first offset that is wanted.
        committed: leave out records of transactions that were aborted or are open (read_committed).
        timestamps: show the time of each record as well: timestamp (int64, ms).
        timeout: seconds until everything has to be read.

    Raises:
        WaitTimeout: some partition could not be read to its end or to the limit in time.
    """
    isolation = "read_committed" if committed else "read_uncommitted"
    settings = {**QUICK_RECONNECT, **_READER, "group.id": group, "isolation.level": isolation}
    consumer = Consumer({**config, **settings}, logger=LOGGER)
    look = _Look(consumer, topic, dict.fromkeys(partitions, limit), start)
    try:
        wait_until(
            look.go_on,
            lambda left: not left,
            what=f"the end of these partitions of {topic}",
            timeout=timeout,
            every=0.0,
        )
    finally:
        consumer.close()
    return table(look.rows, _COLUMNS, ["partition", "offset"]).drop(columns=[] if timestamps else ["timestamp"])


class _Look:
    def __init__(self, consumer: Any, topic: str, left: dict[int, int], start: int) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self._consumer = consumer
        self._left = left
        self._start = start
        consumer.assign([TopicPartition(topic, number, start or OFFSET_BEGINNING) for number in left])

    def go_on(self) -> list[int]:
        """Read on for a moment and return the partitions that are not done."""
        for message in self._consumer.consume(_AT_ONCE, _POLL_SECONDS):
            self._take(message)
        return sorted(self._left)

    def _take(self, message: Any) -> None:
        number = message.partition()
        if message.error() is not None:
            if message.error().code() == _END:
                self._left.pop(number, None)
        # What lies before the start comes where the log ends before it.
        elif number not in self._left or message.offset() < self._start:
            self._left.pop(number, None)
        else:
            self._keep(message)

    def _keep(self, message: Any) -> None:
        number = message.partition()
        headers = tuple(message.headers() or ())
        self.rows.append((number, message.offset(), message.timestamp()[1], message.key(), message.value(), headers))
        self._left[number] -= 1
        if self._left[number] == 0:
            del self._left[number]
