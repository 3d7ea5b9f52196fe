from __future__ import annotations

import pytest

from kafkalab.cli.show import PlainLines
from kafkalab.ledger import Ledger
from tests.unit.cli.conftest import make_experiment, make_firing, make_run


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
