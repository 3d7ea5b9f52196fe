from __future__ import annotations

from kafkalab.apps.promises import Promises

REACHED = {("a", 0): 5, ("a", 1): 0}


def test_a_promise_holds_when_all_before_it_was_read() -> None:
    promises = Promises()
    promises.add(100, [("a", 0, 6), ("a", 1, 0)])
    # Nothing is stored in the second partition, so that nothing is to be waited for.
    assert list(promises.due(REACHED)) == [("a", 1, 100)]
    assert list(promises.due(REACHED)) == []
    assert list(promises.due({**REACHED, ("a", 0): 6})) == [("a", 0, 100)]


def test_of_several_that_hold_the_last_is_given_out() -> None:
    promises = Promises()
    for time_ms, end in ((100, 2), (200, 5), (300, 5), (400, 9)):
        promises.add(time_ms, [("a", 0, end)])
    assert list(promises.due(REACHED)) == [("a", 0, 300)]
    assert list(promises.due({("a", 0): 8})) == []
    assert list(promises.due({("a", 0): 20})) == [("a", 0, 400)]


def test_a_partition_at_rest_needs_one_place() -> None:
    promises = Promises()
    for time_ms in range(1000):
        promises.add(time_ms, [("a", 0, 7)])
    assert len(promises._waiting["a", 0]) == 1
    assert list(promises.due({("a", 0): 7})) == [("a", 0, 999)]
