"""The delivery monitor: how readings arrive, by the time they were measured and by the time they were sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from kafkalab.apps.city.readings import MOST_LATE_MS, ReadingTask, TooLate
from kafkalab.apps.merge import Received
from kafkalab.apps.output import Output
from kafkalab.apps.task import MINUTE_MS

__all__ = ["Arrivals", "DeliveryMonitor"]

_MEASURED, _SENT, _DUPLICATES, _LATE, _OUT_OF_ORDER = range(5)


@dataclass(frozen=True, slots=True)
class Arrivals(Output):
    """An hour of one partition; ``time_ms`` is its begin. Sum the partitions up for a topic.

    Attributes:
        stream: the topic that is looked at.
        partition: its number.
        measured: readings measured in this hour (event time), each once, as far as they came in time.
        sent: records sent in this hour (processing time), of which
        duplicates: were sent before,
        late: were measured more than a minute before,
        out_of_order: came after a newer reading of their sensor.
    """

    key: ClassVar = "stream"
    stream: str
    partition: int
    measured: int
    sent: int
    duplicates: int
    late: int
    out_of_order: int


class DeliveryMonitor(ReadingTask):
    """Counts by event time and by processing time what is late, doubled and out of order.

    Reads ``traffic-flow``, ``air-quality`` and ``energy-usage``. Their key is the sensor, so that what a sensor sends
    twice is in one partition, and no partition waits for another; members of the group can share them. Readings that
    come more than 40 minutes after their hour are :class:`TooLate`; whether those are duplicates is not known any
    more. Writes nothing.
    """

    reads: ClassVar = ("traffic-flow", "air-quality", "energy-usage")
    gives: ClassVar = (Arrivals, TooLate)
    together: ClassVar = "input"
    lateness_ms: ClassVar = MOST_LATE_MS

    def take(self, record: Received, now_ms: int) -> None:
        value = record.value
        measured, too_late = value["measured_ms"], self.too_late
        by_measuring = self.window_of(record, now_ms)
        sent = _counts(self.windows.at(now_ms, now_ms), record)
        sent[_SENT] += 1
        sent[_LATE] += now_ms - measured > MINUTE_MS
        newest = self.memory.get(value["sensor_id"], 0)
        sent[_OUT_OF_ORDER] += measured < newest
        self.memory[value["sensor_id"]] = max(measured, newest)
        if by_measuring is not None:
            _counts(by_measuring, record)[_MEASURED] += 1
        elif self.too_late == too_late:
            sent[_DUPLICATES] += 1

    def sum_up(self, start_ms: int, window: dict[str, Any]) -> None:
        for stream, (partition, counts) in sorted(window.items()):
            self.give(Arrivals(start_ms, stream, partition, *counts))


def _counts(window: dict[str, Any] | None, record: Received) -> list[int]:
    assert window is not None, "the hour in which a record is sent is open"
    known = window.get(record.topic)
    if known is None:
        known = window[record.topic] = (record.partition, [0] * 5)
    counts: list[int] = known[1]
    return counts
