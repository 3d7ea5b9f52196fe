from __future__ import annotations

from collections.abc import Hashable

import pandas as pd
import pytest

from kafkalab.apps import as_frame
from kafkalab.apps.city import Arrivals, DeliveryMonitor
from tests.unit.apps.city.conftest import CITY, N, records
from tests.unit.apps.conftest import run

HOUR = 3_600_000
FLAGS = ["duplicates", "late", "out_of_order"]


@pytest.fixture(scope="module")
def arrivals() -> pd.DataFrame:
    outputs = as_frame(Arrivals, run(DeliveryMonitor, records()))
    return outputs.drop(columns="partition").groupby(["stream", "time_ms"]).sum()


def counts(times: pd.Series[int], topics: pd.Series[str]) -> dict[Hashable, int]:
    return times.groupby([topics.astype(str), times // HOUR * HOUR]).size().to_dict()


def test_hours_of_event_time_and_of_processing_time(arrivals: pd.DataFrame) -> None:
    frame = CITY.frame(N)
    once = frame.drop_duplicates(["sensor_id", "measured_ms"])
    assert arrivals["sent"][arrivals["sent"] > 0].to_dict() == counts(frame["timestamp_ms"], frame["topic"])
    measured = arrivals["measured"][arrivals["measured"] > 0].to_dict()
    assert measured == counts(once["measured_ms"], once["topic"])
    assert (arrivals["measured"] != arrivals["sent"]).mean() > 0.5


def test_what_is_late_doubled_and_out_of_order_is_that_of_the_truth(arrivals: pd.DataFrame) -> None:
    truth, frame = CITY.truth(N), CITY.frame(N)
    flags = truth.rename(columns={"duplicate": "duplicates"})[FLAGS]
    wanted = flags.groupby([frame["topic"].astype(str), frame["timestamp_ms"] // HOUR * HOUR]).sum()
    seen = arrivals[FLAGS].loc[wanted.index]
    pd.testing.assert_frame_equal(seen, wanted, check_dtype=False, check_names=False)
    assert (seen.sum() > 100).all()
    assert seen.sum().sum() == arrivals[FLAGS].sum().sum()
