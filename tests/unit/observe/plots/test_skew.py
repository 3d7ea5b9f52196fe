from __future__ import annotations

import pandas as pd
import pytest

from kafkalab.observe import plots
from tests.unit.observe.plots.conftest import complaints, shown


def test_each_message_counts_and_the_most_frequent_key_is_marked() -> None:
    messages = pd.DataFrame({"partition": [0, 2, 2, 2], "key": [b"a", b"hot", b"hot", b"b"]})
    picture = plots.partition_skew(messages, partitions=4)
    assert picture.data.to_numpy().tolist() == [[0, 1, 0], [1, 0, 0], [2, 3, 2], [3, 0, 0]]
    others, hot = picture.figure.axes[0].containers
    assert [bar.get_height() for bar in others] == [1, 0, 1, 0]
    assert [(bar.get_y(), bar.get_height()) for bar in hot][2] == (1, 2)
    assert "the most frequent key, hot" in shown(picture.figure)
    assert picture.alt == (
        "4 records in 4 partitions; the fullest, 2, has 3 (75%); 2 are empty; "
        "the most frequent key is hot, with 50% of all."
    )


@pytest.mark.parametrize("extra", [{}, {"key": [None, None]}])
def test_counts_without_keys_are_drawn_as_they_are(extra: dict[str, object]) -> None:
    picture = plots.partition_skew(pd.DataFrame({"partition": [1, 0], "records": [30, 10], **extra}))
    assert picture.data.to_numpy().tolist() == [[0, 10, 0], [1, 30, 0]]
    assert picture.alt == "40 records in 2 partitions; the fullest, 1, has 30 (75%)."
    assert {"10", "30", "all keys"} <= set(shown(picture.figure))


@pytest.mark.parametrize(("partitions", "records"), [(8, 1234), (16, 5_000_000), (200, 10**9), (1, 3)])
def test_no_label_overlaps(partitions: int, records: int) -> None:
    counts = pd.DataFrame({"partition": range(partitions), "records": records, "key": "x" * 99})
    assert complaints(plots.partition_skew(counts).figure) == []


def test_the_highest_bar_has_room_though_it_has_none_of_the_most_frequent_key() -> None:
    cold = pd.DataFrame({"partition": 0, "key": [f"cold {number}" for number in range(6)], "records": 500})
    hot = pd.DataFrame({"partition": [1, 2], "key": "hot", "records": 900})
    assert complaints(plots.partition_skew(pd.concat([cold, hot]), partitions=6).figure) == []
