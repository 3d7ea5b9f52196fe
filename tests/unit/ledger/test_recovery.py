from __future__ import annotations

import math

import pytest

from tests.unit.ledger.conftest import Story


def acknowledge(story: Story, sent: float, settled: float, partition: int = 0) -> None:
    record = story.send(at=sent)
    record.entry.acknowledged(partition, story.store(record, partition), settled)


def seconds(story: Story) -> list[float]:
    return [each.seconds for each in story.verdict().recoveries]


def test_recovered_when_the_last_partition_took_a_new_record() -> None:
    story = Story()
    for partition in range(3):
        acknowledge(story, 1.0, 1.5, partition)
    story.ledger.event("kill", 10.0)
    for partition, settled in enumerate([11.0, 14.0, 12.0]):
        acknowledge(story, 10.5, settled, partition)
        acknowledge(story, 20.0, 21.0, partition)
    (recovery,) = story.verdict().recoveries
    assert recovery == ("kill", 10.0, 4.0)


def test_a_record_sent_before_proves_nothing() -> None:
    story = Story()
    story.ledger.event("kill", 10.0)
    acknowledge(story, 9.9, 10.1)
    assert math.isnan(seconds(story)[0])
    acknowledge(story, 10.0, 12.0)
    assert seconds(story) == [2.0]


def test_events_are_told_by_time_each_with_its_own_recovery() -> None:
    story = Story()
    story.ledger.event("start", 20.0)
    story.ledger.event("kill", 10.0)
    for sent, settled in ((1.0, 2.0), (10.0, 13.0), (20.0, 20.5), (30.0, 31.0)):
        acknowledge(story, sent, settled)
    assert [tuple(each) for each in story.verdict().recoveries] == [("kill", 10.0, 3.0), ("start", 20.0, 0.5)]


def test_what_is_acknowledged_while_a_fault_goes_on_proves_nothing() -> None:
    story = Story()
    story.ledger.event("stop", 10.0, 12.0)
    story.ledger.event("pause", 11.0)
    acknowledge(story, 10.5, 10.6)
    assert [math.isnan(each) for each in seconds(story)] == [True, True]
    acknowledge(story, 11.5, 11.6)
    assert math.isnan(seconds(story)[0])
    assert seconds(story)[1] == pytest.approx(0.6)
    acknowledge(story, 12.5, 12.75)
    assert next(tuple(each) for each in story.verdict().recoveries) == ("stop", 10.0, 2.75)


def test_a_later_record_may_be_the_first_to_be_acknowledged() -> None:
    story = Story()
    story.ledger.event("kill", 10.0)
    story.ledger.event("start", 12.0)
    acknowledge(story, 11.0, 19.0)
    acknowledge(story, 13.0, 15.0)
    assert seconds(story) == [5.0, 3.0]


def test_a_partition_that_was_written_and_not_acknowledged_has_not_recovered() -> None:
    story = Story()
    story.ledger.event("kill", 10.0)
    acknowledge(story, 10.0, 11.0, partition=0)
    assert seconds(story) == [1.0]
    story.store(story.send(at=10.0), partition=1)
    assert math.isnan(seconds(story)[0])


@pytest.mark.parametrize("failed", [True, False])
def test_a_partition_in_use_is_in_doubt_where_a_send_was_not_acknowledged(failed: bool) -> None:
    story = Story()
    for partition in (0, 1):
        acknowledge(story, 1.0, 2.0, partition)
    story.ledger.event("kill", 10.0)
    acknowledge(story, 10.0, 11.0, partition=0)
    assert seconds(story) == [1.0]
    record = story.send(at=10.0)
    if failed:
        record.entry.failed(12.0, "NotLeaderOrFollower")
    assert math.isnan(seconds(story)[0])
    acknowledge(story, 13.0, 14.0, partition=1)
    assert seconds(story) == [4.0]


def test_a_partition_that_was_never_used_is_not_in_doubt() -> None:
    story = Story()
    story.bound(0, 0, place=("t", 1))
    acknowledge(story, 1.0, 2.0)
    story.ledger.event("kill", 10.0)
    acknowledge(story, 10.0, 11.0)
    story.send(at=10.0)
    assert seconds(story) == [1.0]


def test_another_topic_is_not_in_doubt() -> None:
    story = Story()
    story.good(topic="other", at=1.0)
    story.ledger.event("kill", 10.0)
    acknowledge(story, 10.0, 11.0)
    story.send(at=10.0)
    assert seconds(story) == [1.0]


def test_without_events_there_is_nothing_to_recover_from() -> None:
    assert Story().verdict().recoveries == ()
    silent = Story()
    silent.ledger.event("kill", 1.0)
    assert math.isnan(seconds(silent)[0])
