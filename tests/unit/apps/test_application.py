"""What holds for every application: the same outputs however the same records come."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from kafkalab.apps import APPLICATIONS, Application, Output, Received, Task
from kafkalab.apps.city import Planners
from kafkalab.apps.social import BrandMonitor, SentimentAnalysis
from kafkalab.apps.stocks import Analyst, DecisionMaker, TradingAlgorithm
from kafkalab.errors import InvalidArgument
from kafkalab.simulation import SOURCES
from tests.unit.apps.conftest import interleaved, partitions_of, run, small_records

EVERY = [pytest.param(source, task, id=name) for source, each in APPLICATIONS.items() for name, task in each.items()]
every_application = pytest.mark.parametrize(("source", "task"), EVERY)


def records_for(source: str, task: type[Task]) -> list[Received]:
    return [record for record in small_records(source) if record.topic in task.reads]


@cache
def wanted(source: str, task: type[Task]) -> Counter[Output]:
    """What follows from the records in the order in which they were sent."""
    return Counter(run(task, records_for(source, task)))


def with_redelivery(records: list[Received], seed: int) -> list[Received]:
    """Let the reader go back now and then, as after a rebalance: some partition's last records come again."""
    rng = np.random.default_rng(seed)
    again: list[Received] = []
    for place, record in enumerate(records):
        again.append(record)
        if rng.random() < 0.01:
            again += [each for each in records[max(0, place - 50) : place] if each[:2] == record[:2]]
    return again


@every_application
@given(seed=st.integers(0, 2**32 - 1), stalled=st.integers(0, 20), batch=st.sampled_from([7, 100, 2000]))
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_interleaving_stalls_and_redelivery_change_nothing(
    source: str, task: type[Task], seed: int, stalled: int, batch: int
) -> None:
    records = records_for(source, task)
    mixed = with_redelivery(interleaved(records, seed, stalled), seed)
    assert Counter(run(task, mixed, batch)) == wanted(source, task)


@every_application
@given(seed=st.integers(0, 2**32 - 1), batch=st.sampled_from([50, 400]), disorder=st.sampled_from([0, 60_000]))
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_crash_changes_nothing(source: str, task: type[Task], seed: int, batch: int, disorder: int) -> None:
    records = records_for(source, task)
    mixed = interleaved(records, seed)
    crash = int(np.random.default_rng(seed).integers(len(mixed)))
    first, second = (Application(task, partitions_of(task), disorder) for _ in range(2))
    outputs = [
        out for start in range(0, crash, batch) for out in first.process(mixed[start : min(crash, start + batch)])
    ]
    second.restore(json.loads(json.dumps(first.state())))
    positions = second.positions()
    outputs += second.process([record for record in mixed if record.offset >= positions[record[:2]]])
    assert Counter(outputs + second.finish()) == wanted(source, task)


@every_application
def test_outputs_are_of_the_kinds_that_are_told(source: str, task: type[Task]) -> None:
    outputs = run(task, records_for(source, task))
    assert outputs
    assert {type(output) for output in outputs} <= set(task.gives)
    for output in outputs[:200]:
        assert output.topic is None or output.record().key


@every_application
def test_state_is_bounded(source: str, task: type[Task]) -> None:
    records = records_for(source, task)
    application = Application(task, partitions_of(task))
    sizes = []
    for first in range(0, len(records), 100):
        application.process(records[first : first + 100])
        sizes.append(len(json.dumps(application.state())))
    # What is learned of each key in the first half; windows come and go.
    assert max(sizes[len(sizes) // 2 :]) < 2.0 * max(sizes[: len(sizes) // 2])


def test_the_applications_are_those_of_the_sources() -> None:
    assert set(APPLICATIONS) <= set(SOURCES)
    for source, applications in APPLICATIONS.items():
        own = {kind.topic for task in applications.values() for kind in task.gives}
        assert {topic for task in applications.values() for topic in task.reads} <= set(SOURCES[source].topics) | own


def test_some_partitions_are_enough_for_a_member_of_a_group() -> None:
    records = small_records("stocks")
    parts: list[Output] = []
    for mine in ([0, 3], [1, 2, 4, 5]):
        member = Application(TradingAlgorithm, dict.fromkeys(TradingAlgorithm.reads, mine))
        given = [each for each in records if each.topic in TradingAlgorithm.reads and each.partition in mine]
        parts += member.process(given) + member.finish()
    assert Counter(parts) == wanted("stocks", TradingAlgorithm)


def test_a_member_takes_over_with_the_others_state() -> None:
    records = records_for("social", BrandMonitor)
    whole = Application(BrandMonitor, partitions_of(BrandMonitor))
    outputs = whole.process(records[:150])
    state = whole.state()
    for partition in range(6):
        member = Application(BrandMonitor, {"social-mentions": [partition]})
        member.restore(state)
        outputs += member.process(each for each in records if each.partition == partition) + member.finish()
    assert Counter(outputs) == wanted("social", BrandMonitor)


def test_a_stalled_partition_holds_up_only_who_needs_it() -> None:
    city, social = small_records("city"), small_records("social")
    waits = Application(Planners, partitions_of(Planners))
    assert not waits.process(each for each in city if each.topic == "traffic-flow" and each.partition != 2)
    end = city[-1].timestamp_ms
    # No key falls into some partitions of so few: they hold up who waits for all until somebody promises for them.
    assert not [out for number in (0, 1, 3, 4, 5) for out in waits.advance("traffic-flow", number, end)]
    assert waits.advance("traffic-flow", 2, end)
    goes_on = Application(SentimentAnalysis, partitions_of(SentimentAnalysis))
    assert goes_on.process(each for each in social if each.topic == "social-posts" and each.partition != 2)


def test_two_producers_to_a_partition_within_the_disorder() -> None:
    records = records_for("stocks", DecisionMaker)
    rng = np.random.default_rng(1)
    delays = {record.key: int(rng.integers(0, 60_000)) for record in records}
    raced = sorted(records, key=lambda record: record.timestamp_ms + delays[record.key])
    offsets: dict[tuple[str, int], int] = {}
    moved = []
    for record in raced:
        offsets[record[:2]] = offsets.get(record[:2], -1) + 1
        moved.append(record._replace(offset=offsets[record[:2]]))
    sorting, plain = (Application(DecisionMaker, partitions_of(DecisionMaker), disorder) for disorder in (60_000, 0))
    assert Counter(sorting.process(moved) + sorting.finish()) == wanted("stocks", DecisionMaker)
    assert sorting.counts["late"] == 0
    plain.process(moved)
    assert plain.counts["late"] > 0


def test_counts() -> None:
    records = records_for("stocks", Analyst)
    application = Application(Analyst, partitions_of(Analyst))
    application.process(records)
    application.process(records[-10:])
    assert application.counts == {"redelivered": 10, "late": 0, "too_late": 0}


@pytest.mark.parametrize(
    ("task", "partitions", "why"),
    [
        (Analyst, {}, "Analyst reads stock-prices, not nothing"),
        (Analyst, {"stock-prices": 6, "x": 6}, "not stock-prices, x"),
        (Analyst, {"stock-prices": 0}, "a topic has at least one"),
        (TradingAlgorithm, {"stock-prices": 6, "news-sentiment": 3}, "needs the same partitions of"),
    ],
)
def test_partitions_that_cannot_be(task: type[Task], partitions: dict[str, int], why: str) -> None:
    with pytest.raises(InvalidArgument, match=why):
        Application(task, partitions)


def test_a_record_that_it_does_not_read() -> None:
    application = Application(Analyst, {"stock-prices": [1]})
    stray = Received("stock-prices", 0, 0, "A", {}, 1)
    with pytest.raises(InvalidArgument, match="Analyst does not read stock-prices-0"):
        application.process([stray])
    with pytest.raises(InvalidArgument, match="does not read stock-prices-0"):
        application.advance("stock-prices", 0, 1)


def test_a_state_of_another_application() -> None:
    with pytest.raises(InvalidArgument, match="this state is of Analyst, and cannot be restored to BrandMonitor"):
        Application(BrandMonitor, {"social-mentions": 6}).restore(Application(Analyst, {"stock-prices": 6}).state())
