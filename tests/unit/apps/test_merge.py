from __future__ import annotations

import json
from collections.abc import Sequence

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from kafkalab.apps.merge import END_OF_TIME, Merge, Received
from kafkalab.errors import InvalidArgument
from tests.unit.apps.conftest import interleaved

A, B = ("a", 0), ("b", 0)
Times = Sequence[Sequence[int]]
# Of each of three partitions the times of its records, in the order of their offsets; not sorted.
some_times = st.lists(st.lists(st.integers(0, 30), max_size=12), min_size=3, max_size=3)
numbers = st.integers(0, 2**32 - 1)


def record(topic: str, offset: int, time: int, partition: int = 0, key: str | None = "k") -> Received:
    return Received(topic, partition, offset, key, {}, time)


def records_of(times: Times) -> list[Received]:
    return [
        record("t", offset, time, partition, f"k{offset % 3}")
        for partition, each in enumerate(times)
        for offset, time in enumerate(each)
    ]


def three(disorder: int) -> Merge:
    return Merge([("t", partition) for partition in range(3)], disorder)


def merged(merge: Merge, records: Sequence[Received], batch: int) -> list[tuple[int, Received]]:
    given: list[tuple[int, Received]] = []
    for first in range(0, len(records), batch):
        merge.add(records[first : first + batch])
        given += merge.ready()
    return given


def to_the_end(merge: Merge, records: Sequence[Received], batch: int = 3) -> list[tuple[int, Received]]:
    given = merged(merge, records, batch)
    merge.finish()
    return given + merge.ready()


@given(some_times, numbers, st.sampled_from([None, 0, 2]), st.integers(1, 9), st.integers(0, 20))
@settings(max_examples=150, deadline=None)
def test_every_interleaving_gives_the_same_order(
    times: Times, seed: int, stalled: int | None, batch: int, disorder: int
) -> None:
    records = records_of(times)
    order = to_the_end(three(disorder), records)
    assert to_the_end(three(disorder), interleaved(records, seed, stalled), batch) == order
    assert sorted(each for _, each in order) == sorted(records)
    assert [time for time, _ in order] == sorted(time for time, _ in order)
    assert all(time >= each.timestamp_ms for time, each in order)


@given(some_times, numbers, st.integers(1, 5), st.integers(0, 10), st.data())
@settings(max_examples=150, deadline=None)
def test_a_crash_anywhere_changes_nothing(
    times: Times, seed: int, batch: int, disorder: int, data: st.DataObject
) -> None:
    records = interleaved(records_of(times), seed)
    order = to_the_end(three(disorder), records)
    crash = data.draw(st.integers(0, len(records)))
    before = three(disorder)
    given = merged(before, records[:crash], batch)
    after = three(disorder)
    after.restore(json.loads(json.dumps(before.state())))
    assert after.positions() == before.positions()
    # Read again from the positions, or from anywhere before; more than once, too.
    again = [each for each in records if each.offset >= after.positions()[each.topic, each.partition]]
    earlier = data.draw(st.sampled_from([again, records]))
    assert given + to_the_end(after, [*earlier, *earlier]) == order


def test_nothing_is_given_out_before_the_slowest_input_has_passed_it() -> None:
    merge = Merge([A, B])
    merge.add([record("a", 0, 10), record("a", 1, 20)])
    assert merge.ready() == []
    merge.add([record("b", 0, 15)])
    assert [time for time, _ in merge.ready()] == [10]  # b may have more at 15
    assert merge.watermark == 15
    assert merge.positions() == {A: 1, B: 0}


def test_who_knows_can_promise() -> None:
    merge = Merge([A, B])
    merge.add([record("a", 0, 10), record("a", 1, 20), record("a", 2, 30)])
    merge.advance("b", 0, 20)
    assert [time for time, _ in merge.ready()] == [10]
    merge.advance("b", 0, 5)  # an older promise takes nothing back
    assert merge.watermark == 20
    merge.finish()
    assert [time for time, _ in merge.ready()] == [20, 30]
    assert merge.watermark == END_OF_TIME


def test_a_broken_promise_is_counted_and_loses_nothing() -> None:
    merge = Merge([A])
    merge.advance("a", 0, 20)
    merge.add([record("a", 0, 10), record("a", 1, 25), record("a", 2, 40)])
    assert [(time, each.timestamp_ms) for time, each in merge.ready()] == [(20, 10), (25, 25)]
    assert merge.late == 1


def test_at_the_same_time_the_order_is_by_topic_and_key() -> None:
    merge = Merge([B, A])
    records = [record("b", 0, 5, key=None), record("a", 0, 5, key="y"), record("a", 1, 5, key="x")]
    assert [(each.topic, each.key) for _, each in to_the_end(merge, records)] == [("a", "x"), ("a", "y"), ("b", None)]


@pytest.mark.parametrize(("disorder", "late", "times"), [(0, 2, [10, 10, 10, 12]), (3, 0, [8, 9, 10, 12])])
def test_disorder_within_a_partition_is_sorted_as_far_as_asked(disorder: int, late: int, times: list[int]) -> None:
    merge = Merge([A], disorder)
    records = [record("a", offset, time) for offset, time in enumerate([10, 8, 9, 12])]
    assert [time for time, _ in to_the_end(merge, records)] == times
    assert merge.late == late


def test_what_comes_again_is_skipped() -> None:
    merge = Merge([A])
    records = [record("a", 0, 1), record("a", 1, 2)]
    merge.add([*records, *records])
    merge.finish()
    assert len(merge.ready()) == 2
    assert merge.redelivered == 2


def test_what_overtook_an_earlier_offset_is_not_given_out_again() -> None:
    records = [record("a", offset, time) for offset, time in enumerate([10, 5, 12])]
    before, after = Merge([A], 6), Merge([A], 6)
    before.add(records)
    assert [each.offset for _, each in before.ready()] == [1]
    assert before.positions() == {A: 0}
    after.restore(before.state())
    assert [each.offset for _, each in to_the_end(after, records)] == [0, 2]


def test_offsets_may_have_gaps() -> None:
    merge = Merge([A])
    merge.add([record("a", 3, 1), record("a", 7, 2)])
    assert [each.offset for _, each in merge.ready()] == [3]
    assert merge.positions() == {A: 7}


def test_a_state_stays_small_while_an_input_is_silent() -> None:
    merge = Merge([A, B])
    merge.add([record("a", offset, offset) for offset in range(5000)])
    assert merge.ready() == []
    assert len(json.dumps(merge.state())) < 200


def test_a_partition_that_is_no_input() -> None:
    with pytest.raises(InvalidArgument, match=r"a record of c-0 came, which is no input: .* beside a-0, b-0"):
        Merge([A, B]).add([record("c", 0, 1)])
    with pytest.raises(InvalidArgument, match="b-0"):
        Merge([A]).advance("b", 0, 1)


def test_a_state_of_other_inputs() -> None:
    with pytest.raises(InvalidArgument, match="this state is of other inputs"):
        Merge([A]).restore(Merge([A, B]).state())
