from __future__ import annotations

import pandas as pd
import pytest

from kafkalab.observe import plots
from tests.unit.observe.plots.conftest import FAULTS, LONG, complaints, shown


def lags(*partitions: list[int], topic: str = "t") -> pd.DataFrame:
    return pd.DataFrame(
        [(float(second), topic, n, lag) for n, of in enumerate(partitions) for second, lag in enumerate(of)],
        columns=["second", "topic", "partition", "lag"],
    )


def test_each_partition_and_all_together_have_a_line() -> None:
    picture = plots.lag_curve(lags([0, 5, 1], [2, 4, 0]))
    lines = [line.get_ydata().tolist() for line in picture.figure.axes[0].lines]  # type: ignore[union-attr]
    assert lines == [[0, 5, 1], [2, 4, 0], [2, 9, 1]]
    assert picture.data[picture.data["partition"] == 1]["lag"].tolist() == [2, 4, 0]
    assert shown(picture.figure)[:3] == ["partition 0", "partition 1", "all together"]
    assert picture.measured == "Highest lag 9 records at 1.0 s."


@pytest.mark.parametrize(
    ("lag", "words"),
    [
        ([0, 9, 0], "it grows, then is worked off to nothing"),
        ([1, 9, 4], "it grows, then is worked off in part"),
        ([9, 4, 0], "it is worked off to nothing"),
        ([0, 4, 9], "it grows"),
        ([3, 3], "it stays as it is"),
        ([0, 0], "none at any time"),
    ],
)
def test_the_text_tells_the_shape(lag: list[int], words: str) -> None:
    assert plots.lag_curve(lags(lag)).alt == f"Lag of 1 partition together: {words}."


def test_of_many_partitions_the_lines_are_grey_and_named_once() -> None:
    picture = plots.lag_curve(lags(*([n, 0] for n in range(9))))
    assert len(picture.figure.axes[0].lines) == 10
    assert shown(picture.figure)[:2] == ["each partition", "all together"]


def test_no_label_overlaps() -> None:
    several = pd.concat([lags([0, *[10**9] * 11], topic=f"{LONG}-{n}") for n in range(6)])
    assert complaints(plots.lag_curve(several, FAULTS).figure) == []
    assert complaints(plots.lag_curve(lags([0])).figure) == []
