from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kafkalab.apps import Received, as_frame
from kafkalab.apps.city import Finding, SensorHealth, precision_and_recall
from tests.unit.apps.city.conftest import CITY, DAYS, records
from tests.unit.apps.conftest import run

MINUTE = 60_000
HOUR = 60 * MINUTE


@pytest.fixture(scope="module")
def findings() -> pd.DataFrame:
    return as_frame(Finding, run(SensorHealth, records()))


def test_found_against_the_known_truth(findings: pd.DataFrame) -> None:
    table = precision_and_recall(findings, CITY.faults(DAYS), records()[-1].timestamp_ms).set_index("fault")
    assert (table["faults"] >= 4).all()
    assert (table.loc[["stuck", "dead"], ["precision", "recall"]] == 1).all(axis=None)
    assert table["precision"].to_dict()["drift"] >= 0.8
    assert table["recall"].to_dict()["drift"] >= 0.5


def test_it_knows_since_when(findings: pd.DataFrame) -> None:
    faults = CITY.faults(DAYS).astype({"sensor_id": str, "fault": str})
    both = findings.merge(faults, on=["sensor_id", "fault"])
    both = both[(both["from_ms"] <= both["time_ms"]) & (both["time_ms"] <= both["to_ms"])]
    off = (both["since_ms"] - both["from_ms"]).groupby(both["fault"]).median() / MINUTE
    assert off["stuck"] <= 10
    assert abs(off["dead"]) <= 10
    assert 0 < off["drift"] < 4 * 60
    assert (findings["since_ms"] < findings["time_ms"]).all()


class Street:
    """A district's traffic sensors, a reading each minute."""

    def __init__(self, sensors: int = 5) -> None:
        self.readings: list[Received] = []
        self._sensors = sensors
        self._rng = np.random.default_rng(1)

    def minutes(self, first: int, end: int, **wrong: tuple[int, float] | None) -> Street:
        """Read; ``wrong`` has a sensor's constant reading, or None for none at all."""
        for minute in range(first, end):
            for sensor in range(self._sensors):
                name = f"s{sensor}"
                shown = wrong.get(name, (int(self._rng.poisson(30)), round(float(self._rng.normal(50, 3)), 1)))
                if shown is not None:
                    self._read(name, minute * MINUTE + sensor, *shown)
        return self

    def _read(self, name: str, time: int, vehicles: int, speed: float) -> None:
        value = {"sensor_id": name, "district": "D", "measured_ms": time, "vehicles": vehicles}
        value |= {"speed_kmh": speed, "occupancy_pct": 2.0}
        self.readings.append(Received("traffic-flow", 0, len(self.readings), name, value, time + 100))

    def found(self) -> list[tuple[str, str, int]]:
        table = as_frame(Finding, run(SensorHealth, self.readings))
        return list(zip(table["sensor_id"], table["fault"], table["since_ms"] // MINUTE, strict=True))


def test_a_healthy_street() -> None:
    assert Street().minutes(0, 600).found() == []


def test_a_stuck_sensor_is_told_once_for_each_time() -> None:
    street = Street().minutes(0, 20).minutes(20, 200, s1=(30, 50.0)).minutes(200, 210).minutes(210, 220, s1=(9, 40.0))
    assert street.found() == [("s1", "stuck", 20), ("s1", "stuck", 210)]


def test_a_dead_sensor_but_not_a_dead_gateway() -> None:
    street = Street().minutes(0, 60).minutes(60, 200, s2=None).minutes(200, 240).minutes(300, 330)
    assert street.found() == [("s2", "dead", 59)]


def test_a_drifting_sensor_beside_its_neighbours() -> None:
    street = Street().minutes(0, 180)
    for minute in range(180, 480):
        vehicles = round(30 * (1 + 0.2 * (minute - 180) / 60))
        street.minutes(minute, minute + 1, s3=(vehicles, 40.0 + minute % 7))
    ((sensor, fault, since),) = street.found()
    assert (sensor, fault) == ("s3", "drift")
    assert 180 < since < 360


def test_precision_and_recall_by_hand() -> None:
    findings = pd.DataFrame({"sensor_id": ["a", "a", "b"], "fault": ["stuck", "stuck", "dead"], "time_ms": [10, 20, 5]})
    faults = pd.DataFrame(
        {
            "sensor_id": ["a", "b", "c"],
            "fault": ["stuck", "stuck", "drift"],
            "from_ms": [5, 1, 90],
            "to_ms": [15, 9, 99],
        }
    )
    table = precision_and_recall(findings, faults, until_ms=50)
    assert table["fault"].tolist() == ["stuck", "drift", "dead"]
    assert table[["faults", "found", "findings"]].to_numpy().tolist() == [[2, 1, 2], [0, 0, 0], [0, 0, 1]]
    assert table["recall"].tolist()[0] == 0.5
    assert table["precision"].tolist()[0] == 1.0
    assert table["recall"].isna().tolist() == [False, True, True]
    assert table["precision"].tolist()[2] == 0.0
