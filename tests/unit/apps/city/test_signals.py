from __future__ import annotations

import pandas as pd
import pytest

from kafkalab.apps import Output, Received, as_frame
from kafkalab.apps.city import SignalPlan, TrafficManagement
from kafkalab.simulation import City
from tests.unit.apps.city.conftest import records
from tests.unit.apps.conftest import received, run

STEP = 300_000


@pytest.fixture(scope="module")
def plans() -> pd.DataFrame:
    return as_frame(SignalPlan, run(TrafficManagement, records()))


def decided(*states: tuple[float, float], broken: int = 0) -> list[Output]:
    """Occupancy and speed that six of eight sensors or more show in each step."""
    outputs: list[Received] = []
    for step, (occupancy, speed) in enumerate(states):
        for sensor in range(8):
            shown = (100.0, 5.0) if sensor < broken else (occupancy, speed)
            value = {"sensor_id": f"s{sensor}", "district": "D", "measured_ms": step * STEP + sensor}
            value |= {"occupancy_pct": shown[0], "speed_kmh": shown[1]}
            outputs.append(Received("traffic-flow", 0, len(outputs), f"s{sensor}", value, step * STEP + sensor))
    return run(TrafficManagement, outputs)


def names(outputs: list[Output]) -> list[str]:
    return [output.plan for output in outputs if isinstance(output, SignalPlan)]


def test_plans_follow_the_streets_and_do_not_flicker() -> None:
    states = [
        (5.0, 45.0),
        (10.0, 38.0),
        (9.0, 42.0),
        (7.9, 38.0),
        (9.0, 38.0),
        (22.0, 20.0),
        (17.0, 28.0),
        (15.0, 28.0),
    ]
    plans = decided(*states)
    assert names(plans) == ["normal", "extended", "extended", "normal", "normal", "gated", "gated", "extended"]
    first, second = plans[:2]
    assert isinstance(second, SignalPlan)
    assert isinstance(first, SignalPlan)
    assert (first.time_ms, first.green_s, first.changed) == (STEP, 30, False)
    assert (second.green_s, second.changed, second.reason) == (45, True, "10.0 % occupied at 38 km/h")


def test_both_signs_are_needed_and_broken_sensors_do_not_decide() -> None:
    assert names(decided((30.0, 50.0), (3.0, 10.0))) == ["normal", "normal"]
    assert names(decided((5.0, 45.0), broken=3)) == ["normal"]


def test_there_is_a_plan_for_each_district_and_step(plans: pd.DataFrame) -> None:
    sizes = plans.groupby("time_ms").size()
    assert sizes.max() == 6
    assert (sizes == 6).mean() > 0.9
    previous = plans.groupby("district")["plan"].shift(fill_value="normal")
    assert (plans["changed"] == (plans["plan"] != previous)).all()


def test_strict_plans_come_where_the_streets_are_full() -> None:
    source = City(seed=1, districts=3, air_sensors=0, energy_sensors=0)
    plans = as_frame(SignalPlan, run(TrafficManagement, received(source, 14_000)))
    true = source.conditions(1).rename(columns={"time_ms": "begin"}).astype({"district": str})
    both = plans.assign(begin=plans["time_ms"] - STEP).merge(true, on=["begin", "district"])
    load = both.groupby("plan")["load"].mean()
    assert load["normal"] + 0.1 < load["extended"] < load["gated"] - 0.1
