from __future__ import annotations

import pytest

from kafkalab.cli.show import Meter, PlainLines
from kafkalab.ledger import Ledger
from tests.unit.cli.conftest import make_experiment, make_firing, make_ledger, make_run


def test_plain_lines_tell_each_thing_once(capsys: pytest.CaptureFixture[str]) -> None:
    experiment = make_experiment(fault="kill-leader")
    with PlainLines(make_run(experiment, Ledger()), experiment, 100.0) as show:
        show.look()
        firing = make_firing(103.0)
        experiment.schedule.firings.append(firing)
        show.look()
        firing.at = 103.01  # known exactly only now
        show.look()
        firing.undo_at, firing.undone_at = 107.0, 108.5
        show.say("Reading.")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        "   3.00 s  kill broker 1, leader of stock-prices-0 (320 sent, 300 acknowledged)",
        "Reading.",
        "   7.00 s  broker 1 is started again",
        "   8.50 s  broker 1 is back in the cluster, and known to every broker",
    ]


def test_a_run_without_a_fault_has_nothing_to_tell(capsys: pytest.CaptureFixture[str]) -> None:
    experiment = make_experiment()
    with PlainLines(make_run(experiment, Ledger()), experiment, 100.0) as show:
        show.look()
    assert capsys.readouterr() == ("", "")


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
    clock = iter([0.0, 0.0, 0.2, 3.9, 4.1, 4.1, 4.2])  # 0.2 s is five hundredths of 4 s
    meter = Meter(make_run(make_experiment(), make_ledger(10)), lambda: next(clock))
    meter.look(1.0, 10)
    meter.latency = None
    meter.look(2.0, 10)
    assert meter.latency is None
    meter.look(3.0, 10)
    assert meter.latency is not None
