from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import orjson
import pandas as pd
import pytest

from kafkalab.errors import InvalidArgument
from kafkalab.simulation.city import City
from kafkalab.simulation.city_days import Day
from kafkalab.simulation.source import Block, Source

N = 400_000  # some two and a quarter days
DAYS = 4
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def city() -> City:
    return City(seed=5)


@pytest.fixture(scope="module")
def sent(city: City) -> pd.DataFrame:
    """The first records and the truth of them."""
    return pd.concat([city.frame(N), city.truth(N)], axis=1)


def test_a_city_is_a_source() -> None:
    assert issubclass(City, Source)
    assert repr(City(seed=2)) == "City(seed=2, start='2025-03-03T06:00:00+00:00')"
    assert {name: plan.partitions for name, plan in City.topics.items()} == {
        "traffic-flow": 6,
        "air-quality": 3,
        "energy-usage": 3,
    }


def test_records_are_the_rows_of_the_frame(city: City) -> None:
    frame = city.frame(20_000)
    numbers = set()
    for record, row in zip(city.records(20_000), frame.to_dict("records"), strict=True):
        numbers.add(record.topic)
        value = orjson.loads(record.value)
        assert tuple(value) == City.topics[record.topic].fields
        assert value == {name: row[name] for name in value}
        assert (record.topic, record.timestamp_ms) == (row["topic"], row["timestamp_ms"])
        assert record.key == row["sensor_id"].encode()
    assert numbers == set(City.topics)


def test_a_column_is_missing_exactly_where_its_topic_has_it_not(sent: pd.DataFrame) -> None:
    for topic, rows in sent.groupby("topic", observed=True):
        for name in City(1).kinds:
            assert rows[name].notna().all() if name in City.topics[str(topic)].fields else rows[name].isna().all()
    dtypes = sent.dtypes.astype(str).to_dict()
    assert (dtypes["vehicles"], dtypes["pm25"], dtypes["measured_ms"]) == ("Int64", "float64", "int64")


def test_the_first_records_do_not_depend_on_how_many_are_asked_for(city: City, sent: pd.DataFrame) -> None:
    first = pd.concat([city.frame(70_000), city.truth(70_000)], axis=1)
    pd.testing.assert_frame_equal(first, sent.head(70_000))
    assert list(city.records(50)) == list(itertools.islice(city.records(5000), 50))


def test_a_seed_decides() -> None:
    assert list(City(3).records(3000)) == list(City(3).records(3000)) != list(City(4).records(3000))
    assert not City(3).sensors.equals(City(4).sensors)
    assert not City(3).weather().equals(City(4).weather())


def test_records_come_in_the_order_of_sending(city: City, sent: pd.DataFrame) -> None:
    assert (sent["timestamp_ms"].diff().dropna() >= 0).all()
    assert (sent["timestamp_ms"] > sent["measured_ms"]).all()
    assert sent["measured_ms"].min() >= city.start_ms
    assert sent["timestamp_ms"].iloc[0] < city.start_ms + 60_000


def test_values_can_be_true(sent: pd.DataFrame) -> None:
    assert (sent["vehicles"].dropna() >= 0).all()
    assert sent["speed_kmh"].between(1, 90)[sent["speed_kmh"].notna()].all()
    assert sent["occupancy_pct"].between(0, 100)[sent["occupancy_pct"].notna()].all()
    assert (sent[["pm25", "no2", "energy_kwh", "peak_kw"]].min() > 0).all()
    decimals = {"speed_kmh": 1, "occupancy_pct": 1, "pm25": 1, "no2": 1, "energy_kwh": 3, "peak_kw": 2}
    for name, places in decimals.items():
        assert (sent[name] == sent[name].round(places))[sent[name].notna()].all()


def test_sensors_stand_in_the_district_that_they_name(city: City, sent: pd.DataFrame) -> None:
    table = city.sensors.set_index("sensor_id")
    first = sent.drop_duplicates("sensor_id").set_index("sensor_id")
    assert len(first) == len(table) == 12 * (8 + 3 + 4)
    assert (first["district"].astype(str) == table["district"].astype(str).reindex(first.index)).all()
    kind = first["topic"].astype(str).str.split("-").str[0]
    assert (kind == table["kind"].astype(str).reindex(first.index)).all()
    assert list(city.districts["district"]) == list(sent["district"].cat.categories)


def test_the_table_of_faults_tells_which_readings_are_faulty(city: City, sent: pd.DataFrame) -> None:
    faults = city.faults(DAYS)
    marked = pd.Series("", index=sent.index)
    for name, fault, begin, end in faults.iloc[:, :4].to_numpy().tolist():
        span = sent["measured_ms"].between(begin, end, inclusive="left")
        marked[span & (sent["sensor_id"] == name)] = fault
    assert (marked == sent["fault"].astype(object).fillna("")).all()
    assert set(faults["fault"]) == {"stuck", "drift", "dead"}
    assert set(marked) == {"", "stuck", "drift"}  # the dead say nothing
    # 180 sensors on four days: four standard errors.
    assert len(faults) == pytest.approx(72, abs=4 * (720 * 0.1 * 0.9) ** 0.5)


def test_only_the_dead_are_silent(city: City, sent: pd.DataFrame) -> None:
    sensors = city.sensors.set_index("sensor_id")
    faults = city.faults(DAYS)
    last_ms = sent["timestamp_ms"].iloc[-1] - 2 * HOUR_MS
    readings = sent[~sent["duplicate"] & (sent["measured_ms"] < last_ms)].groupby("sensor_id", observed=True).size()
    for name, every_s in sensors["every_s"].items():
        dead = faults[(faults["sensor_id"] == name) & (faults["fault"] == "dead")]
        silent_ms = (dead["to_ms"].clip(upper=last_ms) - dead["from_ms"].clip(upper=last_ms)).sum()
        assert readings[name] == pytest.approx(
            (last_ms - city.start_ms - silent_ms) / 1000 / every_s, abs=1 + len(dead)
        )


def test_late_duplicate_and_overtaken_readings(city: City, sent: pd.DataFrame) -> None:
    assert (sent["late"] == (sent["timestamp_ms"] - sent["measured_ms"] > 60_000)).all()
    assert (sent["duplicate"] == sent.duplicated(["sensor_id", "measured_ms"])).all()
    newest = sent.groupby("sensor_id", observed=True)["measured_ms"].cummax()
    assert (sent["out_of_order"] == (sent["measured_ms"] < newest)).all()
    assert sent["duplicate"].mean() == pytest.approx(0.01 / 1.01, abs=4 * (0.01 / N) ** 0.5)
    twice = sent[sent.duplicated(["sensor_id", "measured_ms"], keep=False)]
    values = ["sensor_id", "measured_ms", *City.topics["air-quality"].fields[3:]]
    air = twice[twice["topic"] == "air-quality"]
    assert len(air) > 500
    assert len(air.drop_duplicates(values)) == len(air) / 2


def test_outages_are_seen_in_the_stream(city: City, sent: pd.DataFrame) -> None:
    outages = city.outages(2)
    assert len(outages) > 1
    for district, begin, end in outages.to_numpy().tolist():
        silent = sent["timestamp_ms"].between(begin, end, inclusive="left")
        assert not (silent & (sent["district"] == district)).any()
        assert (silent & (sent["district"] != district)).sum() > 300
    quiet = City(5, outages_per_day=0)
    late = quiet.truth(N)["late"].mean()
    assert late == pytest.approx(0.02, abs=4 * (0.02 / N) ** 0.5)
    assert sent["late"].mean() > late


def test_healthy_sensors_show_the_conditions(city: City, sent: pd.DataFrame) -> None:
    truth = city.conditions(DAYS)
    healthy = sent[sent["fault"].isna() & ~sent["duplicate"]]
    healthy = healthy.assign(time_ms=healthy["measured_ms"] // 300_000 * 300_000)
    shown = healthy.groupby(["time_ms", "district"], observed=True)[["speed_kmh", "no2", "temperature_c"]].mean()
    both = shown.reset_index().merge(truth, on=["time_ms", "district"], suffixes=("", "_true")).dropna()
    assert len(both) > 5000
    for name, noise in (("speed_kmh", 0.02), ("no2", 0.25)):
        assert (both[name] / both[f"{name}_true"]).mean() == pytest.approx(1, abs=0.05)
        assert (both[name] / both[f"{name}_true"]).std() < noise
    assert (both["temperature_c"] - both["temperature_c_true"]).abs().mean() < 0.2


def test_tables_of_more_days_begin_with_those_of_fewer(city: City) -> None:
    for table in (city.weather, city.conditions, city.incidents, city.outages, city.faults):
        few, many = table(1), table(3)
        pd.testing.assert_frame_equal(few, many.head(len(few)))
        assert len(many) > len(few) > 0
    assert len(city.weather(2)) == 2 * 288
    assert len(city.conditions()) == 288 * 12
    assert city.conditions()["time_ms"].is_monotonic_increasing
    assert list(city.incidents().columns) == ["district", "kind", "from_ms", "to_ms", "capacity_left"]
    assert list(city.faults().columns) == ["sensor_id", "fault", "from_ms", "to_ms", "drift_per_hour"]


def test_one_blocks_noise_is_not_the_others() -> None:
    # So many sensors that each block is one stretch of five minutes.
    sensors = partial(City, districts=16, traffic_sensors=0, air_sensors=500, energy_sensors=0, air_every_s=60)
    large = sensors(fault_share=0, late_share=0, duplicate_share=0, outages_per_day=0)
    frame = large.frame(81_000)
    frame = frame[frame["measured_ms"] < large.start_ms + 600_000].sort_values(["sensor_id", "measured_ms"])
    way = (frame["timestamp_ms"] - frame["measured_ms"]).to_numpy()
    first, second = np.split(way.reshape(8000, 10), 2, axis=1)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 4 / first.size**0.5


def test_a_clean_city() -> None:
    clean = City(fault_share=0, late_share=0, duplicate_share=0, outages_per_day=0, incidents_per_day=0)
    truth = clean.truth(50_000)
    assert truth["fault"].isna().all()
    assert not truth[["late", "duplicate", "out_of_order"]].to_numpy().any()
    assert clean.incidents(5).empty
    assert clean.outages(5).empty
    assert clean.faults(5).dtypes.equals(City().faults(5).dtypes)


@pytest.mark.parametrize(
    ("make", "topics"),
    [
        (lambda: City(districts=1, traffic_sensors=1, air_sensors=0, energy_sensors=0, traffic_every_s=3600), [0]),
        (lambda: City(districts=16, traffic_sensors=0, air_sensors=500, air_every_s=45), [1, 2]),
        (lambda: City(traffic_every_s=1, energy_every_s=7200 // 2), [0, 1, 2]),
        (lambda: City(start="2020-02-29T23:59:37.123Z", fault_share=1), [0, 1, 2]),
    ],
)
def test_small_large_quick_and_slow_cities(make: Callable[[], City], topics: list[int]) -> None:
    city = make()
    n = 300 if len(city.sensors) == 1 else 150_000
    frame = city.frame(n)
    assert sorted(frame["topic"].cat.codes.unique()) == topics
    assert (frame["timestamp_ms"].diff().dropna() >= 0).all()
    assert frame["measured_ms"].min() >= city.start_ms
    times = frame[["sensor_id", "measured_ms"]].drop_duplicates().sort_values(["sensor_id", "measured_ms"])
    gaps = times.groupby("sensor_id", observed=True)["measured_ms"].diff()
    every_s = (gaps.groupby(times["sensor_id"], observed=True).min() / 1000).dropna()
    assert len(every_s) > 0.5 * len(city.sensors)
    assert (every_s == city.sensors.set_index("sensor_id")["every_s"].reindex(every_s.index)).mean() > 0.9


def test_blocks_are_small_at_first_and_never_large(city: City) -> None:
    sizes = [len(block) for block in itertools.islice(city._blocks(), 30)]
    assert sizes[0] < 2000
    assert 20_000 < max(sizes) < 100_000


def test_a_few_records_cost_one_day_and_one_small_block() -> None:
    days, sizes = [], []

    class Watched(City):
        def _days(self) -> Iterator[Day]:
            for day in super()._days():
                days.append(day)
                yield day

        def _blocks(self) -> Iterator[Block]:
            for block in super()._blocks():
                sizes.append(len(block))
                yield block

    assert len(list(Watched(9).records(10))) == 10
    assert (len(days), len(sizes)) == (1, 1)
    assert sizes[0] < 2000


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"districts": 0}, "districts=0 is not possible: give a whole number from 1 to 16"),
        ({"districts": 17}, "from 1 to 16"),
        ({"districts": 2.0}, "districts=2.0"),
        ({"traffic_sensors": -1}, "traffic_sensors=-1 is not possible: give a whole number from 0 to 500"),
        ({"air_sensors": 501}, "air_sensors=501"),
        ({"energy_sensors": True}, "energy_sensors=True"),
        ({"traffic_sensors": 0, "air_sensors": 0, "energy_sensors": 0}, "without sensors"),
        ({"traffic_every_s": 7}, "traffic_every_s=7 is not possible: give seconds that divide an hour"),
        ({"air_every_s": 0}, "air_every_s=0"),
        ({"energy_every_s": 7200}, "energy_every_s=7200"),
        ({"incidents_per_day": -0.1}, "incidents_per_day=-0.1 is not possible: give a number from 0 to 1,000"),
        ({"outages_per_day": 101}, "outages_per_day=101"),
        ({"fault_share": 1.1}, "fault_share=1.1 is not possible: give a number from 0 to 1"),
        ({"late_share": "many"}, "late_share='many'"),
        ({"duplicate_share": float("nan")}, "duplicate_share=nan"),
    ],
)
def test_arguments_that_cannot_be(wrong: dict[str, object], why: str) -> None:
    with pytest.raises(InvalidArgument, match=why):
        City(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("days", [0, -1, 1.5, True, "two", 3661])
def test_numbers_of_days_that_cannot_be(city: City, days: object) -> None:
    for table in (city.weather, city.conditions, city.incidents, city.outages, city.faults):
        with pytest.raises(InvalidArgument, match=r"days=.* is not possible: give a whole number from 1 to 3,660"):
            table(days)  # type: ignore[arg-type]
