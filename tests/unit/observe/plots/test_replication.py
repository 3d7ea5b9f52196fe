from __future__ import annotations

import pandas as pd

from kafkalab.observe import plots
from tests.unit.observe.plots.conftest import FAULTS, LONG, bars, complaints, shown

COLUMNS = ["second", "topic", "partition", "leader", "replicas", "isr"]
HISTORY = pd.DataFrame(
    [
        (0.0, "t", 0, 1, (1, 2), (1, 2)),
        (1.0, "t", 0, -1, (1, 2), (1, 2)),
        (2.0, "t", 0, 2, (1, 2), (2,)),
        (3.0, "t", 0, 2, (1, 2), (2,)),
        (4.0, "t", 0, 2, (1, 2), (1, 2)),
        (5.0, "t", 0, 2, (1, 2), (1, 2)),
    ],
    columns=COLUMNS,
)


def test_each_replica_is_leader_in_sync_or_neither() -> None:
    picture = plots.isr_timeline(HISTORY)
    assert picture.data.to_numpy().tolist() == [
        ["t", 0, 1, "leader", 0.0, 1.0],
        ["t", 0, 1, "in sync", 1.0, 2.0],
        ["t", 0, 1, "not in sync", 2.0, 4.0],
        ["t", 0, 1, "in sync", 4.0, 5.0],
        ["t", 0, 2, "in sync", 0.0, 2.0],
        ["t", 0, 2, "leader", 2.0, 5.0],
    ]
    drawn = [(row[2] - 1, row[4], row[5]) for row in picture.data.to_numpy().tolist()]
    assert bars(picture.figure) == drawn
    assert {"partition 0, broker 1", "partition 0, broker 2"} <= set(shown(picture.figure))


def test_the_text_tells_the_story_without_seconds() -> None:
    picture = plots.isr_timeline(HISTORY, FAULTS)
    assert picture.alt.startswith(
        "Who led and who was in sync: t-0: leader broker 1, then nobody, then broker 2, "
        "in-sync replicas (1 2), then (2), then (1 2). Marked: kill broker 2, leader of orders-0, pause broker 3"
    )
    assert picture.measured == "Leadership moved: t-0 at 1.0 s to nobody and t-0 at 2.0 s to broker 2."
    assert plots.isr_timeline(HISTORY.assign(second=HISTORY["second"] * 2), FAULTS).alt == picture.alt


def test_no_label_overlaps_however_many_partitions_there_are() -> None:
    many = pd.concat([HISTORY.assign(topic=LONG, partition=n, second=HISTORY["second"] * 2) for n in range(60)])
    assert complaints(plots.isr_timeline(many, FAULTS).figure) == []
    two = pd.concat([HISTORY, HISTORY.assign(topic=LONG)])
    assert complaints(plots.isr_timeline(two).figure) == []
