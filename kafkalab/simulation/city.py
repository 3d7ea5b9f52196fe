"""A city's sensors: traffic, air and energy, with weather, incidents, faulty sensors and an imperfect delivery."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from kafkalab.errors import InvalidArgument
from kafkalab.simulation.arguments import checked_number, checked_whole
from kafkalab.simulation.city_days import DAY_MS, FAULTS, INCIDENTS, STEP_MS, Day, simulate_days
from kafkalab.simulation.city_delivery import Delivery
from kafkalab.simulation.city_map import AIR_LIMITS, DISTRICTS, SENSOR_KINDS, place_sensors
from kafkalab.simulation.city_readings import SensorGroup
from kafkalab.simulation.source import MISSING, Block, Columns, Kinds, Source, TopicPlan

__all__ = ["AIR_LIMITS", "City"]

_BLOCK_ROWS = 50_000
_HOUR_S = 3600
_MOST_SENSORS = 500  # of one kind in one district
_MOST_DAYS = 3660
_MEASURED = ("speed_kmh", "occupancy_pct", "pm25", "no2", "temperature_c", "energy_kwh", "peak_kw")
# Names of generators; those of a day have theirs in city_days.
_PLACES, _READINGS = 1, 2


class City(Source):
    """Readings of a city's sensors for traffic, air and energy, in the order in which they reach the broker.

    =============== ======================================================================== ======================
    topic           fields of the value; the key is ``sensor_id``                            suggested partitions
    =============== ======================================================================== ======================
    traffic-flow    sensor_id, district, measured_ms, vehicles, speed_kmh, occupancy_pct     6
    air-quality     sensor_id, district, measured_ms, pm25, no2, temperature_c               3
    energy-usage    sensor_id, district, measured_ms, energy_kwh, peak_kw                    3
    =============== ======================================================================== ======================

    ``measured_ms`` is the event time, the end of the interval that was measured; the record's ``timestamp_ms`` is the
    time of sending. Both are milliseconds since 1970 (UTC), and the city's clocks show UTC. A sensor reads every
    ``..._every_s`` seconds, each with a phase of its own.

    **The city.** Its state changes every five minutes; ``conditions`` and ``weather`` show it.

    - *Rhythm*: a working day's traffic has rush hours at 8:00 and 17:30 (bells of standard deviations 1.2 and 1.6
      hours) and is quiet at night; a weekend's has one long top at 14:00. Centres carry more than residential,
      industrial and green districts do. The load wanders by 10 % (Ornstein-Uhlenbeck process, time constant half an
      hour).
    - *Weather*: temperature with season, time of day and a wander of 3 degrees over days; lognormal wind of mean
      3 m/s; rain one eighth of the time. Rain takes 10 % of the streets' capacity and 5 % of the speed (Highway
      Capacity Manual 2010, chapter 10, has such figures).
    - *Incidents*: a Poisson process that follows the rhythm; for 20 to 90 minutes a district keeps only a part of its
      capacity.
    - *Speed*: v = free speed / (1 + (load / capacity)^4), the volume-delay function of the Bureau of Public Roads
      (Traffic Assignment Manual, 1964), with twice the travel time at capacity as in H. Spiess (Conical Volume-Delay
      Functions, Transportation Science 24, 1990). No more than the capacity passes.
    - *Air*: a box model in its steady state: background + emissions / (wind x mixing height), as in Seinfeld and
      Pandis (Atmospheric Chemistry and Physics, chapter on atmospheric box models). Traffic emits NO2 and PM2.5, more
      so when it stands; heating on cold evenings and industry emit PM2.5; rain washes 30 % of it out. AIR_LIMITS has
      what the law allows.
    - *Energy*: homes peak in the morning and the evening, offices and industry work on working days, street lights
      burn when it is dark; heating below 15 and cooling above 22 degrees. Behind some meters ``wasteful`` is true:
      nothing is ever switched off there.

    **The sensors.** ``vehicles`` is the Poisson count of one interval; ``speed_kmh`` has a noise of 6 %;
    ``occupancy_pct`` is the share of time that a detector is covered, flow x length of vehicle and loop (6.5 m) /
    (speed x lanes) (P. Athol, Interdependence of Certain Operational Characteristics within a Moving Traffic Stream,
    1965). ``pm25`` and ``no2`` (micrograms per cubic metre) and energy have a noise of 5 %, ``temperature_c`` of 0.2
    degrees. ``energy_kwh`` is that of one interval, ``peak_kw`` the highest power in it. Places differ by up to 20 %
    from their district. Each day a share of the sensors has a fault for two to ten hours of the day, more often and
    quicker than in reality, so that a day is enough to study them: *stuck* repeats one reading; *drift* multiplies
    counts, concentrations or energy by (1 + r t) or divides by it, with r from 0.1 to 0.3 and t in hours; *dead* sends
    nothing.

    **The delivery.** A reading takes 50 ms and an exponential time of mean 300 ms. Some are sent late, by a minute and
    an exponential time of mean five minutes (half an hour at most); some are sent a second time, a second and an
    exponential time of mean 20 s later; during an outage of a district's gateway (5 to 20 minutes) nothing is sent,
    and all within seconds afterwards, in its order.

    **The truth.** :meth:`truth` has for each record ``fault`` ("stuck", "drift" or missing), ``late`` (sent more than a
    minute after it was measured), ``duplicate`` (the same reading was sent before) and ``out_of_order`` (a newer
    reading of this sensor was sent before). Tables: :attr:`districts`, :attr:`sensors`, :meth:`weather`,
    :meth:`conditions`, :meth:`incidents`, :meth:`outages`, :meth:`faults`.

    Args:
        seed: as in every source.
        start: as in every source; a Monday at 06:00 by default.
        districts: 1 to 16.
        traffic_sensors, air_sensors, energy_sensors: how many in each district, 0 to 500.
        traffic_every_s, air_every_s, energy_every_s: seconds between two readings, a divisor of 3600.
        incidents_per_day: how many in the whole city on average, 0 to 1000.
        outages_per_day: of gateways, in the whole city on average, 0 to 100.
        fault_share: share of the sensors that have a fault on a day.
        late_share: share of readings that are sent late by themselves; outages make more.
        duplicate_share: share of readings that are sent twice.

    Raises:
        InvalidArgument: one of these is out of its range, or there is no sensor at all.
    """

    topics: ClassVar = {
        "traffic-flow": TopicPlan(
            "sensor_id", ("sensor_id", "district", "measured_ms", "vehicles", "speed_kmh", "occupancy_pct")
        ),
        "air-quality": TopicPlan(
            "sensor_id", ("sensor_id", "district", "measured_ms", "pm25", "no2", "temperature_c"), partitions=3
        ),
        "energy-usage": TopicPlan(
            "sensor_id", ("sensor_id", "district", "measured_ms", "energy_kwh", "peak_kw"), partitions=3
        ),
    }
    default_start: ClassVar[str] = "2025-03-03T06:00:00Z"  # a Monday, before the rush hour

    def __init__(
        self,
        seed: int = 0,
        start: str | dt.datetime | None = None,
        *,
        districts: int = 12,
        traffic_sensors: int = 8,
        air_sensors: int = 3,
        energy_sensors: int = 4,
        traffic_every_s: int = 60,
        air_every_s: int = 120,
        energy_every_s: int = 300,
        incidents_per_day: float = 6.0,
        outages_per_day: float = 3.0,
        fault_share: float = 0.1,
        late_share: float = 0.02,
        duplicate_share: float = 0.01,
    ) -> None:
        super().__init__(seed, start)
        counts = (traffic_sensors, air_sensors, energy_sensors)
        every_s = (traffic_every_s, air_every_s, energy_every_s)
        checked_whole("districts", districts, 1, len(DISTRICTS))
        for kind, count, seconds in zip(SENSOR_KINDS, counts, every_s, strict=True):
            checked_whole(f"{kind}_sensors", count, 0, _MOST_SENSORS)
            _check_interval(f"{kind}_every_s", seconds)
        if not any(counts):
            raise InvalidArgument("a city without sensors sends nothing: give it traffic, air or energy sensors.")
        checked_number("incidents_per_day", incidents_per_day, 0, 1000)
        checked_number("outages_per_day", outages_per_day, 0, 100)
        checked_number("fault_share", fault_share, 0, 1)
        checked_number("late_share", late_share, 0, 1)
        checked_number("duplicate_share", duplicate_share, 0, 1)
        self._map = place_sensors(self._rng(_PLACES, 1), districts, counts, every_s)
        self._chances = {"incidents": incidents_per_day, "outages": outages_per_day, "faults": fault_share}
        self._mishaps = {"late": late_share, "duplicate": duplicate_share}

    @property
    def kinds(self) -> Kinds:
        return {
            "sensor_id": self._map.names,
            "district": self._map.district_names,
            "measured_ms": "int64",
            "vehicles": "Int64",
            **dict.fromkeys(_MEASURED, "float64"),
        }

    @property
    def truth_kinds(self) -> Kinds:
        return {"fault": FAULTS, "late": "bool", "duplicate": "bool", "out_of_order": "bool"}

    @property
    def districts(self) -> pd.DataFrame:
        """The districts: ``district``, ``role`` (centre, residential, industrial, green), ``x_km`` and ``y_km`` (east
        and north of the town hall), ``free_kmh`` (speed on an empty street).
        """
        return self._map.district_frame()

    @property
    def sensors(self) -> pd.DataFrame:
        """The sensors: ``sensor_id``, ``kind`` (traffic, air, energy), ``district``, ``x_km``, ``y_km``, ``every_s``
        (seconds between readings), ``lanes`` (of a traffic sensor), ``building`` (what an energy meter hangs on),
        ``rated_kw`` (power it is made for), ``wasteful`` (nothing is ever switched off behind this meter).
        """
        return self._map.frame()

    def weather(self, days: int = 1) -> pd.DataFrame:
        """Return the weather of the first days: ``time_ms``, ``temperature_c``, ``wind_ms`` (m/s), ``rain`` (bool).

        A row is what holds for five minutes; a day is 24 hours from the start, as in all these tables.

        Raises:
            InvalidArgument: ``days`` is no whole number from 1 to 3660, as in all these tables.
        """
        return self._table(days, lambda day: day.weather)

    def conditions(self, days: int = 1) -> pd.DataFrame:
        """Return each district's true state in the first days, what its sensors should show.

        Columns: ``time_ms``, ``district``, ``load`` (vehicles that want to pass, as a share of what a dry and free
        street can take), ``flow`` (those that do), ``speed_kmh``, ``no2``, ``pm25`` (micrograms per cubic metre),
        ``temperature_c``. A row holds for five minutes.
        """
        return self._table(days, _conditions)

    def incidents(self, days: int = 1) -> pd.DataFrame:
        """Return the incidents of the first days.

        Columns: ``district``, ``kind`` (accident, burst water main, broken-down vehicle), ``from_ms``, ``to_ms``,
        ``capacity_left`` (share of the district's capacity).
        """
        return self._table(days, lambda day: day.incidents)

    def outages(self, days: int = 1) -> pd.DataFrame:
        """Return the outages of districts' gateways in the first days: ``district``, ``from_ms``, ``to_ms``."""
        return self._table(days, lambda day: day.outages)

    def faults(self, days: int = 1) -> pd.DataFrame:
        """Return the faults of sensors in the first days.

        Columns: ``sensor_id``, ``fault`` (stuck, drift, dead), ``from_ms`` (first affected moment), ``to_ms`` (first
        one after it), ``drift_per_hour`` (r of a drift; negative where it divides; else missing).
        """
        return self._table(days, _faults)

    def _days(self) -> Iterator[Day]:
        return simulate_days(self._map, self._rng, self.start_ms, **self._chances)

    def _table(self, days: int, part: Callable[[Day], Columns]) -> pd.DataFrame:
        checked_whole("days", days, 1, _MOST_DAYS)
        parts = [part(day) for day in itertools.islice(self._days(), days)]
        table = pd.DataFrame({name: np.concatenate([columns[name] for columns in parts]) for name in parts[0]})
        texts = {**self.kinds, "kind": tuple(INCIDENTS), "fault": FAULTS}
        for name in table.columns.intersection(["sensor_id", "district", "kind", "fault"]):
            table[name] = pd.Categorical.from_codes(table[name], pd.Index(list(texts[name])))
        return table

    def _blocks(self) -> Iterator[Block]:
        kinds = np.unique(self._map.kind).tolist()
        groups = [SensorGroup(self._map, kind, self.start_ms) for kind in kinds]
        delivery = Delivery(len(self._map), **self._mishaps)
        for number, (day, begin_ms, end_ms) in enumerate(self._stretches()):
            rng = self._rng(_READINGS, number)
            readings = _joined([group.read(rng, day, begin_ms, end_ms) for group in groups])
            readings["district"] = self._map.district[readings["sensor_id"]]
            yield self._block(delivery.send(rng, readings, day.outages, end_ms))

    def _stretches(self) -> Iterator[tuple[Day, int, int]]:
        """Cut the days into stretches of whole intervals: short ones at first, for a quick start, then longer."""
        unit_ms = math.lcm(STEP_MS, *np.unique(self._map.every_ms).tolist())
        rows = int((unit_ms // self._map.every_ms).sum())
        length_ms = unit_ms
        for day in self._days():
            begin_ms, tomorrow_ms = day.begin_ms, day.begin_ms + DAY_MS
            while begin_ms < tomorrow_ms:
                end_ms = min(begin_ms + length_ms, tomorrow_ms)
                yield day, begin_ms, end_ms
                begin_ms = end_ms
                length_ms = min(2 * length_ms, unit_ms * max(1, _BLOCK_ROWS // rows))

    def _block(self, sent: Columns) -> Block:
        truth = {name: sent.pop(name) for name in self.truth_kinds}
        return Block({"topic": self._map.kind[sent["sensor_id"]], **sent}, truth)


def _joined(parts: list[Columns]) -> Columns:
    """Put the readings of all kinds of sensors below each other; what a kind does not measure is missing."""
    names = ("sensor_id", "measured_ms", "fault", "vehicles", *_MEASURED)
    return {name: np.concatenate([_column(part, name) for part in parts]) for name in names}


def _column(part: Columns, name: str) -> npt.NDArray[Any]:
    if name in part:
        return part[name]
    return np.full(len(part["sensor_id"]), MISSING if name == "vehicles" else np.nan)


def _conditions(day: Day) -> Columns:
    districts = len(day.conditions["load"])
    time_ms = day.weather["time_ms"]
    rows = {"time_ms": np.repeat(time_ms, districts), "district": np.tile(np.arange(districts), len(time_ms))}
    return {**rows, **{name: state.T.ravel() for name, state in day.conditions.items()}}


def _faults(day: Day) -> Columns:
    faulty = np.flatnonzero(day.faults["fault"] >= 0)
    faulty = faulty[np.argsort(day.faults["from_ms"][faulty], kind="stable")]
    return {"sensor_id": faulty, **{name: column[faulty] for name, column in day.faults.items()}}


def _check_interval(name: str, value: Any) -> None:
    checked_whole(name, value, 1, _HOUR_S)
    if _HOUR_S % value:
        raise InvalidArgument(f"{name}={value!r} is not possible: give seconds that divide an hour, as 60 or 900 do.")
