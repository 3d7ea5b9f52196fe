"""A second reading of topics, by Kafka's own console consumer, and what follows from it by plain Python.

It shares nothing with the ledger but the list of what was acknowledged: neither the client library that reads, nor
checksums, nor the way in which records are compared.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from kafka import KafkaConsumer, TopicPartition

from kafkalab import Cluster
from kafkalab.clusters.admin import QUICK_RECONNECT
from kafkalab.errors import ToolFailed
from kafkalab.ledger import Ledger, Verdict
from kafkalab.simulation import Record

__all__ = ["Opinion", "StoredRecord", "disagreements", "parse", "read_topic", "second_opinion"]

_PRINTED = ("partition", "offset", "headers", "key")  # in the order of DefaultMessageFormatter; the value is last
_FIELDS = len(_PRINTED) + 1
_HEADER = "kafkalab:"
_SECONDS = 300.0
_IDLE_MS = 60_000
_NAMED = 3
Name = tuple[int, int]
"""A record by session and sequence number."""


class StoredRecord(NamedTuple):
    """A record as the console consumer prints it.

    Attributes:
        topic: its name.
        partition: its number.
        offset: its offset.
        name: session and sequence number; None where it has no identity.
        key: as text.
        value: as text.
    """

    topic: str
    partition: int
    offset: int
    name: Name | None
    key: str
    value: str


def parse(topic: str, line: str) -> StoredRecord:
    """Return the record that a line of the console consumer shows; its key must hold no tab.

    Raises:
        ToolFailed: the line is none of a record.
    """
    fields = line.split("\t", _FIELDS - 1)
    if len(fields) != _FIELDS or not fields[0].startswith("Partition:") or not fields[1].startswith("Offset:"):
        raise ToolFailed(
            f"kafka-console-consumer printed {line!r}, which is no record: see what it says when run alone."
        )
    partition, offset = (int(field.partition(":")[2]) for field in fields[:2])
    return StoredRecord(topic, partition, offset, _name(fields[2]), fields[3], fields[4])


def _name(headers: str) -> Name | None:
    for header in headers.split(","):
        if header.startswith(_HEADER):
            session, _, sequence = header.removeprefix(_HEADER).partition("-")
            return int(session, 16), int(sequence)
    return None


def read_topic(cluster: Cluster, topic: str) -> list[StoredRecord]:
    """Return every record of a topic that no transaction wrote to, as Kafka's console consumer reads it.

    Raises:
        ToolFailed: it did not come to the end.
    """
    count = _count(cluster, topic)
    printed = [argument for name in _PRINTED for argument in ("--formatter-property", f"print.{name}=true")]
    until = ["--from-beginning", "--max-messages", str(count), "--timeout-ms", str(_IDLE_MS)]
    output = cluster.kafka_tool("kafka-console-consumer", "--topic", topic, *until, *printed, timeout=_SECONDS)
    # Not splitlines(): a value may hold what Unicode takes for the end of a line.
    stored = [parse(topic, line) for line in output.split("\n") if line]
    if len(stored) != count:
        raise ToolFailed(f"kafka-console-consumer read {len(stored)} of {count} records of {topic}: read it again.")
    return stored


def _count(cluster: Cluster, topic: str) -> int:
    """Return how many offsets there are between the log starts and the ends, as kafka-python is told them."""
    partitions = [TopicPartition(topic, number) for number in cluster.partitions(topic)["partition"].tolist()]
    with closing(KafkaConsumer(**cluster.client_config(), **QUICK_RECONNECT)) as consumer:
        starts, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
    return sum(ends[partition] - starts[partition] for partition in partitions)


@dataclass(frozen=True)
class Opinion:
    """What a second reading says.

    Attributes:
        counts: stored, lost, duplicated, reordered, changed and foreign, as a verdict counts them.
        lost: the acknowledged records that are not there.
    """

    counts: Mapping[str, int]
    lost: Collection[Name]


def second_opinion(ledger: Ledger, stored: Iterable[StoredRecord], records: Iterable[Record]) -> Opinion:
    """Return what became of the records of a ledger with one producer session, of which some were acknowledged.

    Args:
        ledger: only its counts and its list of acknowledgements are asked for.
        stored: all that is in the topics.
        records: what the producer was given, in that order, or more; keys and values are text in UTF-8.
    """
    frame = ledger.acknowledgements()
    acknowledged = set(zip(frame["session"].tolist(), frame["sequence"].tolist(), strict=True))
    (session,) = {session for session, _ in acknowledged}
    sent = {(session, number): record for number, record in enumerate(islice(records, ledger.counts.sent))}
    found = sorted((each for each in stored if _belongs(each, sent)), key=lambda each: each[:3])
    names = [each.name for each in found if each.name is not None]
    counts = {
        "stored": len(set(names)),
        "lost": len(acknowledged - set(names)),
        "duplicated": len(names) - len(set(names)),
        "reordered": _reordered(found),
        "changed": sum(not _is_as_sent(each, sent) for each in found),
        "foreign": sum(not _belongs(each, sent) for each in stored),
    }
    return Opinion(counts, acknowledged - set(names))


def _belongs(stored: StoredRecord, sent: Mapping[Name, Record]) -> bool:
    return stored.name is not None and stored.name in sent and sent[stored.name].topic == stored.topic


def _is_as_sent(stored: StoredRecord, sent: Mapping[Name, Record]) -> bool:
    assert stored.name is not None
    record = sent[stored.name]
    return (stored.key.encode(), stored.value.encode()) == (record.key, record.value)


def _reordered(found: Iterable[StoredRecord]) -> int:
    """Count the first copies that stand behind a later record of the same partition, session and key."""
    seen: set[Name] = set()
    latest: dict[tuple[str, int, str], int] = {}
    count = 0
    for topic, partition, _, name, key, _ in found:
        if name is None or name in seen:
            continue
        seen.add(name)
        place = topic, partition, key
        count += name[1] < latest.get(place, -1)
        latest[place] = max(name[1], latest.get(place, -1))
    return count


def disagreements(verdict: Verdict, opinion: Opinion) -> list[str]:
    """Return where a verdict and a second reading differ; empty where they agree."""
    wrong = [
        f"{name}: the verdict counts {verdict.counts[name]}, the second reading {count}"
        for name, count in opinion.counts.items()
        if verdict.counts[name] != count
    ]
    table = verdict.table("lost")
    named = set(zip(table["session"].tolist(), table["sequence"].tolist(), strict=True))
    if differing := sorted(named ^ set(opinion.lost)):
        wrong.append(f"{len(differing)} records are lost to one of the two only, first {differing[:_NAMED]}")
    return wrong + ([] if verdict.verified else [f"not verified: {verdict.reason}"])
