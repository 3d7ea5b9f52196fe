"""Records of the simulation as consumers get them, in any order that their partitions allow."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from functools import cache
from zlib import crc32

import numpy as np
import orjson

from kafkalab.apps import Application, Output, Received, Task
from kafkalab.apps.stocks import TradingAlgorithm
from kafkalab.simulation import City, Record, Social, Source, Stocks

__all__ = [
    "PARTITIONS",
    "SMALL",
    "dealt",
    "interleaved",
    "partitions_of",
    "received",
    "run",
    "small_records",
]

PARTITIONS = 6
#: Sources that come far in few records.
SMALL: dict[str, Source] = {
    "stocks": Stocks(symbols=6, trades_per_session=300, news_per_session=6),
    "social": Social(rate=2, viral_after_s=300, viral_size=300),
    "city": City(districts=1, energy_sensors=3, traffic_every_s=300, air_every_s=900, energy_every_s=900),
}


def dealt(records: Iterable[Record]) -> list[Received]:
    """Give each record a partition by its key, and the next offset there."""
    offsets: dict[tuple[str, int], int] = defaultdict(int)
    result = []
    for record in records:
        assert record.key is not None
        partition = crc32(record.key) % PARTITIONS
        offset = offsets[record.topic, partition]
        offsets[record.topic, partition] += 1
        value = orjson.loads(record.value)
        result.append(Received(record.topic, partition, offset, record.key.decode(), value, record.timestamp_ms))
    return result


def received(source: Source, n: int) -> list[Received]:
    return dealt(source.records(n))


@cache
def small_records(name: str, n: int = 2600) -> list[Received]:
    """The first records of a small source; of stocks with the signals that follow from them."""
    records = received(SMALL[name], n)
    if name == "stocks":
        signals = dealt(output.record() for output in run(TradingAlgorithm, records))
        records = sorted([*records, *signals], key=lambda record: record.timestamp_ms)
    return records


def partitions_of(task: type[Task]) -> dict[str, int]:
    return dict.fromkeys(task.reads, PARTITIONS)


def run(task: type[Task], records: Iterable[Received], batch: int = 500) -> list[Output]:
    """Run an application over those records that it reads, to their end."""
    application = Application(task, partitions_of(task))
    mine = [record for record in records if record.topic in task.reads]
    outputs = [output for first in range(0, len(mine), batch) for output in application.process(mine[first:][:batch])]
    return outputs + application.finish()


def interleaved(records: Iterable[Received], seed: int, stalled: int | None = None) -> list[Received]:
    """Mix partitions at random, each in its order; one, or none, comes when all others have ended."""
    rng = np.random.default_rng(seed)
    queues: dict[tuple[str, int], deque[Received]] = defaultdict(deque)
    for record in records:
        queues[record.topic, record.partition].append(record)
    waiting = [queue for number, (_, queue) in enumerate(sorted(queues.items())) if number != stalled]
    mixed: list[Received] = []
    while waiting:
        place = int(rng.integers(len(waiting)))
        mixed.extend(waiting[place].popleft() for _ in range(min(len(waiting[place]), int(rng.integers(1, 40)))))
        waiting = [queue for queue in waiting if queue]
    return mixed + [record for queue in queues.values() for record in queue]
