"""What the checks of several lessons look at: a topic that should be there, and all records in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource

from kafkalab import Cluster
from kafkalab.courseware.declaration import NotDoneYet, expect
from kafkalab.errors import InvalidArgument
from kafkalab.waiting import wait_until

__all__ = ["NEW_TOPIC", "expect_keys", "records_of", "require_topic", "rows_of", "setting_of"]

_SECONDS = 20.0

#: What to do where an exercise's cell makes its topic.
NEW_TOPIC = "Run the exercise's cell again: it makes a new topic."


def require_topic(cluster: Cluster, answer: object, name: str) -> str:
    """Return the answer if it names a topic of the cluster.

    Args:
        cluster: where to look.
        answer: what the learner gave.
        name: what the answer is called in the notebook.

    Raises:
        NotDoneYet: it is no text, or there is no such topic.
    """
    expect(
        isinstance(answer, str),
        f"`{name}` is of type {type(answer).__name__}, not a topic's name: keep what create_topic returns.",
    )
    try:
        cluster.partitions(str(answer))  # not looked for in a table: there, a borrowed cluster's names have no prefix
    except InvalidArgument as error:
        topics = ", ".join(cluster.topics()["topic"])
        raise NotDoneYet(f"`{name}` is {answer!r}, and the cluster has no such topic: it has {topics}.") from error
    return str(answer)


def records_of(cluster: Cluster, topic: str) -> list[Any]:
    """Return every record of the topic (kafka-python's ``ConsumerRecord``), by partition and offset.

    Raises:
        WaitTimeout: the end of every partition was not reached in 20 seconds.
    """
    with KafkaConsumer(**cluster.client_config(), auto_offset_reset="earliest") as consumer:
        partitions = [TopicPartition(topic, number) for number in cluster.partitions(topic)["partition"]]
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        found: list[Any] = []

        def behind() -> dict[int, int]:
            for batch in consumer.poll(timeout_ms=200).values():
                found.extend(batch)
            return {tp.partition: ends[tp] - consumer.position(tp) for tp in partitions}

        wait_until(
            behind,
            lambda seen: all(records <= 0 for records in seen.values()),
            what=f"the end of topic {topic} (records left by partition)",
            timeout=_SECONDS,
            every=0,
        )
    return sorted(found, key=lambda record: (record.partition, record.offset))


def rows_of(cluster: Cluster, topic: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of one topic in a table of the cluster's, in which a borrowed cluster's names have no prefix."""
    return table[table["topic"].map(cluster.name) == topic]


def expect_keys(topic: str, records: Sequence[Any], advice: str) -> None:
    """Hold that every record has a key.

    Args:
        topic: whose they are.
        records: as :func:`records_of` has them.
        advice: ends the sentence "... of ... records in topic ... have no key".

    Raises:
        NotDoneYet: some have none, or an empty one.
    """
    keyless = sum(not record.key for record in records)
    expect(not keyless, f"{keyless} of {len(records)} records in topic {topic} have no key{advice}")


def setting_of(cluster: Cluster, topic: str, name: str) -> str:
    """Return a topic's setting, by its name in Kafka, as text; where the topic has none of its own, the default."""
    with KafkaAdminClient(**cluster.client_config()) as admin:
        found = admin.describe_configs([ConfigResource("TOPIC", topic)], config_filter="all")
    return str(found["topic"][topic][name]["value"])
