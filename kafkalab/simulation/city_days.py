"""What happens in the city, whoever measures it: weather, incidents, outages, faults, and each district's state.

The city is simulated day by day on steps of five minutes; the sensors then read these states, with noise.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kafkalab.simulation.city_map import BUILDINGS, SensorMap
from kafkalab.simulation.source import Columns

__all__ = ["DAY_MS", "FAULTS", "INCIDENTS", "STEP_MS", "Day", "simulate_days"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Rng = Callable[..., np.random.Generator]

DAY_MS = 86_400_000
STEP_MS = 300_000
_STEPS = DAY_MS // STEP_MS
_HOUR_MS = 3_600_000
#: Kinds of faults of a sensor.
FAULTS = ("stuck", "drift", "dead")
#: Kinds of incidents, and what each leaves of a street's capacity (one of two lanes closed leaves 0.35).
INCIDENTS = {"accident": 0.35, "burst water main": 0.45, "broken-down vehicle": 0.6}

# Names of the generators that a day draws from.
_WEATHER, _INCIDENTS, _OUTAGES, _FAULTS = 11, 12, 13, 14
# How long the weather and a district's chances last: time constants in hours.
_TEMPERATURE_H, _WIND_H, _RAIN_H, _TRAFFIC_H, _AIR_H = 60.0, 8.0, 4.0, 0.5, 3.0
_RAINS_ABOVE = 1.15  # of a standard normal: one eighth of the time


@dataclass(frozen=True)
class Day:
    """A day of the city, 288 steps of five minutes from ``begin_ms``.

    Attributes:
        number: from 0.
        begin_ms: when it begins, milliseconds since 1970 (UTC).
        weather: ``time_ms``, ``temperature_c``, ``wind_ms`` (m/s), ``rain`` (bool), one row for each step.
        conditions: of each district, arrays of shape (districts, 288): ``load`` (vehicles that want to pass, as a share
            of what a dry and free street can take), ``flow`` (those that do), ``speed_kmh``, ``no2``, ``pm25``
            (micrograms per cubic metre), ``temperature_c``.
        power: share of the rated power that each kind of building takes, shape (buildings, 288).
        incidents: ``district`` and ``kind`` (codes), ``from_ms``, ``to_ms``, ``capacity_left``; by time.
        outages: of a district's gateway: ``district`` (code), ``from_ms``, ``to_ms``; by time.
        faults: one entry for each sensor: ``fault`` (code into FAULTS, -1 for none), ``from_ms``, ``to_ms``,
            ``drift_per_hour`` (negative where the sensor comes to show too little).
    """

    number: int
    begin_ms: int
    weather: Columns
    conditions: dict[str, Floats]
    power: Floats
    incidents: Columns
    outages: Columns
    faults: Columns


def simulate_days(
    sensors: SensorMap, rng: Rng, start_ms: int, *, incidents: float, outages: float, faults: float
) -> Iterator[Day]:
    """Simulate day after day, for ever.

    Args:
        sensors: the city's districts and sensors.
        rng: gives the generator that whole numbers name (``Source._rng``).
        start_ms: when the first day begins, which may be at any hour.
        incidents: how many a day, on average, in the whole city.
        outages: how many of gateways a day, on average, in the whole city.
        faults: share of the sensors that have a fault on a day.
    """
    count = len(sensors.districts)
    wander = _Wander(rng(_WEATHER, 0, 1), [_TEMPERATURE_H, _WIND_H, _RAIN_H] + [_TRAFFIC_H, _AIR_H] * count)
    for number in itertools.count():
        begin_ms = start_ms + number * DAY_MS
        clock = _Clock(begin_ms + np.arange(_STEPS) * STEP_MS)
        chance = wander.day(rng(_WEATHER, number, 2))
        weather = _weather(clock, chance[:3])
        happened = _incidents(rng(_INCIDENTS, number, 1), clock, incidents, count)
        yield Day(
            number,
            begin_ms,
            weather,
            _conditions(sensors, clock, weather, _capacity(happened, begin_ms, count), chance[3:]),
            _power(clock, weather["temperature_c"]),
            happened,
            _outages(rng(_OUTAGES, number, 1), begin_ms, outages, count),
            _faults(rng(_FAULTS, number, 1), begin_ms, faults, len(sensors)),
        )


class _Wander:
    """Ornstein-Uhlenbeck processes side by side, each of mean 0 and variance 1, carried on from day to day."""

    def __init__(self, rng: np.random.Generator, hours: list[float]) -> None:
        self._keep = np.exp(-STEP_MS / _HOUR_MS / np.array(hours))
        self._state = rng.standard_normal(len(hours))

    def day(self, rng: np.random.Generator) -> Floats:
        """Return the paths of one day, shape (processes, 288)."""
        path: Floats = rng.standard_normal((_STEPS, len(self._keep))) * np.sqrt(1 - self._keep**2)
        for step in path:
            self._state = self._keep * self._state + step
            step[:] = self._state
        return path.T


class _Clock:
    """What time it is at each step: hour of the day, weekend or not, and the season."""

    def __init__(self, time_ms: Ints) -> None:
        days = time_ms / DAY_MS
        self.time_ms = time_ms
        self.hour = days % 1 * 24
        self.weekend = (time_ms // DAY_MS + 3) % 7 >= 5  # 1970 began on a Thursday
        self._days = days

    def season(self, day: float) -> Floats:
        """Return a cosine over the year that is 1 on that day, counted from 0 on the first of January."""
        return np.asarray(np.cos(2 * np.pi * (self._days - day) / 365.2425))

    def bump(self, hour: float, hours: float) -> Floats:
        """Return a bell of height 1 around an hour of the day, of that standard deviation."""
        away = (self.hour - hour + 12) % 24 - 12
        return np.asarray(np.exp(-0.5 * (away / hours) ** 2))

    def wave(self, hour: float) -> Floats:
        """Return a cosine over the day that is 1 at that hour."""
        return np.asarray(np.cos(2 * np.pi * (self.hour - hour) / 24))

    def shift(self, begin: float, end: float) -> Floats:
        """Return 1 between two hours of a working day, with an hour's ramp at each end, else 0."""
        return np.where(self.weekend, 0.0, np.clip(np.minimum(self.hour - begin, end - self.hour) + 1, 0, 1))

    def traffic(self) -> Floats:
        """Return the city's rhythm: the rush hours of a working day, the long afternoon of a weekend."""
        working = 0.75 * self.bump(8, 1.2) + 0.4 * self.bump(13, 2.5) + 0.8 * self.bump(17.5, 1.6)
        return 0.05 + np.where(self.weekend, 0.55 * self.bump(14, 3.5), working)


def _weather(clock: _Clock, chance: Floats) -> Columns:
    temperature = 10 - 9 * clock.season(20) + 4 * clock.wave(15) + 3 * chance[0]
    return {
        "time_ms": clock.time_ms,
        "temperature_c": np.round(temperature, 2),
        "wind_ms": np.round(3 * np.exp(0.5 * chance[1] - 0.125), 2),  # lognormal of mean 3
        "rain": chance[2] > _RAINS_ABOVE,
    }


def _conditions(
    sensors: SensorMap, clock: _Clock, weather: Columns, capacity: Floats, chance: Floats
) -> dict[str, Floats]:
    weekend = np.where(clock.weekend, sensors.role("weekend"), 1)
    load = clock.traffic() * sensors.role("load") * weekend * np.exp(0.1 * chance[0::2])
    rain = weather["rain"]
    free = capacity * np.where(rain, 0.9, 1.0)
    # Travel time doubles where the load reaches the capacity; beyond one and a half it can hardly grow.
    slow = 1 + np.minimum(load / free, 1.5) ** 4
    flow = np.minimum(load, free)
    fumes = sensors.role("streets") * flow * np.sqrt(slow)  # standing vehicles emit, too
    temperature = weather["temperature_c"] + sensors.role("warmer_c")
    air = np.exp(0.12 * chance[1::2]) / _ventilation(clock, weather["wind_ms"])
    state = {
        "load": load,
        "flow": flow,
        "speed_kmh": sensors.role("free_kmh") * np.where(rain, 0.95, 1.0) / slow,
        "no2": 8 + 40 * fumes * air,
        "pm25": (5 + _dust(sensors, clock, fumes, temperature) * air) * np.where(rain, 0.7, 1.0),
        "temperature_c": temperature,
    }
    # Rounded, as other processors' last bits may differ.
    return {name: np.round(values, 4) for name, values in state.items()}


def _ventilation(clock: _Clock, wind_ms: Floats) -> Floats:
    """Return how well the air over the city is exchanged: wind times the height it mixes to, 1 on average."""
    return np.asarray(np.maximum(wind_ms / 3 * (1 + 0.6 * clock.wave(15)), 0.2))


def _dust(sensors: SensorMap, clock: _Clock, fumes: Floats, temperature: Floats) -> Floats:
    stoves = sensors.role("stoves") * np.maximum(15 - temperature, 0) / 10 * (0.4 + clock.bump(20, 3))
    return np.asarray(6 * fumes + 4 * stoves + 5 * sensors.role("plants"))


def _power(clock: _Clock, temperature: Floats) -> Floats:
    heating, cooling = np.maximum(15 - temperature, 0), np.maximum(temperature - 22, 0)
    dark = np.abs(clock.hour - 12) > 6 - 2 * clock.season(-10)  # days of 8 hours in December, of 16 in June
    homes = (0.3 + 0.25 * clock.bump(7.5, 1.2) + 0.45 * clock.bump(19.5, 2)) * (1 + 0.02 * heating)
    offices = (0.2 + 0.6 * clock.shift(8, 18)) * (1 + 0.015 * heating + 0.03 * cooling)
    shares = {
        "homes": homes,
        "offices": offices,
        "industry": 0.4 + 0.5 * clock.shift(6, 22),
        "street lights": np.where(dark, 1, 0.03),
    }
    return np.round(np.stack([shares[building] for building in BUILDINGS]), 4)


def _incidents(rng: np.random.Generator, clock: _Clock, rate: float, districts: int) -> Columns:
    """Draw a day's incidents of 20 to 90 minutes; the more traffic, the more of them."""
    count = rng.poisson(rate)
    rhythm = clock.traffic()
    # Compared with whole numbers, so that no last bit of a sum decides.
    ladder = np.cumsum(np.rint(rhythm * 1_000_000).astype(np.int64))
    steps = rng.integers(4, 19, count)
    begin = np.searchsorted(ladder, rng.integers(0, ladder[-1], count), side="right")
    begin = np.minimum(begin, _STEPS - steps)
    kind = rng.integers(0, len(INCIDENTS), count)
    columns = {
        "district": rng.integers(0, districts, count),
        "kind": kind,
        "from_ms": clock.time_ms[0] + begin * STEP_MS,
        "to_ms": clock.time_ms[0] + (begin + steps) * STEP_MS,
        "capacity_left": np.array(list(INCIDENTS.values()))[kind],
    }
    return _by_time(columns)


def _capacity(incidents: Columns, begin_ms: int, districts: int) -> Floats:
    left = np.ones((districts, _STEPS))
    begin, end = ((incidents[name] - begin_ms) // STEP_MS for name in ("from_ms", "to_ms"))
    for place, first, last, share in zip(incidents["district"], begin, end, incidents["capacity_left"], strict=True):
        left[place, first:last] = np.minimum(left[place, first:last], share)
    return left


def _outages(rng: np.random.Generator, begin_ms: int, rate: float, districts: int) -> Columns:
    """Draw a day's outages of 5 to 20 minutes, each of one district's gateway.

    They end a minute before the day does, since it takes some seconds until all that was kept is sent.
    """
    count = rng.poisson(rate)
    length_ms = rng.integers(5 * 60_000, 20 * 60_000, count)
    from_ms = begin_ms + rng.integers(0, DAY_MS - 60_000 - length_ms)
    district = rng.integers(0, districts, count)
    return _by_time({"district": district, "from_ms": from_ms, "to_ms": from_ms + length_ms})


def _by_time(columns: Columns) -> Columns:
    order = np.argsort(columns["from_ms"], kind="stable")
    return {name: column[order] for name, column in columns.items()}


def _faults(rng: np.random.Generator, begin_ms: int, share: float, sensors: int) -> Columns:
    """Draw for each sensor whether it has a fault this day, which, and when: two to ten hours of the day."""
    kind = rng.integers(0, len(FAULTS), sensors)
    kind[rng.random(sensors) >= share] = -1
    length_ms = rng.integers(2 * _HOUR_MS, 10 * _HOUR_MS, sensors)
    from_ms = begin_ms + rng.integers(0, DAY_MS - length_ms)
    drift = np.round(rng.uniform(0.1, 0.3, sensors), 3) * rng.choice([-1, 1], sensors)
    return {
        "fault": kind.astype(np.int8),
        "from_ms": from_ms,
        "to_ms": from_ms + length_ms,
        "drift_per_hour": np.where(kind == FAULTS.index("drift"), drift, np.nan),
    }
