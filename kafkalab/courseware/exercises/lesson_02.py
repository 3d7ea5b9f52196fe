"""The exercises of lesson 02, Partitions and topic design."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kafkalab import Cluster
from kafkalab.courseware.declaration import exercise, expect
from kafkalab.courseware.exercises.reading import NEW_TOPIC, expect_keys, records_of, require_topic, setting_of

__all__ = ["better_key", "design", "room_to_grow"]

MOST_OF_ALL = 0.25
WANTED_PARTITIONS = 4
PEAK_NEXT_YEAR, OF_ONE_CONSUMER, MOST_PARTITIONS = 12_000, 1_000, 24
SAFE_COPIES = 2


@exercise(
    "02.better-key",
    task="Choose a key that shares the load and keeps every parcel's scans in order.",
    hints=(
        "What is the smallest thing whose scans must stay in order? There should be many of them.",
        'Return scan["parcel"].encode(): encode() makes bytes of a text.',
    ),
)
def better_key(cluster: Cluster, *, topic: str, scans: Sequence[Mapping[str, Any]]) -> str:
    """Look in which partitions the scans lie, in which order, and how full the fullest partition is."""
    records = records_of(cluster, topic)
    expect(
        bool(records),
        f"topic {topic} is empty: the exercise's cell ended with an error. Mend what its last line names, and run it.",
    )
    expect(
        sorted(record.value for record in records) == sorted(json.dumps(scan).encode() for scan in scans),
        f"topic {topic} holds {len(records)} records, and not just the {len(scans)} scans of the morning. {NEW_TOPIC}",
    )
    stored = [(json.loads(record.value), record.partition) for record in records]
    _expect_keys(topic, records)
    _expect_order(topic, [(scan["parcel"], scan["step"], partition) for scan, partition in stored])
    fullest, share = _fullest(partition for _, partition in stored)
    expect(
        share <= MOST_OF_ALL,
        f"every parcel is in order, and partition {fullest} holds {share:.0%} of the scans: the key has too few "
        f"different values, or one that is far too frequent. {NEW_TOPIC}",
    )
    return f"every parcel's scans are in one partition, in order, and the fullest partition has {share:.0%} of all."


def _expect_keys(topic: str, records: Sequence[Any]) -> None:
    advice = f"nothing holds a parcel's scans together. Give each its key, in bytes. {NEW_TOPIC}"
    expect_keys(topic, records, f", or an empty one: {advice}")


def _expect_order(topic: str, places: Iterable[tuple[str, int, int]]) -> None:
    """Hold parcel, step and partition of each scan, in the order of reading, against what must be."""
    steps: dict[str, list[int]] = {}
    partitions: dict[str, set[int]] = {}
    for parcel, step, partition in places:
        steps.setdefault(parcel, []).append(step)
        partitions.setdefault(parcel, set()).add(partition)
    torn = sorted(parcel for parcel, found in partitions.items() if len(found) > 1)
    expect(
        not torn,
        f"in topic {topic} the scans of {len(torn)} parcels lie in more than one partition, such as those of "
        f"{torn[0] if torn else ''}: nobody reads them in order. {NEW_TOPIC}",
    )
    mixed = sorted(parcel for parcel, found in steps.items() if found != sorted(found))
    expect(
        not mixed,
        f"in topic {topic} the scans of {len(mixed)} parcels are in one partition, and in the wrong order, such as "
        f"those of {mixed[0] if mixed else ''}: what comes first must be sent first. {NEW_TOPIC}",
    )


def _fullest(partitions: Iterable[int]) -> tuple[int, float]:
    counts = Counter(partitions)
    ((fullest, count),) = counts.most_common(1)
    return fullest, count / counts.total()


@exercise(
    "02.room-to-grow",
    task="Bring all scans, old and new, into one topic with four partitions or more, each parcel's in order.",
    hints=(
        "Partitions that are added to a topic tear its keys apart: make a new topic, and copy what is there.",
        (
            'grown = cluster.create_topic(f"grown-{attempt}", partitions=4); then a loop over read(returns) that '
            "sends each record's key and value to it; then the same for the news; then producer.flush(timeout=60)."
        ),
    ),
)
def room_to_grow(cluster: Cluster, *, returns: str, news: Sequence[tuple[bytes, bytes]], grown: object) -> str:
    """Read the topic and look for every scan, once, each parcel's in one partition and in order."""
    topic = require_topic(cluster, grown, "grown")
    count = len(cluster.partitions(topic))
    expect(count >= WANTED_PARTITIONS, f"topic {topic} has {count} of the four or more partitions that are wanted.")
    records = records_of(cluster, topic)
    _expect_keys(topic, records)
    old = records if topic == returns else records_of(cluster, returns)
    wanted = {(record.key, record.value) for record in old} | set(news)
    _expect_each_once(topic, wanted, Counter((record.key, record.value) for record in records))
    _expect_order(topic, [(record.key.decode(), int(record.value[:1]), record.partition) for record in records])
    used = len({record.partition for record in records})
    expect(
        used == count,
        f"only {used} of the {count} partitions of topic {topic} hold scans: the rest is no help. (If you added them "
        "to a topic in use: its producers do not know of them yet, and when they do, keys move.) Make a new topic, and "
        "let the keys decide the partitions.",
    )
    parcels = len({key for key, _ in wanted})
    return f"topic {topic} has {count} partitions, and the scans of {parcels} parcels, each in one partition, in order."


def _expect_each_once(topic: str, wanted: set[tuple[Any, Any]], found: Counter[tuple[Any, Any]]) -> None:
    missing = len(wanted - found.keys())
    expect(
        not missing,
        f"topic {topic} lacks {missing} of the {len(wanted)} scans, {_whose(wanted, found)}: were the old ones and "
        "the news all sent, and then flushed?",
    )
    strange = found.keys() - wanted
    expect(not strange, f"topic {topic} holds {len(strange)} records that are no such scans. {NEW_TOPIC}")
    doubled = sum(count > 1 for count in found.values())
    expect(not doubled, f"topic {topic} holds {doubled} scans more than once. {NEW_TOPIC}")


def _whose(wanted: set[tuple[Any, Any]], found: Mapping[tuple[Any, Any], int]) -> str:
    first = min(wanted - found.keys(), default=(b"", b""))
    return f"such as {first[1].decode()!r} of {first[0].decode()}"


@exercise(
    "02.design",
    task="Make a topic for 12,000 scans a second next year that survives the loss of any one broker.",
    hints=(
        (
            "How many consumers does next year's peak need? And with one of the three brokers dead, how many replicas "
            "are left?"
        ),
        (
            'create_topic("designed", partitions=..., replication_factor=..., config={"min.insync.replicas": ...}): '
            "at least 12,000 / 1,000 partitions; as many replicas as there are brokers; and one in-sync replica less."
        ),
    ),
)
def design(cluster: Cluster, *, designed: object) -> str:
    """Look at the topic's partitions, replicas and min.insync.replicas."""
    name = require_topic(cluster, designed, "designed")
    partitions = cluster.partitions(name)
    count, copies = len(partitions), int(partitions["replicas"].map(len).min())
    _expect_capacity(name, count)
    least = int(setting_of(cluster, name, "min.insync.replicas"))
    _expect_safety(name, copies, least)
    return (
        f"topic {name} has {count} partitions, so {count} consumers can share {PEAK_NEXT_YEAR:,} scans a second; with "
        f"{copies} replicas, of which {least} must be in sync, it survives the loss of one broker."
    )


def _expect_capacity(name: str, count: int) -> None:
    able = count * OF_ONE_CONSUMER
    expect(
        able >= PEAK_NEXT_YEAR,
        f"no more than {count} of a group's consumers can share topic {name}, one for each partition: they handle "
        f"{able:,} scans a second, and next year's peak is {PEAK_NEXT_YEAR:,}.",
    )
    expect(
        count <= MOST_PARTITIONS,
        f"topic {name} has {count} partitions, and the operators allow {MOST_PARTITIONS}: each one costs.",
    )


def _expect_safety(name: str, copies: int, least: int) -> None:
    expect(
        copies > 1,
        f"topic {name} has a single replica of each partition: with its broker dead, nobody can write there.",
    )
    expect(
        least >= SAFE_COPIES,
        f"topic {name} asks for {least} in-sync replica: with the others dead or behind, it would acknowledge what "
        "one broker alone has. The topic setting is min.insync.replicas.",
    )
    expect(
        copies > least,
        f"topic {name} has {copies} replicas and asks for {least} in sync: with one broker dead it takes no write.",
    )
