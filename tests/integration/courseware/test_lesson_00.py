"""The checks of lesson 00, on a real cluster: unsolved, half solved, solved."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
from kafka import KafkaConsumer

from kafkalab import Cluster
from kafkalab.courseware.declaration import NotDoneYet
from kafkalab.courseware.exercises.lesson_00 import first_record, first_topic, two_readers
from kafkalab.courseware.exercises.reading import records_of
from kafkalab.courseware.solutions import solution_text

pytestmark = pytest.mark.integration

HEADERS = [("language", b"en")]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=3) as running:
        yield running


def send(cluster: Cluster, topic: str, **parts: Any) -> Any:
    return cluster.producer().send(topic, **parts).get(timeout=20)


def read(cluster: Cluster, topic: str, group: str, count: int) -> None:
    settings = {"auto_offset_reset": "earliest", "consumer_timeout_ms": 30_000}
    with KafkaConsumer(topic, **cluster.client_config(), group_id=group, **settings) as consumer:
        assert len(list(islice(consumer, count))) == count


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (..., "`my_topic` is still `...`"),
        (None, "`my_topic` is of type NoneType, not a topic's name: keep what create_topic returns"),
        ("nowhere", "`my_topic` is 'nowhere', and the cluster has no such topic"),
    ],
)
def test_a_topic_that_is_not_there(cluster: Cluster, answer: object, said: str) -> None:
    with pytest.raises(NotDoneYet, match=said):
        first_topic.judge(cluster, my_topic=answer)


def test_a_topic_with_too_few_partitions(cluster: Cluster) -> None:
    topic = cluster.create_topic("narrow", partitions=1)
    with pytest.raises(NotDoneYet, match="topic narrow has 1 partition, and three are wanted"):
        first_topic.judge(cluster, my_topic=topic)


def test_a_topic_with_too_few_copies(cluster: Cluster) -> None:
    topic = cluster.create_topic("thin", partitions=3, replication_factor=2)
    with pytest.raises(NotDoneYet, match="a partition of topic thin is kept by 2 brokers, not by three"):
        first_topic.judge(cluster, my_topic=topic)


def test_the_topic_asked_for(cluster: Cluster) -> None:
    topic = cluster.create_topic("right", partitions=3)
    assert first_topic.judge(cluster, my_topic=topic) == "topic right has 3 partitions, each kept by 3 brokers."


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"value": b"v"}, "is there, and has no key and no headers"),
        ({"key": b"k", "value": b"v"}, "is there, and has no headers"),
        ({"key": b"k", "headers": HEADERS}, "is there, and has no value"),
    ],
)
def test_a_record_without_a_part(cluster: Cluster, parts: dict[str, Any], said: str) -> None:
    topic = cluster.create_topic(f"parts-{len(cluster.topics())}", partitions=3)
    sent = send(cluster, topic, **parts)
    with pytest.raises(NotDoneYet, match=said):
        first_record.judge(cluster, my_topic=topic, sent=sent)


def test_a_record_in_another_topic(cluster: Cluster) -> None:
    wanted, other = cluster.create_topic("wanted"), cluster.create_topic("other")
    sent = send(cluster, other, key=b"k", value=b"v", headers=HEADERS)
    with pytest.raises(NotDoneYet, match="went to topic other, and it should go to wanted"):
        first_record.judge(cluster, my_topic=wanted, sent=sent)


def test_a_future_is_no_metadata(cluster: Cluster) -> None:
    topic = cluster.create_topic("hasty")
    future = cluster.producer().send(topic, key=b"k", value=b"v", headers=HEADERS)
    with pytest.raises(NotDoneYet, match=r"add \.get\(timeout=10\) after send"):
        first_record.judge(cluster, my_topic=topic, sent=future)


def test_metadata_of_a_record_that_is_not_stored(cluster: Cluster) -> None:
    topic = cluster.create_topic("stored")
    sent = send(cluster, topic, key=b"k", value=b"v", headers=HEADERS)._replace(offset=7)
    with pytest.raises(NotDoneYet, match="topic stored has no record at offset 7 of partition 0"):
        first_record.judge(cluster, my_topic=topic, sent=sent)


def test_the_record_asked_for(cluster: Cluster) -> None:
    topic = cluster.create_topic("whole", partitions=3)
    sent = send(cluster, topic, key="größe".encode(), value=b"v", headers=HEADERS)
    assert first_record.judge(cluster, my_topic=topic, sent=sent).endswith(
        "of topic whole has the key größe, a value, and the header language."
    )


def test_two_readers_of_an_empty_topic(cluster: Cluster) -> None:
    topic = cluster.create_topic("empty", partitions=3)
    with pytest.raises(NotDoneYet, match="holds no record yet, so there is nothing to read"):
        two_readers.judge(cluster, my_topic=topic, first_group="a", second_group="b")


def test_two_readers(cluster: Cluster) -> None:
    topic = cluster.create_topic("shared", partitions=3)
    for number in range(5):
        send(cluster, topic, value=b"v", partition=number % 2)
    answers = {"my_topic": topic, "first_group": "first", "second_group": "second"}
    with pytest.raises(NotDoneYet, match="Kafka knows no group 'first' yet"):
        two_readers.judge(cluster, **answers)
    read(cluster, topic, "first", 5)
    with pytest.raises(NotDoneYet, match="Kafka knows no group 'second' yet"):
        two_readers.judge(cluster, **answers)
    with pytest.raises(NotDoneYet, match="both names are 'first': two groups need two names"):
        two_readers.judge(cluster, **answers | {"second_group": "first"})
    # Any number will do: how many records there are depends on how often the exercise above was run.
    read(cluster, topic, "second", 1)
    said = two_readers.judge(cluster, **answers)
    assert said == "two groups have read topic shared, each by itself: first 5 records, second 1 record."


def test_the_solution_is_right_however_many_records_there_are(cluster: Cluster) -> None:
    topic = cluster.create_topic("often", partitions=3)
    for number in range(4):
        send(cluster, topic, value=b"v", partition=number % 3)
    learner = {"cluster": cluster, "my_topic": topic, "KafkaConsumer": KafkaConsumer, "islice": islice}
    exec(solution_text("00.two-readers"), learner)
    names = {name: learner[name] for name in ("first_group", "second_group")}
    said = two_readers.judge(cluster, my_topic=topic, **names)
    assert said == "two groups have read topic often, each by itself: readers 1 record, archive 1 record."


def test_a_reader_of_another_topic(cluster: Cluster) -> None:
    topic, other = cluster.create_topic("read-by-one"), cluster.create_topic("read-by-another")
    for name in (topic, other):
        send(cluster, name, value=b"v")
    read(cluster, topic, "stays", 1)
    read(cluster, other, "strays", 1)
    with pytest.raises(NotDoneYet, match=f"group strays has committed no record of topic {topic} yet"):
        two_readers.judge(cluster, my_topic=topic, first_group="stays", second_group="strays")


def test_a_reader_that_is_not_closed(cluster: Cluster) -> None:
    topic = cluster.create_topic("held")
    send(cluster, topic, value=b"v")
    read(cluster, topic, "closed", 1)
    answers = {"my_topic": topic, "first_group": "closed", "second_group": "open"}
    settings = {"auto_offset_reset": "earliest", "consumer_timeout_ms": 30_000}
    with KafkaConsumer(topic, **cluster.client_config(), group_id="open", **settings) as consumer:
        assert len(list(islice(consumer, 1))) == 1
        with pytest.raises(NotDoneYet, match=r"group open has committed no record .* because closing commits"):
            two_readers.judge(cluster, **answers)
    assert two_readers.judge(cluster, **answers).endswith("closed 1 record, open 1 record.")


def test_two_names_that_are_no_names(cluster: Cluster) -> None:
    topic = cluster.create_topic("nameless")
    send(cluster, topic, value=b"v")
    records = records_of(cluster, topic)
    said = "^`first_group` is of type list, not a group's name: write first_group = cluster.name"
    with pytest.raises(NotDoneYet, match=said):
        two_readers.judge(cluster, my_topic=topic, first_group=records, second_group=records)
    with pytest.raises(NotDoneYet, match=r"^`second_group` is of type int"):
        two_readers.judge(cluster, my_topic=topic, first_group="first", second_group=7)
