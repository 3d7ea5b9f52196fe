"""A topic to be: defaults, assignment in turn, and refusals."""

from __future__ import annotations

import pytest

from kafkalab.clusters.topics import NewTopic
from kafkalab.errors import InvalidArgument, NotRunning


def _topic(partitions: object = 1, replicas: object = None, running: tuple[int, ...] = (1, 2, 3)) -> NewTopic:
    return NewTopic.checked("orders", partitions, replicas, {}, list(running))  # type: ignore[arg-type]


def test_partitions_are_assigned_in_turn_from_the_first_broker() -> None:
    assert _topic(4, 2).assignments == {0: [1, 2], 1: [2, 3], 2: [3, 1], 3: [1, 2]}


@pytest.mark.parametrize(("running", "replicas"), [((1,), 1), ((1, 3), 2), ((1, 2, 3, 4), 3)])
def test_three_replicas_are_the_default_where_there_are_three_brokers(running: tuple[int, ...], replicas: int) -> None:
    assert len(_topic(running=running).assignments[0]) == replicas


def test_only_running_brokers_get_replicas() -> None:
    assert _topic(2, 2, running=(1, 3)).assignments == {0: [1, 3], 1: [3, 1]}


@pytest.mark.parametrize("count", [0, -1, 1.5, "2", True])
def test_counts_that_cannot_be_are_refused(count: object) -> None:
    with pytest.raises(InvalidArgument, match=r"^partitions=.* is not possible"):
        _topic(count)
    with pytest.raises(InvalidArgument, match=r"^replication_factor=.* is not possible"):
        _topic(1, count)


def test_more_replicas_than_brokers_are_refused_with_what_would_do() -> None:
    with pytest.raises(
        InvalidArgument, match="replication_factor=4 is more than the 3 running brokers: ask for at most 3"
    ):
        _topic(1, 4)


def test_without_a_running_broker_there_is_no_topic() -> None:
    with pytest.raises(NotRunning, match="no broker of this cluster is running"):
        _topic(running=())


def test_settings_are_written_as_kafka_writes_them() -> None:
    topic = NewTopic.checked("t", 1, 1, {"unclean.leader.election.enable": True, "retention.ms": 5}, [1])
    assert topic.config == {"unclean.leader.election.enable": "true", "retention.ms": "5"}
