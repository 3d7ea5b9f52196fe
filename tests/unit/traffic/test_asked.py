from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from kafkalab.errors import InvalidArgument
from kafkalab.simulation.source import Block, Kinds, Record, Source, TopicPlan
from kafkalab.traffic import Group
from kafkalab.traffic.asked import Asked


class Silent(Source):
    """Two topics, and nothing is ever said."""

    topics: ClassVar = {"readings": TopicPlan("meter", (), 4), "alarms": TopicPlan("meter", ())}

    @property
    def kinds(self) -> Kinds:
        return {}

    def _blocks(self) -> Iterator[Block]:
        raise AssertionError("nobody asks")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"records": -1}, "records=-1 is not possible"),
        ({"records": 1.5}, "records=1.5 is not possible"),
        ({"records": True}, "records=True is not possible"),
        ({"records": None}, "has no end: say how many records="),
        ({"rate": 0}, "rate=0 is not possible: give records/s above 0"),
        ({"rate": -3.0}, r"rate=-3\.0 is not possible"),
        ({"rate": 1e12}, r"rate=1000000000000\.0 is not possible"),
        ({"rate": float("nan")}, "rate=nan is not possible"),
        ({"rate": "quick"}, "rate='quick' is not possible"),
        ({"speed": 0}, "speed=0 is not possible: give simulated seconds for each real one above 0"),
        ({"rate": 5, "speed": 5}, "rate=5 and speed=5 exclude each other"),
        ({"client": "java"}, "client='java' is not known here: choose from kafka-python, confluent-kafka"),
        ({"producers": 0}, "producers=0 is not possible: give a whole number from 1 to 64"),
        ({"producers": 10_000}, "producers=10000 is not possible"),
        ({"acks": 2}, "acks=2 is not possible: choose 'all', 1 or 0"),
        ({"deadline": 0}, "deadline=0 is not possible"),
        ({"consumers": ["readers"]}, r"consumers=\['readers'\] is not possible"),
        ({"source": 17}, "source=17 is no source"),
        ({"source": "stocks"}, "source='stocks' is no source"),
        ({"faults": "kill"}, r"faults='kill' is no schedule: put faults into faults.Schedule\(\.\.\.\)"),
        ({"topics": {"reading": 3}}, "topics='reading' is none of the source's: choose from readings, alarms"),
        ({"topics": {"readings": "many"}}, "topics='many' is not possible: give a number of partitions"),
        ({"topics": {"readings": {"replicas": 2}}}, "give partitions, replication_factor, config"),
    ],
)
def test_what_cannot_be_is_refused_by_name_and_value(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        Asked(**{"source": Silent(), "records": 10, **given})


@pytest.mark.parametrize(("given", "acks"), [("all", "all"), (-1, "all"), ("1", 1), (0, 0)])
def test_acks_as_kafka_writes_them(given: object, acks: object) -> None:
    assert Asked([], None, acks=given).acks == acks


def test_topics_are_made_as_planned_unless_told_otherwise() -> None:
    plain = Asked(Silent(), 0).topic_settings
    assert {name: settings.partitions for name, settings in plain.items()} == {"readings": 4, "alarms": 6}
    told = Asked(Silent(), 0, topics={"alarms": 1, "readings": {"replication_factor": 2}}).topic_settings
    assert (told["alarms"].partitions, told["readings"].partitions) == (1, 4)
    assert told["readings"].replication_factor == 2


def test_records_without_a_source_end_by_themselves_or_by_number() -> None:
    given = [Record("t", None, b"%d" % n, n) for n in range(5)]
    assert list(Asked(given, None).iterate()) == given
    assert list(Asked(iter(given), 3).iterate()) == given[:3]
    assert Asked(given, None, topics={"t": 2}).topic_settings["t"].partitions == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": ""}, "'' cannot be the name of a group"),
        ({"members": 0}, "members=0 is not possible"),
        ({"commit": "never"}, "commit='never' is not known here: choose from after, before, auto"),
        ({"crash_every": 1}, "crash_every=1 is not possible: give a whole number from 2"),
        ({"crashes": [(1.0, 2)]}, r"crashes=\(1\.0, 2\) is not possible: .* a member from 0 to 1"),
        ({"crashes": [(-1.0, 0)]}, "is not possible"),
        ({"restart_after": -1}, "restart_after=-1 is not possible"),
    ],
)
def test_a_group_that_cannot_be(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        Group(**{"name": "readers", **given})


@pytest.mark.parametrize(("crash_every", "batch"), [(None, 100), (2, 1), (9, 4), (1000, 100)])
def test_a_member_commits_something_before_each_crash(crash_every: int | None, batch: int) -> None:
    assert Group("readers", crash_every=crash_every).batch == batch
