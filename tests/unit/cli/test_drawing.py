from __future__ import annotations

import re
from dataclasses import replace

import pytest
from rich.console import Console

from kafkalab.cli.chronicle import Entry
from kafkalab.cli.drawing import Frame, draw, sparkline
from kafkalab.cli.meters import Reader
from kafkalab.observe.looking import NodeSeen, PartitionSeen

PARTITIONS = [
    PartitionSeen("stock-prices", 0, 2, (1, 2, 3), (2, 3)),
    PartitionSeen("stock-prices", 1, 2, (2, 3, 1), (2, 3)),
    PartitionSeen("stock-prices", 2, -1, (3, 1, 2), (3,)),
]
NODES = [
    NodeSeen(1, "broker", "stopped", "stopped", "not noticed yet"),
    NodeSeen(2, "broker", "running", "running"),
    NodeSeen(3, "broker", "running", "running, slowed"),
    NodeSeen(101, "controller", "running", "running"),
]
FIRST = Frame("1,000 records of [x]", records=1000, done=0, elapsed=0.5, sent=40, acknowledged=0)


def drawn(frame: Frame) -> list[str]:
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        console.print(draw(frame))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_at_first_there_are_only_counts() -> None:
    title, bar, *rest = drawn(FIRST)
    assert title == "1,000 records of [x]"
    assert bar.endswith("0% 0.5 s")
    assert rest == ["", "sent          40", "acknowledged   0  40 in flight"]


def test_brokers_with_what_they_lead_and_keep_in_sync() -> None:
    lines = drawn(replace(FIRST, nodes=NODES, partitions=PARTITIONS, watched=PARTITIONS[0]))
    assert [re.split("  +", line) for line in lines if "partitions" in line] == [
        ["1", "stopped (not noticed yet)", "0 of 3 partitions", "0 of 3"],
        ["2", "running", "2 of 3 partitions", "2 of 3"],
        ["3", "running, slowed", "0 of 3 partitions", "3 of 3"],
    ]
    assert lines[-1] == "stock-prices-0: leader 2, in-sync replicas 2, 3"


def test_what_is_old_is_called_old() -> None:
    fresh = replace(FIRST, nodes=NODES, partitions=PARTITIONS, seen_ago=1.4)
    assert not [line for line in drawn(fresh) if "answered" in line]
    old = drawn(replace(fresh, seen_ago=2.6))
    assert old[-1] == "Leaders and replicas are those seen 3 s ago: no broker has answered since."


def test_applications_with_their_lag_and_latency() -> None:
    readers = [Reader("analyst", 1999.6, 12, 4303, (12.4, 30.0, 1834.0)), Reader("decisions", 0.0, 0, 0, None)]
    lines = drawn(replace(FIRST, readers=readers))
    assert [re.split("  +", line) for line in lines[-3:]] == [
        ["application", "records/s", "lag", "decisions", "p50", "p95", "p99"],
        ["analyst", "2,000", "12", "4,303", "12 ms", "30 ms", "1,834 ms"],
        ["decisions", "0", "0", "0"],
    ]


def test_a_partition_without_a_leader() -> None:
    assert drawn(replace(FIRST, watched=PARTITIONS[2]))[-1] == "stock-prices-2: no leader, in-sync replicas 3"


def test_figures_what_happened_and_what_is_to_come() -> None:
    frame = replace(FIRST, done=420, speeds=[0.0, 1000.0, 2000.0], latency=(4.2, 1834.0), sentence="Stopping.")
    lines = drawn(replace(frame, entries=[Entry(3.0, "kill broker 1")], coming="pause broker [2]"))
    assert "42%" in lines[1]
    assert [re.split("  +", line) for line in lines[5:8]] == [
        ["records/s", "2,000", "▁▅█"],
        ["latency p50", "4 ms"],
        ["latency p95", "1,834 ms"],
    ]
    assert lines[-5:] == ["   3.00 s  kill broker 1", "", "To come: pause broker [2].", "", "Stopping."]


@pytest.mark.parametrize(
    ("values", "bars"), [([], ""), ([0.0, 0.0], "▁▁"), ([7.0], "█"), ([0.0, 50.0, 100.0, 100.0], "▁▅██")]
)
def test_a_sparkline_is_as_high_as_its_greatest(values: list[float], bars: str) -> None:
    assert sparkline(values) == bars
