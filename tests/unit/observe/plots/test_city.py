from __future__ import annotations

import pandas as pd
import pytest

from kafkalab.errors import InvalidArgument
from kafkalab.observe.plots.city import STATES, district_hours, reading_delays, sensor_map
from tests.unit.observe.plots.conftest import complaints, shown

MINUTE, HOUR = 60_000, 3_600_000
SPEEDS = pd.DataFrame({7: [30.0, float("nan")], 8: [17.4, 48.0]}, index=pd.Index(["Old Town", "Southpark"]))
READINGS = pd.DataFrame(
    {
        "measured_ms": [HOUR, HOUR + 90 * MINUTE, 3 * HOUR],
        "timestamp": [HOUR + 300, HOUR + 101 * MINUTE, 3 * HOUR + 2 * MINUTE],
        "too_late": [False, True, False],
    }
)
SENSORS = pd.DataFrame(
    {
        "sensor_id": ["a", "b", "c", "d", "e"],
        "district": ["Old Town"] * 4 + ["Southpark"],
        "x_km": [-3.0, 0.1, 0.2, 3.0, 0.0],
        "y_km": [0.0, 0.1, 0.2, 0.3, -3.0],
        "state": [*STATES, "well"],
    }
)


def test_each_district_and_hour_is_a_cell() -> None:
    picture = district_hours(SPEEDS, "speed", "km/h")
    assert picture.data.dropna().to_numpy().tolist() == [
        ["Old Town", 7, 30.0],
        ["Old Town", 8, 17.4],
        ["Southpark", 8, 48.0],
    ]
    assert picture.alt == (
        "Lowest mean speed of each district: Old Town at 8:00 (17 km/h) and Southpark at 8:00 (48 km/h)."
    )
    texts = shown(picture.figure)
    assert {"Old Town", "Southpark", "7", "8", "30", "17", "48", "speed (km/h)"} <= set(texts)
    assert "nan" not in texts


def test_numbers_can_be_read_on_dark_and_on_light_cells() -> None:
    (axes, _) = district_hours(SPEEDS, "speed", "km/h").figure.axes
    assert {text.get_text(): text.get_color() for text in axes.texts} == {"30": "white", "17": "white", "48": "black"}


def test_delays_are_minutes_after_the_measuring() -> None:
    picture = reading_delays(READINGS, start_ms=HOUR)
    assert picture.data["hour"].tolist() == [0.0, 1.5, 2.0]
    assert picture.data["delay"].tolist() == [0.005, 11.0, 2.0]
    assert picture.data["too_late"].tolist() == [False, True, False]
    assert picture.alt == "3 readings; 2 sent more than a minute after the measuring; 1 too late."
    (in_time, too_late) = picture.figure.axes[0].collections
    assert in_time.get_offsets().tolist() == [[0.0, 0.005], [2.0, 2.0]]  # type: ignore[union-attr]
    assert too_late.get_offsets().tolist() == [[1.5, 11.0]]  # type: ignore[union-attr]


def test_the_map_names_what_went_wrong() -> None:
    picture = sensor_map(SENSORS)
    assert picture.data["state"].tolist() == ["well", "found", "missed", "accused", "well"]
    assert picture.alt == "1 of 5 sensors found faulty. Missed: c. Accused: d."
    assert {"well (2)", "found (1)", "missed (1)", "accused (1)", "Old Town", "Southpark"} <= set(shown(picture.figure))


def test_where_all_are_well_nothing_is_named() -> None:
    picture = sensor_map(SENSORS.assign(state="well"))
    assert picture.alt == "0 of 5 sensors found faulty. Missed: none. Accused: none."


def test_no_label_is_cut_off_or_covered() -> None:
    wide = pd.DataFrame({hour: [99.5] * 12 for hour in range(24)}, index=[f"A long district {n}" for n in range(12)])
    assert complaints(district_hours(wide, "occupancy", "%").figure) == []
    assert complaints(reading_delays(READINGS, start_ms=HOUR).figure) == []
    assert complaints(sensor_map(SENSORS).figure) == []


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: district_hours(SPEEDS.iloc[:0], "speed", "km/h"), "nothing to draw"),
        (lambda: district_hours(pd.DataFrame([[1.0] * 25]), "speed", "km/h"), "25 hours have no room"),
        (lambda: reading_delays(READINGS.iloc[:0], 0), "nothing to draw"),
        (lambda: reading_delays(SPEEDS, 0), "has no column 'measured_ms'"),
        (lambda: sensor_map(SENSORS.iloc[:0]), "nothing to draw"),
        (lambda: sensor_map(SENSORS.assign(state="tired")), "'tired' is no state of a sensor: choose from well, found"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call: object, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        call()  # type: ignore[operator]
