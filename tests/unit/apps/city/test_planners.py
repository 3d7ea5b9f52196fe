from __future__ import annotations

import pandas as pd

from kafkalab.apps import as_frame
from kafkalab.apps.city import HeatCell, Planners, heat_map
from tests.unit.apps.city.conftest import CITY, N, records
from tests.unit.apps.conftest import run

HOUR = 3_600_000


def test_cells_are_those_of_a_groupby_over_readings_that_came_in_time() -> None:
    frame = CITY.frame(N)
    frame = frame[frame["topic"] == "traffic-flow"].assign(time_ms=lambda frame: frame["measured_ms"] // HOUR * HOUR)
    frame = frame[frame["timestamp_ms"] < frame["time_ms"] + HOUR + 600_000].drop_duplicates(
        ["sensor_id", "measured_ms"]
    )
    groups = frame.groupby(["time_ms", frame["district"].astype(str)])
    wanted = groups.agg(
        vehicles=("vehicles", "sum"),
        speed_kmh=("speed_kmh", "mean"),
        occupancy_pct=("occupancy_pct", "mean"),
        readings=("vehicles", "size"),
    )
    outputs = run(Planners, records())
    seen = as_frame(HeatCell, outputs).set_index(["time_ms", "district"])
    pd.testing.assert_frame_equal(seen, wanted, check_dtype=False, check_index_type=False)
    table = heat_map(outputs)
    assert table.shape == (6, 24)
    town = table.loc["Old Town"].to_dict()
    assert town[8] < 0.8 * town[3]  # the rush hour
