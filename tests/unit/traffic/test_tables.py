from __future__ import annotations

import math

import numpy as np
import pytest

from kafkalab.errors import InvalidArgument
from kafkalab.traffic import tables

SENT = np.array([10.0, 10.2, 10.9, 12.5])
ACKNOWLEDGED = np.array([10.1, 10.5, 11.4, 12.6])
NONE = np.empty(0)


def test_throughput_has_a_row_for_every_interval_also_the_silent_ones() -> None:
    frame = tables.throughput(SENT, ACKNOWLEDGED, 10.0, 1.0)
    assert frame.to_dict("list") == {"second": [0.0, 1.0, 2.0], "sent": [3, 0, 1], "acknowledged": [2, 1, 1]}
    assert tables.throughput(SENT, ACKNOWLEDGED, 10.0, 0.5)["sent"].tolist() == [2, 1, 0, 0, 0, 1]
    assert len(tables.throughput(NONE, NONE, 10.0, 1.0)) == 0


def test_latency_is_counted_where_it_was_acknowledged() -> None:
    shuffled = [2, 0, 3, 1]
    frame = tables.latency(SENT[shuffled], ACKNOWLEDGED[shuffled], 10.0, 1.0)
    assert frame["second"].tolist() == [0.0, 1.0, 2.0]
    assert frame["max_ms"].tolist() == pytest.approx([300.0, 500.0, 100.0])
    assert frame["p50_ms"].tolist() == pytest.approx([200.0, 500.0, 100.0])
    assert list(tables.latency(NONE, NONE, 10.0, 1.0).columns) == ["second", "p50_ms", "p95_ms", "p99_ms", "max_ms"]


def test_percentiles() -> None:
    found = tables.latency_percentiles(np.arange(101) / 1000)
    assert found == pytest.approx({"p50_ms": 50.0, "p95_ms": 95.0, "p99_ms": 99.0, "max_ms": 100.0})
    assert all(math.isnan(value) for value in tables.latency_percentiles(NONE).values())


def test_the_longest_gap_needs_two() -> None:
    assert tables.longest_gap(ACKNOWLEDGED[::-1]) == pytest.approx(1.2)
    assert math.isnan(tables.longest_gap(ACKNOWLEDGED[:1]))


@pytest.mark.parametrize("every", [0, -1.0, float("nan")])
def test_an_interval_that_cannot_be(every: float) -> None:
    with pytest.raises(InvalidArgument, match=r"every=.* is not possible"):
        tables.throughput(SENT, ACKNOWLEDGED, 10.0, every)
