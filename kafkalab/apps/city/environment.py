"""The environmental agency: air that breaks a limit, and buildings where nothing is ever switched off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from kafkalab.apps.city.readings import MOST_LATE_MS, ReadingTask, TooLate
from kafkalab.apps.merge import Received
from kafkalab.apps.output import Output
from kafkalab.apps.task import HOUR_MS
from kafkalab.simulation.city import AIR_LIMITS

__all__ = ["Advice", "Breach", "EnvironmentalAgency"]

_DAY_MS = 24 * HOUR_MS
_FEWEST_READINGS = 3  # of an hour
_FEWEST_HOURS = 18  # of a day: 75 %, as Directive 2008/50/EC, annex XI, asks for
_MEASURED = {"air-quality": ("pm25", "no2"), "energy-usage": ("energy_kwh",)}
_WASTEFUL = 0.55


@dataclass(frozen=True, slots=True)
class Breach(Output):
    """A mean above a limit; ``time_ms`` is the begin of the hour or day.

    Attributes:
        district: where.
        sensor_id: whose mean; limits hold at every place.
        pollutant: pm25 or no2.
        mean_over: hour or day.
        mean, limit: micrograms per cubic metre.
        source: whose limit it is.
    """

    topic: ClassVar = "air-alerts"
    key: ClassVar = "district"
    district: str
    sensor_id: str
    pollutant: str
    mean_over: str
    mean: float
    limit: float
    source: str


@dataclass(frozen=True, slots=True)
class Advice(Output):
    """A meter behind which something is always on; ``time_ms`` is the begin of the day.

    Attributes:
        district: where.
        sensor_id: of the meter.
        lowest_kwh, highest_kwh: the lowest and the highest hour's mean reading.
        share: the lowest as a part of the highest.
        text: what to do.
    """

    topic: ClassVar = "energy-advice"
    key: ClassVar = "district"
    district: str
    sensor_id: str
    lowest_kwh: float
    highest_kwh: float
    share: float
    text: str


class EnvironmentalAgency(ReadingTask):
    """Watches limits of the air by the mean that each is set for, and looks for energy to save.

    Reads ``air-quality`` and ``energy-usage``. Their key is the sensor, and both questions are about single sensors:
    a partition waits for no other, and members of the group can share them. Hours take readings that are up to 40
    minutes late, as a mean for a court should be complete. A day is that of UTC, counts with 18 hours at least, and is
    closed with the sensor's first hour of the next. :data:`kafkalab.simulation.city.AIR_LIMITS` has the limits; those
    for years are left out, and a breach is no offence yet, as some are allowed in a year.

    Advice: where the quietest hour of a day takes more than 55 % of the busiest's, something could be switched off. It
    cannot tell a building that has to run from one that wastes, nor a faulty meter from a steady one.

    Writes ``air-alerts`` and ``energy-advice``, key = district, for who is responsible there.
    """

    reads: ClassVar = ("air-quality", "energy-usage")
    gives: ClassVar = (Breach, Advice, TooLate)
    together: ClassVar = "input"
    lateness_ms: ClassVar = MOST_LATE_MS

    def take(self, record: Received, now_ms: int) -> None:
        window = self.window_of(record, now_ms)
        if window is None:
            return
        value, names = record.value, _MEASURED[record.topic]
        hour = window.get(value["sensor_id"])
        if hour is None:
            hour = window[value["sensor_id"]] = [value["district"], 0, dict.fromkeys(names, 0.0)]
        hour[1] += 1
        for name in names:
            hour[2][name] += value[name]

    def sum_up(self, start_ms: int, window: dict[str, Any]) -> None:
        for sensor, (district, count, sums) in sorted(window.items()):
            if count >= _FEWEST_READINGS:
                self._hour(start_ms, sensor, district, {name: total / count for name, total in sums.items()})

    def _hour(self, start_ms: int, sensor: str, district: str, means: Mapping[str, float]) -> None:
        self._judge(start_ms, "hour", district, sensor, means)
        day_ms = start_ms - start_ms % _DAY_MS
        known = self.memory.get(sensor)
        if known is None or known["day"] != day_ms:
            if known is not None:
                self._day(sensor, district, known)
            known = self.memory[sensor] = {"day": day_ms, "hours": {name: [] for name in means}}
        for name, mean in means.items():
            known["hours"][name].append(mean)

    def _day(self, sensor: str, district: str, known: Mapping[str, Any]) -> None:
        hours: dict[str, list[float]] = known["hours"]
        if any(len(each) < _FEWEST_HOURS for each in hours.values()):
            return
        means = {name: sum(each) / len(each) for name, each in hours.items()}
        self._judge(known["day"], "day", district, sensor, means)
        if "energy_kwh" in hours:
            self._advise(known["day"], district, sensor, hours["energy_kwh"])

    def _judge(self, start_ms: int, over: str, district: str, sensor: str, means: Mapping[str, float]) -> None:
        for pollutant, limit, source in _LIMITS[over]:
            mean = means.get(pollutant, 0.0)
            if mean > limit:
                self.give(Breach(start_ms, district, sensor, pollutant, over, mean, limit, source))

    def _advise(self, day_ms: int, district: str, sensor: str, hours: Sequence[float]) -> None:
        lowest, highest = min(hours), max(hours)
        if highest > 0 and lowest / highest > _WASTEFUL:
            share = lowest / highest
            text = f"{sensor} never takes less than {share:.0%} of its highest hour: see what can be switched off"
            self.give(Advice(day_ms, district, sensor, lowest, highest, share, text))


def _limits(over: str) -> list[tuple[Any, ...]]:
    """Return pollutant, limit and sources: where several have the same limit, it is one."""
    limits = AIR_LIMITS[AIR_LIMITS["mean_over"] == over].groupby(["pollutant", "limit"])["source"].agg(", ".join)
    return list(limits.reset_index().itertuples(index=False, name=None))


_LIMITS = {over: _limits(over) for over in ("hour", "day")}
