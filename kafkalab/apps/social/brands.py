"""The brand monitor: mentions of every brand by the minute, and an alert when there are suddenly many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar

from kafkalab.apps.merge import Received
from kafkalab.apps.output import Output
from kafkalab.apps.task import MINUTE_MS, Task

__all__ = ["BrandMonitor", "Mentions", "Spike"]

_COMPARED = 15  # minutes
_FEWEST_COMPARED = 3
_DEVIATIONS = 5
_FEWEST = 10  # mentions that are worth an alert
_CALM = 2.0  # times the usual


@dataclass(frozen=True, slots=True)
class Mentions(Output):
    """Mentions of a brand in one minute; ``time_ms`` is its begin. Minutes without any have no row.

    Attributes:
        brand: which.
        count: of mentions.
    """

    key: ClassVar = "brand"
    brand: str
    count: int


@dataclass(frozen=True, slots=True)
class Spike(Output):
    """A brand is suddenly talked about; ``time_ms`` is the end of the minute in which it was seen.

    Attributes:
        brand: which.
        count: mentions in that minute.
        usual: mean of the minutes before.
    """

    topic: ClassVar = "brand-alerts"
    key: ClassVar = "brand"
    brand: str
    count: int
    usual: float


class BrandMonitor(Task):
    """Counts mentions, and raises the alarm once for each spike.

    Reads ``social-mentions``. Its key is the brand: one partition has all mentions of a brand, so that members of the
    group can share partitions. (The other topics have the post as key: a brand's likes are in all partitions.)

    A minute is a spike when it has at least ten mentions, and more than the mean of the calm minutes before, 15 at
    most, and five times their standard deviation (at least a Poisson count's, the root of the mean). While it lasts,
    until a minute with at most twice the usual, its minutes do not change what is usual. After the first three
    minutes of a brand there is something to compare with.

    Writes ``brand-alerts``, key = brand.
    """

    reads: ClassVar = ("social-mentions",)
    gives: ClassVar = (Mentions, Spike)
    together: ClassVar = "input"

    def take(self, record: Received, now_ms: int) -> None:
        window = self.window(record.timestamp_ms, now_ms)
        if window is None:
            return
        brand = record.value["brand"]
        window[brand] = window.get(brand, 0) + 1

    def close(self, start_ms: int, window: Mapping[str, Any]) -> None:
        for brand, count in sorted(window.items()):
            self.give(Mentions(start_ms, brand, count))
            self._compare(brand, count, start_ms)

    def _compare(self, brand: str, count: int, start_ms: int) -> None:
        known = self.memory.setdefault(brand, {"calm": [], "spike": False, "last": start_ms - MINUTE_MS})
        silent = (start_ms - known["last"]) // MINUTE_MS - 1
        known["last"] = start_ms
        calm = known["calm"]
        if silent:
            known["spike"] = False
            calm.extend([0] * min(silent, _COMPARED))
            del calm[:-_COMPARED]
        usual = sum(calm) / len(calm) if calm else 0.0
        if known["spike"] and count > _CALM * usual:
            return
        known["spike"] = len(calm) >= _FEWEST_COMPARED and count >= max(_FEWEST, _threshold(calm, usual))
        if known["spike"]:
            self.give(Spike(start_ms + MINUTE_MS, brand, count, usual))
        else:
            calm.append(count)
            del calm[:-_COMPARED]


def _threshold(calm: list[int], usual: float) -> float:
    variance = sum((count - usual) ** 2 for count in calm) / len(calm)
    return usual + _DEVIATIONS * sqrt(max(variance, usual))
