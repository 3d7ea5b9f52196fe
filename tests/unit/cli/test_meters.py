from __future__ import annotations

import pytest

from kafkalab import Cluster
from kafkalab.apps.figures import Figures
from kafkalab.apps.runner import Applications
from kafkalab.cli.meters import Meter, Reader, Readers
from kafkalab.ledger import Ledger
from tests.unit.cli.conftest import make_experiment, make_ledger, make_run


def test_the_speed_is_that_between_two_looks() -> None:
    meter = Meter(make_run(make_experiment(), Ledger()))
    for elapsed, acknowledged in [(0.5, 500), (1.0, 500), (1.0, 500), (3.0, 4500)]:
        meter.look(elapsed, acknowledged)
    assert meter.speeds == [1000.0, 0.0, 2000.0]
    assert meter.latency is None


def test_the_latency_is_that_of_all_records_so_far() -> None:
    meter = Meter(make_run(make_experiment(), make_ledger(100, seconds=0.25)))
    meter.look(1.0, 100)
    assert meter.latency is not None
    assert list(meter.latency) == pytest.approx([250.0, 250.0])


def test_what_takes_long_to_measure_is_measured_less_often() -> None:
    clock = iter([0.0, 0.2, 3.9, 4.1, 4.2])  # 0.2 s is five hundredths of 4 s
    meter = Meter(make_run(make_experiment(), make_ledger(10)), lambda: next(clock))
    meter.look(1.0, 10)
    meter.latency = None
    meter.look(2.0, 10)
    assert meter.latency is None
    meter.look(3.0, 10)
    assert meter.latency is not None


def test_applications_are_shown_with_the_speed_between_two_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = dict.fromkeys(["p50_ms", "p95_ms", "p99_ms", "max_ms"], float("nan"))
    some = {"p50_ms": 1.0, "p95_ms": 2.0, "p99_ms": 3.0, "max_ms": 9.0}
    seen = [
        [Figures("analyst", "g", read=100, lag=7, latency=nothing)],
        [Figures("analyst", "g", read=700, lag=5, decisions={"Candle": 2, "Other": 1}, latency=some)],
    ]
    applications = Applications(Cluster(), "stocks")
    monkeypatch.setattr(applications, "look", lambda _: seen.pop(0))
    clock = iter([10.0, 10.5, 10.5, 10.5, 12.5, 12.5, 12.5])
    readers = Readers(applications, Ledger(), lambda: next(clock))
    assert not readers.rows
    readers.look()
    assert list(readers.rows) == [Reader("analyst", 200.0, 7, 0, None)]
    readers.look()
    assert list(readers.rows) == [Reader("analyst", 300.0, 5, 3, (1.0, 2.0, 3.0))]
