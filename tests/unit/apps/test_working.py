"""An application at work, on records as consumers get them."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterable
from itertools import count
from zlib import crc32

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from kafkalab.apps import APPLICATIONS, Received, Task
from kafkalab.apps.city import Planners
from kafkalab.apps.fingerprint import Fingerprint
from kafkalab.apps.stocks import Analyst, DecisionMaker, TradingAlgorithm
from kafkalab.apps.working import Working
from kafkalab.simulation import SOURCES
from tests.unit.apps.conftest import PARTITIONS, run, small_records

OWN = {name: set(source.topics) for name, source in SOURCES.items()}
EVERY = [pytest.param(source, task, id=name) for source, each in APPLICATIONS.items() for name, task in each.items()]


def starts_of(task: type[Task], first: int = 0) -> dict[tuple[str, int], int]:
    return {(topic, number): first for topic in task.reads for number in range(PARTITIONS)}


def records_for(source: str, task: type[Task]) -> list[Received]:
    return [record for record in small_records(source) if record.topic in task.reads]


def fingerprint_of(task: type[Task], records: Iterable[Received]) -> str:
    fingerprint = Fingerprint()
    fingerprint.add(run(task, records))
    return str(fingerprint)


def raced(records: list[Received], seed: int) -> list[Received]:
    """Let three producers write, each some keys, and each as quickly as it happens to be."""
    rng = np.random.default_rng(seed)
    hands: list[deque[Received]] = [deque(), deque(), deque()]
    for record in records:
        hands[crc32((record.key or "").encode()) % 3].append(record)
    written: list[Received] = []
    while waiting := [hand for hand in hands if hand]:
        hand = waiting[int(rng.integers(len(waiting)))]
        written += [hand.popleft() for _ in range(min(len(hand), int(rng.integers(1, 300))))]
    ends: Counter[tuple[str, int]] = Counter()
    moved = []
    for record in written:
        moved.append(record._replace(offset=ends[record[:2]]))
        ends[record[:2]] += 1
    return moved


@pytest.mark.parametrize(("source", "task"), EVERY)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_however_several_producers_race_it_decides_the_same(source: str, task: type[Task], seed: int) -> None:
    records = records_for(source, task)
    own = [record for record in records if record.topic in OWN[source]]
    derived = [record for record in records if record.topic not in OWN[source]]
    written = raced(own, seed) + derived
    working = Working(task, starts_of(task), {record.topic for record in derived}, ordered=False)
    for first in range(0, len(written), 300):
        working.take(written[first : first + 300])
        time_ms = min((each.timestamp_ms for each in written[first + 300 :]), default=2**50)
        working.promise(time_ms, [(*place, end) for place, end in working.reached.items() if place[0] in OWN[source]])
    working.finish()
    told = working.report()
    assert told["fingerprint"] == fingerprint_of(task, records)
    assert (told["late"], told["redelivered"], sum(working.processed.values())) == (0, 0, len(records))


def test_several_producers_wait_for_promises_alone() -> None:
    records = records_for("stocks", Analyst)
    working = Working(Analyst, starts_of(Analyst), ordered=False)
    working.take(records)
    assert sum(working.processed.values()) == 0
    working.promise(records[-1].timestamp_ms, [(*place, end) for place, end in working.reached.items()])
    working.take([])
    assert sum(working.processed.values()) == sum(each.timestamp_ms < records[-1].timestamp_ms for each in records)


def test_a_promise_lets_partitions_without_records_go_on() -> None:
    records = [each for each in records_for("city", Planners) if each.partition != 2]
    working = Working(Planners, starts_of(Planners))
    working.take(records)
    assert working.report()["decisions"] == {}
    ends = [(topic, number, end) for (topic, number), end in working.reached.items()]
    working.promise(records[-1].timestamp_ms, ends)
    assert working.report()["decisions"] == {}
    working.take([])
    assert working.report()["decisions"]["HeatCell"] > 0


def test_it_begins_where_the_topics_ended() -> None:
    records = [each._replace(offset=each.offset + 1000) for each in records_for("stocks", Analyst)]
    working = Working(Analyst, starts_of(Analyst, 1000))
    assert set(working.reached.values()) == set(working.positions().values()) == {1000}
    working.take(records)
    assert working.report()["read"] == len(records)
    working.finish()
    assert sum(working.positions().values()) == 1000 * PARTITIONS + len(records)


def test_what_waits_is_not_committed() -> None:
    records = records_for("stocks", TradingAlgorithm)
    working = Working(TradingAlgorithm, starts_of(TradingAlgorithm))
    working.take(records)
    waiting = sum(working.reached.values()) - sum(working.positions().values())
    assert 0 < waiting == len(records) - sum(working.processed.values())


def test_what_has_a_topic_is_to_be_sent() -> None:
    records = records_for("stocks", DecisionMaker)
    working = Working(DecisionMaker, starts_of(DecisionMaker))
    sent = [*working.take(records), *working.finish()]
    decisions = working.report()["decisions"]
    assert {record.topic for record in sent} <= {"portfolio-trades", "portfolio-alerts"}
    assert 0 < len(sent) == sum(decisions.values()) - decisions["Valuation"]


def test_a_report_has_what_is_new_and_can_be_told() -> None:
    clock = map(float, count(50))
    records = records_for("stocks", Analyst)
    working = Working(Analyst, starts_of(Analyst), clock=lambda: next(clock))
    for first in range(0, 200, 100):
        working.take(records[first : first + 100])
    told = json.loads(json.dumps(working.report()))
    assert {at for _, _, at in told["steps"]} == {50.0, 51.0}
    counts = {index: number for index, number, _ in told["steps"]}  # the last of each
    assert counts == {n: working.processed["stock-prices", n] for n in range(PARTITIONS) if n in counts}
    assert told["read"] == 200
    assert working.report()["steps"] == []
