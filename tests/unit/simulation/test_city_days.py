from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from kafkalab.simulation.city_days import DAY_MS, FAULTS, INCIDENTS, STEP_MS, Day, simulate_days
from kafkalab.simulation.city_map import BUILDINGS, SensorMap, place_sensors

HOUR_MS = 3_600_000
START_MS = 1_735_689_600_000  # 1 January 2025, a Wednesday
YEAR = 365
Array = npt.NDArray[Any]
CITY: SensorMap = place_sensors(np.random.default_rng(0), 6, (10, 5, 5), (60, 60, 60))
ROLES = [district.role.name for district in CITY.districts]


def days(count: int, **chances: float) -> list[Day]:
    usual = {"incidents": 6.0, "outages": 3.0, "faults": 0.1}
    simulated = simulate_days(CITY, lambda *path: np.random.default_rng([7, *path]), START_MS, **{**usual, **chances})
    return list(itertools.islice(simulated, count))


@pytest.fixture(scope="module")
def year() -> list[Day]:
    return days(YEAR)


def weather(year: list[Day], name: str) -> Array:
    return np.stack([day.weather[name] for day in year])


def condition(year: list[Day], name: str) -> Array:
    """Shape (districts, days, steps)."""
    return np.stack([day.conditions[name] for day in year], axis=1)


def happened(year: list[Day], table: str, name: str) -> Array:
    return np.concatenate([getattr(day, table)[name] for day in year])


def is_weekend() -> Array:
    return (np.arange(YEAR) + 2) % 7 >= 5


def step(hour: float) -> int:
    return int(hour * HOUR_MS / STEP_MS)


def test_it_rains_one_eighth_of_the_time(year: list[Day]) -> None:
    # Rain that lasts four hours makes a year worth some 1100 independent looks; four standard errors.
    assert weather(year, "rain").mean() == pytest.approx(0.125, abs=4 * (0.125 * 0.875 / 1100) ** 0.5)


def test_wind_is_lognormal_of_mean_3(year: list[Day]) -> None:
    logs = np.log(weather(year, "wind_ms"))
    looks = YEAR * 24 / 16  # time constant of eight hours, counted twice
    assert weather(year, "wind_ms").mean() == pytest.approx(3, abs=4 * 1.6 / looks**0.5)
    assert logs.std() == pytest.approx(0.5, abs=4 * 0.5 / (2 * looks) ** 0.5)
    assert abs(((logs - logs.mean()) ** 3).mean() / logs.std() ** 3) < 0.5


def test_temperature_has_seasons_and_days(year: list[Day]) -> None:
    temperature = weather(year, "temperature_c")
    assert (temperature[:, step(15)] - temperature[:, step(3)]).mean() == pytest.approx(8, abs=0.6)
    # A month is worth some six independent looks at a wander of 3 degrees.
    assert temperature[181:212].mean() - temperature[0:31].mean() == pytest.approx(17.5, abs=4 * 3 * (2 / 6) ** 0.5)


def test_one_day_goes_on_where_the_other_ended(year: list[Day]) -> None:
    temperature = weather(year, "temperature_c")
    over_midnight = temperature[1:, 0] - temperature[:-1, -1]
    assert over_midnight.std() == pytest.approx(np.diff(temperature, axis=1).std(), rel=0.3)
    assert [day.begin_ms for day in year[:3]] == [START_MS, START_MS + DAY_MS, START_MS + 2 * DAY_MS]
    assert (year[0].weather["time_ms"] == START_MS + np.arange(288) * STEP_MS).all()


def test_working_days_have_rush_hours_and_weekends_a_long_afternoon(year: list[Day]) -> None:
    load = condition(year, "load")[0]
    working, weekend = load[~is_weekend()].mean(axis=0), load[is_weekend()].mean(axis=0)
    top = np.argmax(working[: step(12)]), step(12) + np.argmax(working[step(12) :]), np.argmax(weekend)
    assert np.array(top) * STEP_MS / HOUR_MS == pytest.approx([8, 17.5, 14], abs=0.5)
    assert working[step(8)] > 8 * working[step(3)]
    assert working[step(8)] > 5 * weekend[step(8)]


def test_roles_differ_in_traffic(year: list[Day]) -> None:
    load = condition(year, "load")
    working, weekend = load[:, ~is_weekend()].mean(axis=(1, 2)), load[:, is_weekend()].mean(axis=(1, 2))
    by_role = dict(zip(ROLES, working, strict=True))
    assert by_role["centre"] > by_role["industrial"] > by_role["residential"] > by_role["green"]
    share = dict(zip(ROLES, weekend / working, strict=True))
    assert share["industrial"] == pytest.approx(share["green"] * 0.4, rel=0.02)


def test_load_wanders_by_a_tenth_over_half_an_hour(year: list[Day]) -> None:
    logs = np.log(condition(year, "load")[0][~is_weekend()])
    wander = logs - logs.mean(axis=0)
    assert wander.std() == pytest.approx(0.1, rel=0.03)
    half_an_hour = (wander[:, 6:] * wander[:, :-6]).mean() / wander.var()
    assert half_an_hour == pytest.approx(np.exp(-1), abs=0.03)


def test_travel_time_doubles_at_capacity(year: list[Day]) -> None:
    dry = ~weather(year, "rain")
    loads, speeds, flows = (condition(year, name) for name in ("load", "speed_kmh", "flow"))
    full_looks = 0
    for district, load, speed, flow in zip(CITY.districts, loads, speeds, flows, strict=True):
        usual = dry & (flow == load)
        empty, full = usual & (load < 0.1), usual & (load > 0.98)
        assert np.abs(speed[empty] / district.role.free_kmh - 1).max() < 0.11  # an incident may halve the capacity
        assert np.abs(speed[full] / district.role.free_kmh - 0.5).max(initial=0) < 0.03
        full_looks += full.sum()
    assert full_looks > 100
    centre = dry & (np.abs(loads[0] - 0.7) < 0.005)
    assert np.median(speeds[0][centre]) == pytest.approx(40 / (1 + 0.7**4), rel=0.01)
    assert (flows <= np.minimum(loads, 1)).all()


def test_rain_takes_capacity_and_speed(year: list[Day]) -> None:
    rain, flow, speed = weather(year, "rain"), condition(year, "flow"), condition(year, "speed_kmh")
    assert flow[:, rain].max() == pytest.approx(0.9)
    assert flow[:, ~rain].max() == pytest.approx(1)
    assert speed[:, rain].max(axis=1) == pytest.approx(0.95 * speed[:, ~rain].max(axis=1), rel=1e-3)


def test_an_incident_leaves_a_part_of_the_capacity(year: list[Day]) -> None:
    for day in year[:60]:
        for place, begin, end, left in _spans(day):
            span = slice((begin - day.begin_ms) // STEP_MS, (end - day.begin_ms) // STEP_MS)
            assert (day.conditions["flow"][place, span] <= left + 1e-9).all()
    calm = days(60, incidents=0)
    assert condition(calm, "load") == pytest.approx(condition(year[:60], "load"))
    slower = condition(year[:60], "speed_kmh") / condition(calm, "speed_kmh")
    assert slower.max() == pytest.approx(1)
    assert slower.min() < 0.4


def _spans(day: Day) -> list[tuple[int, int, int, float]]:
    names = ("district", "from_ms", "to_ms", "capacity_left")
    return list(zip(*(day.incidents[name].tolist() for name in names), strict=True))


def test_incidents_follow_the_traffic(year: list[Day]) -> None:
    begin, end = happened(year, "incidents", "from_ms"), happened(year, "incidents", "to_ms")
    assert len(begin) == pytest.approx(6 * YEAR, abs=4 * (6 * YEAR) ** 0.5)
    minutes = (end - begin) / 60_000
    assert (minutes.min(), minutes.max()) == (20, 90)
    hour = begin % DAY_MS / HOUR_MS
    night, rush = (hour < 4).mean() / 4, ((hour >= 16) & (hour < 19)).mean() / 3
    assert rush > 6 * night
    left = happened(year, "incidents", "capacity_left")
    assert (left == np.array(list(INCIDENTS.values()))[happened(year, "incidents", "kind")]).all()
    assert np.bincount(happened(year, "incidents", "kind")) == pytest.approx(len(begin) / 3, rel=0.15)


def test_air_is_worse_without_wind_and_where_traffic_stands(year: list[Day]) -> None:
    centre, green = ROLES.index("centre"), ROLES.index("green")
    no2, load = condition(year, "no2"), condition(year, "load")[centre]
    wind = weather(year, "wind_ms")[:, step(8)]
    assert np.corrcoef(np.log(wind), np.log(no2[centre, :, step(8)]))[0, 1] < -0.4
    assert np.corrcoef(load.ravel(), no2[centre].ravel())[0, 1] > 0.5
    assert no2[centre].mean() > 2 * no2[green].mean()
    assert no2.min() > 8
    jam = condition(year[:60], "no2") / condition(days(60, incidents=0), "no2")
    assert jam.max() > 1.2


def test_air_wanders_by_an_eighth_from_place_to_place(year: list[Day]) -> None:
    one, other = (place for place, role in enumerate(ROLES) if role == "centre")
    load, no2 = condition(year, "load"), condition(year, "no2") - 8
    empty = (load[[one, other]] < 0.1).all(axis=0)
    apart = np.log(no2[one] / no2[other]) - np.log(load[one] / load[other])
    assert apart[empty].std() == pytest.approx(0.12 * 2**0.5, rel=0.05)


def test_the_law_is_broken_now_and_then(year: list[Day]) -> None:
    centre, plants = ROLES.index("centre"), ROLES.index("industrial")
    assert 0.02 < (condition(year, "no2")[centre].mean(axis=1) > 50).mean() < 0.3
    assert 0.02 < (condition(year, "pm25")[plants].mean(axis=1) > 25).mean() < 0.4
    hourly = condition(year, "no2")[centre].reshape(YEAR, 24, 12).mean(axis=2)
    assert 0 < (hourly > 200).mean() < 0.01


def test_heating_and_industry_make_dust_and_rain_takes_it(year: list[Day]) -> None:
    pm25, rain = condition(year, "pm25"), weather(year, "rain")
    homes, plants, green = (ROLES.index(role) for role in ("residential", "industrial", "green"))
    evening = slice(step(19), step(22))
    assert pm25[homes, :59, evening].mean() > 1.5 * pm25[homes, 150:240, evening].mean()
    assert pm25[plants].mean() > 1.5 * pm25[green].mean()
    assert pm25[:, rain].mean() == pytest.approx(0.7 * pm25[:, ~rain].mean(), rel=0.1)


def test_power_has_the_rhythm_of_each_building(year: list[Day]) -> None:
    power = dict(zip(BUILDINGS, np.stack([day.power for day in year], axis=1), strict=True))
    homes, offices, industry, lights = (power[building] for building in BUILDINGS)
    assert homes[:, step(19.5)].mean() > 2 * homes[:, step(3)].mean()
    assert homes[:59].mean() > 1.15 * homes[180:240].mean()
    assert offices[~is_weekend(), step(12)].mean() > 3 * offices[is_weekend(), step(12)].mean()
    hot, noon = weather(year, "temperature_c")[:, step(15)] > 24, offices[:, step(15)]
    assert hot.sum() > 10
    assert (noon[hot & ~is_weekend()] > 0.8 * 1.06 - 1e-9).all()
    assert industry[~is_weekend(), step(20)].mean() == pytest.approx(0.9)
    burning = (lights == 1).mean(axis=1) * 24
    assert (burning[354], burning[171]) == (pytest.approx(16, abs=0.2), pytest.approx(8, abs=0.2))


def test_outages(year: list[Day]) -> None:
    begin, end = happened(year, "outages", "from_ms"), happened(year, "outages", "to_ms")
    assert len(begin) == pytest.approx(3 * YEAR, abs=4 * (3 * YEAR) ** 0.5)
    minutes = (end - begin) / 60_000
    assert 5 <= minutes.min() < 5.5
    assert 19.5 < minutes.max() <= 20
    assert all((np.diff(day.outages["from_ms"]) >= 0).all() for day in year)
    # Some seconds remain of the day, to send what was kept.
    ends = (happened(days(100, outages=100), "outages", "to_ms") - START_MS) % DAY_MS
    assert DAY_MS - 300_000 < ends.max() < DAY_MS - 60_000


def test_faults(year: list[Day]) -> None:
    fault = happened(year, "faults", "fault")
    looks = YEAR * len(CITY)
    assert (fault >= 0).mean() == pytest.approx(0.1, abs=4 * (0.1 * 0.9 / looks) ** 0.5)
    assert np.bincount(fault[fault >= 0]) / (fault >= 0).sum() == pytest.approx([1 / 3] * 3, abs=0.03)
    begin, end = happened(year, "faults", "from_ms"), happened(year, "faults", "to_ms")
    assert ((end - begin).min() // HOUR_MS, (end - begin).max() // HOUR_MS) == (2, 9)
    assert (begin // DAY_MS == (end - 1) // DAY_MS).all()
    drift = happened(year, "faults", "drift_per_hour")
    assert (np.isnan(drift) == (fault != FAULTS.index("drift"))).all()
    rates = drift[~np.isnan(drift)]
    assert (np.abs(rates).min(), np.abs(rates).max()) == (0.1, 0.3)
    assert (rates > 0).mean() == pytest.approx(0.5, abs=4 * 0.5 / len(rates) ** 0.5)


def test_chances_can_be_shut_off() -> None:
    (day,) = days(1, incidents=0, outages=0, faults=0)
    assert (len(day.incidents["kind"]), len(day.outages["from_ms"]), day.faults["fault"].max()) == (0, 0, -1)
    (day,) = days(1, faults=1)
    assert day.faults["fault"].min() == 0
