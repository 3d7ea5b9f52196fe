from __future__ import annotations

import pandas as pd

from kafkalab.observe.plots.spans import changes, partitions_words, spans, stories


def test_equal_samples_are_one_span_that_lasts_until_the_next() -> None:
    samples = pd.DataFrame(
        [(3.0, "t", 0, "y"), (0.5, "t", 0, "x"), (1.0, "t", 0, "x"), (1.0, "t", 1, "z"), (4.0, "t", 0, "x")],
        columns=["second", "topic", "partition", "state"],
    )
    found = spans(samples, "state", 5.0)
    assert found.to_numpy().tolist() == [
        ["t", 0, "x", 0.5, 3.0],
        ["t", 0, "y", 3.0, 4.0],
        ["t", 0, "x", 4.0, 5.0],
        ["t", 1, "z", 1.0, 5.0],
    ]


def test_changes_leaves_out_what_did_not_change() -> None:
    assert changes([1, 1, 2, 2, 1]) == [1, 2, 1]
    assert changes([]) == []


def test_partitions_are_named_by_topic() -> None:
    assert partitions_words([("a", 0)]) == "a-0"
    assert partitions_words([("a", 0), ("a", 2), ("b", 1)]) == "partitions 0 and 2 of a and b-1"


def test_only_the_first_stories_are_told() -> None:
    assert stories({"x": [("a", 0)], "y": [("a", 1)]}) == "a-0: x; a-1: y"
    assert stories({str(n): [("a", n)] for n in range(8)}).endswith("a-5: 5; and 2 more")
