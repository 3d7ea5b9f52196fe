"""The city planners: how busy and how slow each district is, hour by hour."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas as pd

from kafkalab.apps.city.readings import ReadingTask, TooLate
from kafkalab.apps.merge import Received
from kafkalab.apps.output import Output, as_frame
from kafkalab.apps.task import HOUR_MS, MINUTE_MS

__all__ = ["HeatCell", "Planners", "heat_map"]


@dataclass(frozen=True, slots=True)
class HeatCell(Output):
    """A district in one hour; ``time_ms`` is its begin.

    Attributes:
        district: which.
        vehicles: counted by all its sensors.
        speed_kmh, occupancy_pct: means of all readings.
        readings: how many there are.
    """

    key: ClassVar = "district"
    district: str
    vehicles: int
    speed_kmh: float
    occupancy_pct: float
    readings: int


class Planners(ReadingTask):
    """Draws the heat map of traffic.

    Reads ``traffic-flow``. Its key is the sensor, so that a district's sensors are in all partitions: an hour of it is
    complete when all partitions have passed it, and the group has one member that does the work. Readings may be ten
    minutes late, since nobody waits for the map; what comes later is given as :class:`TooLate`. Writes nothing.
    """

    reads: ClassVar = ("traffic-flow",)
    gives: ClassVar = (HeatCell, TooLate)
    together: ClassVar = "all"
    lateness_ms: ClassVar = 10 * MINUTE_MS

    def take(self, record: Received, now_ms: int) -> None:
        window = self.window_of(record, now_ms)
        if window is None:
            return
        value = record.value
        cell = window.get(value["district"])
        if cell is None:
            cell = window[value["district"]] = [0, 0.0, 0.0, 0]
        cell[0] += value["vehicles"]
        cell[1] += value["speed_kmh"]
        cell[2] += value["occupancy_pct"]
        cell[3] += 1

    def sum_up(self, start_ms: int, window: dict[str, Any]) -> None:
        for district, (vehicles, speed, occupancy, count) in sorted(window.items()):
            self.give(HeatCell(start_ms, district, vehicles, speed / count, occupancy / count, count))


def heat_map(outputs: Iterable[Output], shown: str = "speed_kmh") -> pd.DataFrame:
    """Return the mean of one field of :class:`HeatCell` for each district (rows) and hour of the day (columns).

    float64, NaN for an hour that was not seen. Hours are those of UTC, as the city's clocks.
    """
    cells = as_frame(HeatCell, outputs)
    hour = (cells["time_ms"] // HOUR_MS % 24).rename("hour")
    return cells.pivot_table(index="district", columns=hour, values=shown, aggfunc="mean").astype("float64")
