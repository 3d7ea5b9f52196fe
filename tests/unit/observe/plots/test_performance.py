from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kafkalab.observe import plots
from tests.unit.observe.plots.conftest import FAULTS, complaints

NOTHING = float("nan")


def run(acknowledged: list[int], every: float = 0.5) -> tuple[pd.DataFrame, pd.DataFrame]:
    seconds = np.arange(len(acknowledged)) * every
    throughput = pd.DataFrame({"second": seconds, "sent": 100, "acknowledged": acknowledged})
    latency = pd.DataFrame({"second": seconds, "p50_ms": 2.0, "p95_ms": 20.0, "p99_ms": 3000.0, "max_ms": 9.0})
    return throughput, latency[throughput["acknowledged"] > 0]


def fault(fired: float) -> pd.DataFrame:
    return pd.DataFrame({"fault": ["kill broker 1"], "fired": [fired], "undone": [NOTHING]})


def test_counts_become_rates_and_gaps_stay_gaps() -> None:
    picture = plots.throughput_and_latency(*run([100, 0, 300]))
    assert picture.data["acknowledged_rate"].tolist() == [200.0, 0.0, 600.0]
    assert picture.data["sent_rate"].tolist() == [200.0] * 3
    assert picture.data["p50_ms"].fillna(-1).tolist() == [2.0, -1.0, 2.0]
    above, below = picture.figure.axes
    acknowledged = above.patches[0].get_data()  # type: ignore[attr-defined]
    assert (list(acknowledged.values), acknowledged.edges.tolist()) == ([200, 0, 600], [0, 0.5, 1, 1.5])
    assert [line.get_ydata()[0] for line in below.lines] == [2.0, 20.0, 3000.0]  # type: ignore[index]
    assert picture.measured == "Median 200 records/s acknowledged; highest p99 latency 3,000 ms."


@pytest.mark.parametrize(
    ("acknowledged", "words"),
    [
        ([100, 100, 0, 300], " Acknowledgements pause and come back."),
        ([100, 100, 100, 0, 0], " Acknowledgements pause and do not come back."),
        ([100, 100, 90, 100], " Acknowledgements go on all the time."),
    ],
)
def test_the_text_tells_what_a_fault_did(acknowledged: list[int], words: str) -> None:
    picture = plots.throughput_and_latency(*run(acknowledged), fault(0.9))
    counts = f"{100 * len(acknowledged)} records sent and {sum(acknowledged)} acknowledged, per second"
    head = f"{counts}, above their latency (median, 95th and 99th percentile)."
    assert picture.alt == f"{head}{words} Marked: kill broker 1."
    assert plots.throughput_and_latency(*run(acknowledged)).alt == head


@pytest.mark.parametrize(
    ("highest", "words"), [(50.0, ""), (3000.0, " Latency is many times higher after the first fault.")]
)
def test_the_text_tells_whether_latency_rose(highest: float, words: str) -> None:
    throughput, latency = run([100] * 8)
    latency["p99_ms"] = 20.0
    latency.loc[5, "p99_ms"] = highest
    alt = plots.throughput_and_latency(throughput, latency, fault(1.5)).alt
    assert alt.endswith(f" Acknowledgements go on all the time.{words} Marked: kill broker 1.")


def test_no_label_overlaps() -> None:
    assert complaints(plots.throughput_and_latency(*run([10**6] * 24), FAULTS).figure) == []
    assert complaints(plots.throughput_and_latency(*run([1])).figure) == []
