from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from kafkalab.apps.figures import Figures, Steps, delays
from kafkalab.ledger import Ledger


def made_steps(start: int, *pairs: tuple[int, float]) -> Steps:
    steps = Steps(start)
    for count, at in pairs:
        steps.add(count, at)
    return steps


def test_when_each_offset_was_worked_on() -> None:
    steps = made_steps(100, (2, 7.0), (3, 8.0))
    told = steps.at(np.arange(100, 104))
    assert told[:3].tolist() == [7.0, 7.0, 8.0]
    assert math.isnan(told[3])
    assert (steps.count, steps.last_at) == (3, 8.0)


def test_at_first_nothing_was() -> None:
    steps = Steps(0)
    assert steps.count == 0
    assert math.isnan(steps.last_at)
    assert np.isnan(steps.at(np.arange(3))).all()


def test_delays_are_those_of_the_records_that_it_reads_and_has_worked_on() -> None:
    ledger = Ledger()
    session = ledger.session()
    session.identities(6)
    topics = ["prices", "prices", "prices", "news", "volumes", "prices"]
    session.sent(0, topics, [b"k"] * 6, [b"v"] * 6, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    # The last record of prices-0 has no outcome.
    session.acknowledged([0, 2, 1, 3, 4], [0, 0, 1, 0, 0], [10, 11, 0, 0, 0], 9.0)
    steps = {
        ("prices", 0): made_steps(10, (1, 1.5)),
        ("prices", 1): made_steps(0, (1, 4.0)),
        ("news", 0): made_steps(0, (1, 4.25)),
    }
    assert sorted(delays(ledger.acknowledgements(), steps).tolist()) == pytest.approx([0.25, 0.5, 2.0])
    assert len(delays(Ledger().acknowledgements(), steps)) == 0


def test_complete_means_all_that_is_stored() -> None:
    done = Figures("analyst", "analyst", processed=5, stored=5, finished=True)
    assert done.complete
    for other in (replace(done, processed=4), replace(done, stored=None), replace(done, finished=False)):
        assert not other.complete
    assert Figures("a", "a", decisions={"Candle": 3, "TooLate": 2}).decided == 5
