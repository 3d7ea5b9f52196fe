from __future__ import annotations

import pandas as pd
import pytest

from kafkalab.apps import Output, Received, as_frame
from kafkalab.apps.social import BrandMonitor, Mentions, Spike
from kafkalab.simulation import Social
from tests.unit.apps.conftest import received, run

SOURCE = Social()
N = 35_000
MINUTE = 60_000


@pytest.fixture(scope="module")
def outputs() -> list[Output]:
    return run(BrandMonitor, received(SOURCE, N))


def test_mentions_are_counted(outputs: list[Output]) -> None:
    frame = SOURCE.frame(N)
    frame = frame[frame["topic"] == "social-mentions"]
    minute = frame["timestamp_ms"] // MINUTE * MINUTE
    wanted = frame.groupby([minute, frame["brand"].astype(str)]).size()
    assert as_frame(Mentions, outputs).set_index(["time_ms", "brand"])["count"].to_dict() == wanted.to_dict()


def test_the_viral_post_is_seen_within_two_minutes(outputs: list[Output]) -> None:
    spikes, viral = as_frame(Spike, outputs), SOURCE.viral.iloc[0]
    own = spikes[spikes["brand"] == viral["brand"]]
    assert len(own) == 1
    assert 0 < own["time_ms"].iloc[0] - viral["start_ms"] <= 2 * MINUTE
    assert own["count"].iloc[0] > 5 * own["usual"].iloc[0]


def test_there_are_few_false_alarms() -> None:
    quiet = Social(seed=3, viral_size=0)
    outputs = run(BrandMonitor, received(quiet, 40_000))
    mentions, spikes = as_frame(Mentions, outputs), as_frame(Spike, outputs)
    assert len(mentions) > 200
    assert len(spikes) <= 2


def minutes(*counts: int) -> pd.DataFrame:
    times = [minute * MINUTE + number for minute, count in enumerate(counts) for number in range(count)]
    records = [Received("social-mentions", 0, place, "B", {"brand": "B"}, time) for place, time in enumerate(times)]
    return as_frame(Spike, run(BrandMonitor, records))


def test_a_spike_is_told_once_and_again_after_a_calm() -> None:
    spikes = minutes(4, 5, 4, 40, 45, 30, 5, 4, 50)
    assert spikes["time_ms"].tolist() == [4 * MINUTE, 9 * MINUTE]
    assert spikes["usual"].tolist() == [pytest.approx(13 / 3), pytest.approx(22 / 5)]


def test_silent_minutes_count_as_such() -> None:
    assert minutes(4, 0, 0, 0, 12)["usual"].tolist() == [1.0]
    assert minutes(4, 4, 12).empty  # too little to compare with
    assert minutes(1, 0, 0, 0, 9).empty  # not worth an alert
