from __future__ import annotations

from typing import Any

import pytest

from kafkalab.apps import Output, as_frame
from kafkalab.apps.city import Advice, Breach, EnvironmentalAgency, TooLate
from kafkalab.simulation.city import AIR_LIMITS
from tests.unit.apps.city.conftest import CITY, N, records
from tests.unit.apps.conftest import run

HOUR = 3_600_000
DAY = 24 * HOUR


@pytest.fixture(scope="module")
def outputs() -> list[Output]:
    return run(EnvironmentalAgency, records())


@pytest.fixture(scope="module")
def hours() -> Any:
    """The means of every hour, by pandas."""
    frame = CITY.frame(N).drop_duplicates(["sensor_id", "measured_ms"])
    frame = frame[frame["topic"] != "traffic-flow"].astype({"sensor_id": str})
    groups = frame.groupby(["sensor_id", frame["measured_ms"] // HOUR * HOUR])[["pm25", "no2", "energy_kwh"]]
    return groups.mean()[groups.size() >= 3].reset_index()


def wanted_breaches(means: Any, over: str) -> set[tuple[str, int, str, float]]:
    limits = AIR_LIMITS[AIR_LIMITS["mean_over"] == over]
    long = means.melt(["sensor_id", "measured_ms"], ["pm25", "no2"], "pollutant").merge(limits, on="pollutant")
    over_limit = long[long["value"] > long["limit"]]
    return set(over_limit[["sensor_id", "measured_ms", "pollutant", "limit"]].itertuples(index=False, name=None))


def days_of(hours: Any) -> Any:
    """Whole days: the last one is not over."""
    day = hours["measured_ms"] // DAY * DAY
    groups = hours[day == day.min()].groupby(["sensor_id", day])[["pm25", "no2", "energy_kwh"]]
    return groups.mean()[groups.size() >= 18].reset_index()


def test_nothing_is_too_late_for_it(outputs: list[Output]) -> None:
    assert not [output for output in outputs if isinstance(output, TooLate)]


def test_breaches_are_those_of_pandas(outputs: list[Output], hours: Any) -> None:
    seen = as_frame(Breach, outputs)
    for over, means in [("hour", hours), ("day", days_of(hours))]:
        own = seen[seen["mean_over"] == over]
        named = set(own[["sensor_id", "time_ms", "pollutant", "limit"]].itertuples(index=False, name=None))
        assert named == wanted_breaches(means, over)
    assert (seen["mean"] > seen["limit"]).all()
    assert seen["mean_over"].eq("day").sum() > 5
    assert len(seen) == len(seen.drop_duplicates(["sensor_id", "time_ms", "pollutant", "limit"]))


def test_advice_is_for_those_who_switch_nothing_off(outputs: list[Output]) -> None:
    advice = as_frame(Advice, outputs)
    faulty = set(CITY.faults(1)["sensor_id"])
    wasteful = CITY.sensors.loc[CITY.sensors["wasteful"], "sensor_id"].astype(str)
    assert len(wasteful) >= 2
    assert set(advice["sensor_id"]) - faulty == set(wasteful) - faulty
    assert advice["share"].between(0.55, 1).all()
