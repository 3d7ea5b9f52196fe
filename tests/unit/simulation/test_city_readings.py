from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from kafkalab.simulation.city_days import DAY_MS, FAULTS, Day, simulate_days
from kafkalab.simulation.city_map import SENSOR_KINDS, SensorMap, place_sensors
from kafkalab.simulation.city_readings import SensorGroup
from kafkalab.simulation.source import Columns

HOUR_MS = 3_600_000
START_MS = 1_740_960_000_000
CITY: SensorMap = place_sensors(np.random.default_rng(0), 4, (10, 10, 10), (60, 60, 60))
TRAFFIC, AIR, ENERGY = range(len(SENSOR_KINDS))
Array = npt.NDArray[Any]


def a_day(**faults: Array) -> Day:
    """A day on which nothing changes: half the capacity flows at 30 km/h."""
    simulated = simulate_days(
        CITY, lambda *path: np.random.default_rng(path), START_MS, incidents=0, outages=0, faults=0
    )
    day = next(simulated)
    state = {"load": 0.5, "flow": 0.5, "speed_kmh": 30.0, "no2": 40.0, "pm25": 20.0, "temperature_c": 10.0}
    return dataclasses.replace(
        day,
        conditions={name: np.full((4, 288), value) for name, value in state.items()},
        power=np.full((4, 288), 0.4),
        faults={**day.faults, **faults},
    )


def faulty(sensor: int, fault: str, from_h: float, to_h: float, rate: float = np.nan) -> Day:
    columns = {"fault": np.full(len(CITY), -1), "from_ms": np.zeros(len(CITY), int), "to_ms": np.zeros(len(CITY), int)}
    columns["drift_per_hour"] = np.full(len(CITY), np.nan)
    values = (FAULTS.index(fault), START_MS + from_h * HOUR_MS, START_MS + to_h * HOUR_MS, rate)
    for name, value in zip(columns, values, strict=True):
        columns[name][sensor] = value
    return a_day(**columns)


def read(kind: int, day: Day, *hours: int) -> Columns:
    """Read a day, cut at these hours."""
    group, rng = SensorGroup(CITY, kind, START_MS), np.random.default_rng(5)
    cuts = [START_MS + hour * HOUR_MS for hour in (0, *hours, 24)]
    parts = [group.read(rng, day, begin, end) for begin, end in itertools.pairwise(cuts)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def site(readings: Columns) -> Array:
    return CITY.site[readings["sensor_id"]]


def test_each_sensor_reads_at_its_own_phase_of_every_interval() -> None:
    readings = read(AIR, a_day(), 7)
    for sensor in np.flatnonzero(CITY.kind == AIR):
        measured = np.sort(readings["measured_ms"][readings["sensor_id"] == sensor])
        assert (measured == START_MS + CITY.phase_ms[sensor] + np.arange(1440) * 60_000).all()


def test_vehicles_are_poisson_counts() -> None:
    readings = read(TRAFFIC, a_day())
    mean = 0.5 * 900 / 60 * CITY.lanes[readings["sensor_id"]] * site(readings)
    ratio = (readings["vehicles"] - mean) / np.sqrt(mean)
    looks = len(ratio)
    assert looks == 40 * 1440
    assert ratio.mean() == pytest.approx(0, abs=4 / looks**0.5)
    assert ratio.var() == pytest.approx(1, abs=4 * (2 / looks) ** 0.5 * 1.1)
    assert readings["vehicles"].min() == 0


def test_speed_and_occupancy() -> None:
    readings = read(TRAFFIC, a_day())
    assert readings["speed_kmh"].mean() == pytest.approx(30, abs=4 * 1.8 / 240)
    assert readings["speed_kmh"].std() == pytest.approx(1.8, rel=0.02)
    flow = readings["vehicles"] * 60 / CITY.lanes[readings["sensor_id"]]
    assert readings["occupancy_pct"] == pytest.approx(100 * flow * 0.0065 / readings["speed_kmh"], abs=0.051)


def test_air() -> None:
    readings = read(AIR, a_day())
    for name, level in (("no2", 40), ("pm25", 20)):
        ratio = readings[name] / level / site(readings)
        assert ratio.mean() == pytest.approx(1, abs=4 * 0.05 / 240)
        assert ratio.std() == pytest.approx(0.05, rel=0.02)
    assert readings["temperature_c"].mean() == pytest.approx(10, abs=4 * 0.2 / 240)
    assert readings["temperature_c"].std() == pytest.approx(0.2, rel=0.05)
    assert 0.8 <= CITY.site.min() < CITY.site.max() <= 1.2


def test_energy_and_waste() -> None:
    readings = read(ENERGY, a_day())
    sensor = readings["sensor_id"]
    wasteful = CITY.wasteful[sensor]
    share = readings["energy_kwh"] * 60 / CITY.rated_kw[sensor] / site(readings)
    assert share[~wasteful].mean() == pytest.approx(0.4, rel=0.002)
    assert share[wasteful].mean() == pytest.approx(0.7, rel=0.002)
    assert (share / np.where(wasteful, 0.7, 0.4)).std() == pytest.approx(0.05, rel=0.05)
    assert (readings["peak_kw"] > readings["energy_kwh"] * 60).all()


def test_a_reading_shows_its_district_at_its_moment() -> None:
    day = a_day()
    day.conditions["temperature_c"][2, 100:] = 25.0
    readings = read(AIR, day)
    hot = readings["temperature_c"] > 17
    place = CITY.district[readings["sensor_id"]] == 2
    assert (hot == (place & (readings["measured_ms"] >= START_MS + 100 * 300_000))).all()


@pytest.mark.parametrize("kind", [TRAFFIC, AIR, ENERGY])
@pytest.mark.parametrize("cuts", [(), (8,), (6, 7, 11)], ids=str)
def test_a_stuck_sensor_repeats_one_reading_until_it_is_repaired(kind: int, cuts: tuple[int, ...]) -> None:
    sensor = int(np.flatnonzero(CITY.kind == kind)[3])
    readings = read(kind, faulty(sensor, "stuck", 5, 13), *cuts)
    stuck = readings["fault"] == FAULTS.index("stuck")
    inside = (readings["measured_ms"] >= START_MS + 5 * HOUR_MS) & (readings["measured_ms"] < START_MS + 13 * HOUR_MS)
    assert (stuck == (inside & (readings["sensor_id"] == sensor))).all()
    assert stuck.sum() == 8 * 60
    for name in set(readings) - {"sensor_id", "measured_ms", "fault"}:
        assert len(np.unique(readings[name][stuck])) == 1
        healthy = readings[name][~stuck & (readings["sensor_id"] == sensor)]
        assert len(np.unique(healthy)) > 5


def test_a_sensor_stuck_again_repeats_another_reading() -> None:
    sensor = int(np.flatnonzero(CITY.kind == ENERGY)[0])
    group, rng = SensorGroup(CITY, ENERGY, START_MS), np.random.default_rng(5)
    first = faulty(sensor, "stuck", 5, 13)
    later = {name: first.faults[name] + DAY_MS for name in ("from_ms", "to_ms")}
    second = dataclasses.replace(first, begin_ms=START_MS + DAY_MS, faults={**first.faults, **later})
    days = [group.read(rng, day, day.begin_ms, day.begin_ms + DAY_MS) for day in (first, second)]
    held = [np.unique(day["energy_kwh"][day["fault"] == FAULTS.index("stuck")]) for day in days]
    assert [len(values) for values in held] == [1, 1]
    assert held[0] != held[1]


@pytest.mark.parametrize(("kind", "name"), [(TRAFFIC, "vehicles"), (AIR, "no2"), (AIR, "pm25"), (ENERGY, "peak_kw")])
@pytest.mark.parametrize("rate", [0.2, -0.2])
def test_a_drift_grows_by_the_hour(kind: int, name: str, rate: float) -> None:
    sensor = int(np.flatnonzero(CITY.kind == kind)[1])
    readings = read(kind, faulty(sensor, "drift", 5, 15, rate), 9)
    own = {column: values[readings["sensor_id"] == sensor] for column, values in readings.items()}
    hours = (own["measured_ms"] - START_MS) / HOUR_MS
    usual = own[name][own["fault"] == -1].mean()
    for hour in (6, 10, 14):
        near = (hours > hour - 0.5) & (hours < hour + 0.5)
        assert (own["fault"][near] == FAULTS.index("drift")).all()
        grown = (1 + 0.2 * (hour - 5)) ** np.sign(rate)
        error = own[name][near].std() / near.sum() ** 0.5
        assert own[name][near].mean() == pytest.approx(usual * grown, abs=5 * error + 0.01 * usual)


def test_a_drift_leaves_what_is_not_counted() -> None:
    sensor = int(np.flatnonzero(CITY.kind == TRAFFIC)[1])
    readings = read(TRAFFIC, faulty(sensor, "drift", 5, 15, 0.3))
    drifting = readings["fault"] >= 0
    assert readings["speed_kmh"][drifting].mean() == pytest.approx(30, abs=4 * 1.8 / 600**0.5)


def test_a_dead_sensor_sends_nothing() -> None:
    sensor = int(np.flatnonzero(CITY.kind == TRAFFIC)[2])
    readings = read(TRAFFIC, faulty(sensor, "dead", 5, 15), 9)
    hours = (readings["measured_ms"][readings["sensor_id"] == sensor] - START_MS) / HOUR_MS
    assert not ((hours >= 5) & (hours < 15)).any()
    assert len(hours) == 14 * 60
    assert len(readings["measured_ms"]) == 40 * 1440 - 600
