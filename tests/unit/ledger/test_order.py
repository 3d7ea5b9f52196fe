from __future__ import annotations

from collections import defaultdict

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from kafkalab.ledger import Ledger
from kafkalab.ledger.book import CHUNK
from kafkalab.ledger.order import later_minimum
from tests.unit.ledger.conftest import Story, rows

NONE = np.iinfo(np.int64).max


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2**40)), max_size=30), st.integers(0, 30))
def test_the_least_from_there_on_in_each_group(pairs: list[tuple[int, int]], cut: int) -> None:
    """In two pieces, the later first, as pages come."""
    minimum = np.full(4, NONE)
    found: list[int] = []
    for piece in (pairs[cut:], pairs[:cut]):
        groups, values = np.array([*zip(*piece, strict=True)], np.int64) if piece else np.empty((2, 0), np.int64)
        found = later_minimum(groups, values, minimum).tolist() + found
    least = [min(v for g, v in pairs[index:] if g == group) for index, (group, _) in enumerate(pairs)]
    assert found == least
    by_group = defaultdict(list)
    for group, value in pairs:
        by_group[group].append(value)
    assert minimum.tolist() == [min(by_group[group], default=NONE) for group in range(4)]


def test_order_holds_over_the_end_of_a_chunk() -> None:
    story = Story(Ledger())
    story.sessions[1] = story.ledger.session(1)
    story.sessions[1].identities(CHUNK - 1)
    last, first = story.send(), story.send()
    for record in (first, last):
        story.store(record)
    assert rows(story.verdict(), "reordered") == [(1, CHUNK - 1, "t", 0, 1)]


def test_the_reordered_are_told_in_the_order_of_sending() -> None:
    story = Story()
    records = [story.send() for _ in range(2)]
    story.sessions[1].identities(CHUNK)
    records += [story.send() for _ in range(2)]
    for record in reversed(records):
        story.store(record)
    assert [row[1] for row in rows(story.verdict(), "reordered")] == [0, 1, CHUNK + 2]


@given(st.permutations(range(8)), st.lists(st.sampled_from([b"a", b"b", None]), min_size=8, max_size=8))
def test_as_a_plain_definition_says(order: list[int], keys: list[bytes | None]) -> None:
    story = Story()
    records = [story.send(key) for key in keys]
    for number in order:
        story.store(records[number])
    late = [
        number
        for at, number in enumerate(order)
        if any(before > number and keys[before] == keys[number] for before in order[:at])
    ]
    assert [row[1] for row in rows(story.verdict(), "reordered")] == sorted(late)
