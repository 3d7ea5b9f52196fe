from __future__ import annotations

import threading
import time
from collections.abc import Iterable

import pytest

from kafkalab.simulation.source import Record
from kafkalab.traffic.dealing import Chunk, Dealer, EndOfRecords
from kafkalab.traffic.frontier import Mark
from kafkalab.traffic.pacing import Pace


def records(count: int, keys: int = 5) -> list[Record]:
    return [Record("t", b"%d" % (n % keys), b"%d" % n, n) for n in range(count)]


def dealer(given: Iterable[Record], producers: int = 1, *, rate: float | None = None, size: int = 10) -> Dealer:
    return Dealer(given, producers, Pace(rate), lambda topic: f"anna-{topic}", size)


def taken(source: Dealer, producers: int) -> list[list[Chunk]]:
    """Take in turn until all have all of theirs."""
    chunks: list[list[Chunk]] = [[] for _ in range(producers)]
    left = set(range(producers))
    while left:
        for producer in sorted(left):
            try:
                chunk = source.take(producer)
            except EndOfRecords:
                left.remove(producer)
            else:
                chunks[producer] += [chunk] if chunk else []
    return chunks


def test_one_producer_has_all_in_order_under_their_real_names() -> None:
    given = [*records(25), Record("u", None, b"last", 7, (("h", b"x"),))]
    (chunks,) = taken(dealer(given), 1)
    assert [len(chunk) for chunk in chunks] == [10, 10, 6]
    assert [value for chunk in chunks for value in chunk.values] == [record.value for record in given]
    last = chunks[-1]
    assert (last.topics[0], last.topics[-1], last.keys[-1]) == ("anna-t", "anna-u", None)
    assert (last.timestamps[-1], last.headers[-1]) == (7, (("h", b"x"),))


def test_all_records_of_a_key_go_through_one_producer_in_order() -> None:
    given = records(400, keys=23)
    hands = taken(dealer(given, 4), 4)
    keys = [{key for chunk in chunks for key in chunk.keys} for chunks in hands]
    assert sum(map(len, keys)) == len(set().union(*keys)) == 23
    assert all(keys)
    for chunks in hands:
        numbers = [int(value or b"") for chunk in chunks for value in chunk.values]
        assert numbers == sorted(numbers)
    assert sum(len(chunk) for chunks in hands for chunk in chunks) == 400


def test_keyless_records_are_dealt_in_turn() -> None:
    hands = taken(dealer([Record("t", None, b"%d" % n, n) for n in range(30)], 3), 3)
    assert [sum(map(len, chunks)) for chunks in hands] == [10, 10, 10]


def test_a_producer_that_is_behind_makes_the_others_wait() -> None:
    source = dealer(records(100_000), 2)
    while (chunk := source.take(0)) is not None:
        assert len(chunk) <= 10
    # As soon as the other takes some of its own, it goes on.
    while source.take(0) is None:
        assert source.take(1) is not None


def test_the_pace_begins_when_the_first_records_are_there() -> None:
    source = dealer(records(20), rate=100)
    assert source.began is None
    before = time.monotonic()
    source.take(0)
    began = source.began
    assert began is not None
    assert before <= began <= time.monotonic()
    taken(source, 1)
    assert source.began == began


def test_chunks_are_due_by_the_pace() -> None:
    (chunks,) = taken(dealer(records(20), rate=100), 1)
    assert [chunk.due for chunk in chunks] == pytest.approx([n / 50 for n in range(10)])
    assert {len(chunk) for chunk in chunks} == {2}


def test_a_source_is_read_by_one_thread_at_a_time() -> None:
    # A generator raises ValueError where two threads enter it.
    source = dealer((record for record in records(20_000)), 2)
    counts = [0, 0]

    def take(producer: int) -> None:
        try:
            while True:
                counts[producer] += len(source.take(producer) or ())
        except EndOfRecords:
            return

    threads = [threading.Thread(target=take, args=[number]) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 20_000


@pytest.mark.parametrize("rate", [None, 100.0])
def test_marks_say_how_much_was_dealt_by_when(rate: float | None) -> None:
    one = dealer(records(25), rate=rate)
    taken(one, 1)
    step = 2 if rate else 10  # a tick's, or a chunk's
    assert list(one.marks) == [Mark(n - 1, (n,)) for n in (*range(step, 25, step), 25)]
    several = dealer(records(400, keys=23), 4, rate=rate)
    hands = taken(several, 4)
    assert several.marks[-1] == Mark(399, tuple(sum(map(len, chunks)) for chunks in hands))
    assert all(sum(mark.counts) == mark.time_ms + 1 for mark in several.marks)


def test_marks_that_nobody_takes_are_forgotten() -> None:
    source = dealer(records(3000), size=1)
    taken(source, 1)
    assert (len(source.marks), source.marks[-1]) == (1000, Mark(2999, (3000,)))
