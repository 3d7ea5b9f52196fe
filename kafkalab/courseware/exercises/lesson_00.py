"""The exercises of lesson 00, Start here."""

from __future__ import annotations

from typing import Any

from kafkalab import Cluster
from kafkalab.courseware.declaration import NotDoneYet, exercise, expect
from kafkalab.courseware.exercises.reading import records_of, require_topic, rows_of
from kafkalab.errors import InvalidArgument

__all__ = ["first_record", "first_topic", "two_readers"]


@exercise(
    "00.first-topic",
    task="Make a topic with three partitions, each kept by three brokers.",
    hints=(
        "The topic `orders` was made with cluster.create_topic near the top of this lesson.",
        "Beside the name it takes partitions=3 and replication_factor=3: cluster.create_topic(...)",
    ),
)
def first_topic(cluster: Cluster, *, my_topic: object) -> str:
    """Look at the topic's partitions and their replicas."""
    topic = require_topic(cluster, my_topic, "my_topic")
    partitions = cluster.partitions(topic)
    count, copies = len(partitions), {len(replicas) for replicas in partitions["replicas"]}
    expect(count == 3, f"topic {topic} has {_counted(count, 'partition')}, and three are wanted.")
    expect(
        copies == {3},
        f"a partition of topic {topic} is kept by {_counted(min(copies), 'broker')}, not by three.",
    )
    return f"topic {topic} has 3 partitions, each kept by 3 brokers."


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


@exercise(
    "00.first-record",
    task="Send one record with a key, a value and a header to your topic, and keep its metadata.",
    hints=(
        "The first order was sent with a key, a value and a header: the same call, to my_topic.",
        'producer.send(my_topic, key=b"...", value=b"...", headers=[("...", b"...")]).get(timeout=10)',
    ),
)
def first_record(cluster: Cluster, *, my_topic: object, sent: object) -> str:
    """Read the record at the offset that the producer was told."""
    topic = require_topic(cluster, my_topic, "my_topic")
    record = _stored(cluster, topic, sent)
    missing = [part for part in ("key", "value", "headers") if not getattr(record, part)]
    where = f"the record at offset {record.offset} of partition {record.partition}"
    expect(not missing, f"{where} is there, and has no {' and no '.join(missing)}.")
    names = ", ".join(name for name, _ in record.headers)
    return f"{where} of topic {topic} has the key {_text(record.key)}, a value, and the header {names}."


def _stored(cluster: Cluster, topic: str, sent: object) -> Any:
    expect(
        hasattr(sent, "offset") and hasattr(sent, "partition"),
        f"`sent` is a {type(sent).__name__}, not a record's metadata: add .get(timeout=10) after send(...).",
    )
    place: Any = sent
    expect(place.topic == topic, f"the record went to topic {place.topic}, and it should go to {topic}.")
    for record in records_of(cluster, topic):
        if (record.partition, record.offset) == (place.partition, place.offset):
            return record
    raise NotDoneYet(f"topic {topic} has no record at offset {place.offset} of partition {place.partition}.")


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="backslashreplace")


@exercise(
    "00.two-readers",
    task="Read your topic with two consumers that belong to two different groups.",
    hints=(
        "What tells Kafka that two consumers are strangers to each other is their group_id.",
        (
            "with KafkaConsumer(my_topic, **cluster.client_config(), group_id=first_group, "
            'auto_offset_reset="earliest", consumer_timeout_ms=10_000) as consumer: '
            "list(islice(consumer, 1)); and the same for second_group."
        ),
    ),
)
def two_readers(cluster: Cluster, *, my_topic: object, first_group: object, second_group: object) -> str:
    """Look how far each group has committed in the topic."""
    topic = require_topic(cluster, my_topic, "my_topic")
    first, second = _group_name(first_group, "first_group"), _group_name(second_group, "second_group")
    expect(first != second, f"both names are {first!r}: two groups need two names.")
    stored = len(records_of(cluster, topic))
    expect(stored > 0, f"topic {topic} holds no record yet, so there is nothing to read: do exercise 2 first.")
    # One record is enough: however often exercise 2 was run, the same answer is right.
    read = [_counted(_committed(cluster, topic, group), "record") for group in (first, second)]
    return f"two groups have read topic {topic}, each by itself: {first} {read[0]}, {second} {read[1]}."


def _group_name(answer: object, name: str) -> str:
    if not isinstance(answer, str):
        raise NotDoneYet(
            f'`{name}` is of type {type(answer).__name__}, not a group\'s name: write {name} = cluster.name("...") '
            f"with a name in place of the dots, and give {name} to the consumer as group_id."
        )
    return answer


def _committed(cluster: Cluster, topic: str, group: str) -> int:
    try:
        offsets = cluster.lag(group)
    except InvalidArgument as error:
        raise NotDoneYet(f"Kafka knows no group {group!r} yet: give it to a consumer as group_id, and read.") from error
    # Topics of the lessons start at offset 0, so that a committed offset is the number of records read.
    read = int(rows_of(cluster, topic, offsets)["committed"].clip(lower=0).sum())
    expect(
        read > 0,
        f"group {group} has committed no record of topic {topic} yet: read one, and close the consumer "
        "(the end of a `with` block does, and so does consumer.close()), because closing commits.",
    )
    return read
