from __future__ import annotations

import numpy as np
import pytest

from kafkalab.simulation.city_map import AIR_LIMITS, BUILDINGS, DISTRICTS, SENSOR_KINDS, SensorMap, place_sensors


def sensors(districts: int = 16, per_district: tuple[int, int, int] = (5, 2, 30)) -> SensorMap:
    return place_sensors(np.random.default_rng(1), districts, per_district, (60, 120, 300))


def test_each_district_has_its_sensors_and_each_sensor_a_name_of_its_own() -> None:
    table = sensors().frame()
    counts = table.groupby(["kind", "district"], observed=True).size().unstack()
    assert {kind: set(counts.loc[kind]) for kind in SENSOR_KINDS} == {"traffic": {5}, "air": {2}, "energy": {30}}
    assert table["sensor_id"].is_unique
    assert table["sensor_id"][0] == "traffic-old-town-01"
    assert table.groupby("kind", observed=True)["every_s"].unique().map(list).to_dict() == {
        "traffic": [60],
        "air": [120],
        "energy": [300],
    }


def test_sensors_stand_around_the_centre_of_their_district() -> None:
    city = sensors()
    table = city.frame().merge(city.district_frame(), on="district", suffixes=("", "_centre"))
    for axis in ("x_km", "y_km"):
        away = (table[axis] - table[f"{axis}_centre"]).abs()
        assert away.max() <= 0.6
        assert 0.25 < away.mean() < 0.35


def test_only_what_a_kind_of_sensor_has_is_told_of_it() -> None:
    table = sensors().frame()
    energy = table["kind"] == "energy"
    assert (table["building"].notna() == energy).all()
    assert (table["rated_kw"].notna() == energy).all()
    assert (table["lanes"].notna() == (table["kind"] == "traffic")).all()
    assert set(table["lanes"].dropna()) == {1, 2, 3}
    assert set(table["building"].dropna()) == set(BUILDINGS)
    assert not table.loc[~energy, "wasteful"].any()
    # 480 meters: three standard errors.
    assert table.loc[energy, "wasteful"].mean() == pytest.approx(0.15, abs=3 * (0.15 * 0.85 / 480) ** 0.5)


def test_a_phase_lies_within_the_interval() -> None:
    city = sensors()
    assert (city.phase_ms >= 0).all()
    assert (city.phase_ms < city.every_ms).all()
    assert len(np.unique(city.phase_ms)) > 0.9 * len(city)


def test_districts_do_not_lie_upon_each_other() -> None:
    places = np.array([(district.x_km, district.y_km) for district in DISTRICTS])
    apart = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    assert apart[~np.eye(len(places), dtype=bool)].min() > 1
    assert len({district.name for district in DISTRICTS}) == len(DISTRICTS) == 16
    # The smallest cities that can be compared have a district of each role.
    assert {district.role.name for district in DISTRICTS[:6]} == {"centre", "residential", "industrial", "green"}


def test_the_limits_are_those_of_the_law() -> None:
    limits = AIR_LIMITS.set_index(["source", "pollutant", "mean_over"])["limit"]
    assert limits["EU", "no2", "hour"] == 200
    assert limits["EU 2030", "pm25", "day"] == 25
    assert limits["EU 2030", "no2", "day"] == 50
    assert limits["WHO", "pm25", "day"] == 15
    assert limits.index.is_unique
    assert set(AIR_LIMITS["pollutant"]) == {"no2", "pm25"}
