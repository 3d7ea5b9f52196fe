from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from kafkalab.traffic.pacing import TICK, Pace


def test_at_a_rate_records_are_due_in_equal_steps_whatever_the_blocks() -> None:
    pace = Pace(rate=100)
    due = np.concatenate([pace.due([0] * count) for count in (3, 1, 6)])
    assert due.tolist() == pytest.approx([n / 100 for n in range(10)])


def test_simulated_time_is_divided_by_the_speed() -> None:
    pace = Pace(speed=10)
    assert pace.due([5000, 6000]).tolist() == pytest.approx([0.0, 0.1])
    assert pace.due([15_000]).tolist() == pytest.approx([1.0])


def test_a_late_reading_is_sent_when_its_turn_comes() -> None:
    pace = Pace(speed=1)
    assert pace.due([1000, 3000, 2000]).tolist() == [0.0, 2.0, 2.0]
    assert pace.due([0, 4000]).tolist() == [2.0, 3.0]
    assert pace.due([]).tolist() == []


def test_without_a_pace_everything_is_due_at_once() -> None:
    assert list(Pace().runs([1, 2, 3])) == [(0.0, slice(0, 3))]
    assert Pace().due([1, 2, 3]).tolist() == [0.0, 0.0, 0.0]
    assert list(Pace(rate=5).runs([])) == []


@pytest.mark.parametrize(("rate", "size"), [(10.0, 1), (50.0, 1), (1000.0, 20), (333.0, 7)])
def test_a_run_holds_no_more_than_a_tick(rate: float, size: int) -> None:
    runs = list(Pace(rate=rate).runs([0] * 200))
    sizes = [part.stop - part.start for _, part in runs]
    assert sum(sizes) == 200
    assert max(sizes) == size
    assert all(later - earlier > TICK / 2 for (earlier, _), (later, _) in pairwise(runs))
