"""The exercises of lesson 06, The log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from kafka import KafkaProducer

from kafkalab import Cluster
from kafkalab.courseware.declaration import NotDoneYet, exercise, expect
from kafkalab.courseware.exercises.reading import records_of, require_topic, setting_of
from kafkalab.errors import WaitTimeout
from kafkalab.waiting import wait_until

__all__ = ["forget", "free_disk", "last_value", "replay_hour"]

DISK_BYTES, NEWEST = 1_000_000, 1_000
CUSTOMERS, VERSIONS = ("anna", "ben", "chen", "eva"), 3
FIRST_MS, LONGEST_SEGMENT_MS = 1_740_960_000_000, 30 * 24 * 3_600_000  # 3 March 2025; 30 days
GONE = "anna"
SECONDS = 10.0


@exercise(
    "06.replay-hour",
    task="Copy every quote from 14:00 up to 15:00 to replayed, each once, the late ones as well.",
    hints=(
        "Begin at the offset for 14:00. Where can the last quote of that hour lie? Each record tells its own time.",
        "for record in read(prices, offset_at(prices, fourteen)): send it if fourteen <= record.timestamp < fifteen.",
    ),
)
def replay_hour(cluster: Cluster, *, source: str, replayed: object, start_ms: int, end_ms: int) -> str:
    """Compare what the two topics hold of that hour."""
    name = require_topic(cluster, replayed, "replayed")
    left = records_of(cluster, source)
    hour = [record for record in left if start_ms <= record.timestamp < end_ms]
    expect(
        hour and left[0].timestamp <= start_ms,
        f"topic {source} does not have that whole hour any more: run the lesson again from its first cell.",
    )
    copies = records_of(cluster, name)
    expect(copies, f"topic {name} is empty: send it the quotes of the hour, and close or flush the producer.")
    wanted, found = _contents(hour), _contents(copies)
    _expect_own_keys_and_times(name, wanted - found, found - wanted)
    missing, further = (wanted - found).total(), (found - wanted).total()
    expect(
        not missing,
        f"{missing} of the hour's {len(hour)} quotes are not in topic {name}: which ones lie behind the rest?",
    )
    expect(not further, f"topic {name} has {further} records too many: of another hour, or copied twice.")
    return f"topic {name} holds all {len(hour)} quotes of the hour, each once."


class _Content(NamedTuple):
    """What a copy has of its original."""

    key: bytes | None
    value: bytes | None
    timestamp: int


def _contents(records: Sequence[Any]) -> Counter[_Content]:
    return Counter(_Content(record.key, record.value, record.timestamp) for record in records)


def _expect_own_keys_and_times(name: str, missing: Counter[_Content], further: Counter[_Content]) -> None:
    """Refuse copies that would be the missing quotes, had they not another key or timestamp."""
    values = {quote.value for quote in missing}
    copies = [quote for quote in further.elements() if quote.value in values]
    for part, argument in (("key", "key"), ("timestamp", "timestamp_ms")):
        known = {getattr(quote, part) for quote in missing}
        strange = sum(getattr(quote, part) not in known for quote in copies)
        expect(
            not strange,
            f"{strange} quotes in topic {name} have another {part} than in the log: pass {argument} to send.",
        )


@exercise(
    "06.free-disk",
    task="Bring the files of archive below one megabyte, and keep at least the newest 1,000 quotes.",
    hints=(
        "Which setting limits a partition by its size? Retention keeps more than it says, by up to a segment.",
        'configure(archive, {"retention.bytes": ...}), with about half a million.',
    ),
    own_brokers=True,
)
def free_disk(cluster: Cluster, *, archive: object, records: int) -> str:
    """Look at the log's start and end, and at its files."""
    name = require_topic(cluster, archive, "archive")
    size = _settled_size(cluster, name)
    end = int(cluster.log(name)["end"].max())
    expect(end >= records, f"topic {name} ends at offset {end}, and {records:,} quotes were sent: run the cell again.")
    kept = len(cluster.messages(name, start=end - NEWEST, limit=NEWEST))
    expect(
        kept == NEWEST,
        f"of the newest {NEWEST:,} quotes {kept} are left in topic {name}: run the cell again, and delete less.",
    )
    expect(
        size < DISK_BYTES, f"the records of topic {name} take {size / 1e6:.1f} MB on disk{_why_so_many(cluster, name)}."
    )
    return f"the records of topic {name} take less than a megabyte, and the newest {NEWEST:,} quotes are there."


def _settled_size(cluster: Cluster, topic: str) -> int:
    """Return the bytes of the topic's records on disk, when what retention has to delete is deleted."""
    limited = [setting_of(cluster, topic, name) != "-1" for name in ("retention.bytes", "retention.ms")]
    try:
        # Nobody waits for what nobody asked for.
        return wait_until(
            lambda: _bytes_on_disk(cluster, topic),
            lambda size: size < DISK_BYTES,
            what="a smaller log",
            timeout=SECONDS if any(limited) or _begins_later(cluster, topic) else 0,
        )
    except WaitTimeout:
        return _bytes_on_disk(cluster, topic)


def _why_so_many(cluster: Cluster, topic: str) -> str:
    limit = setting_of(cluster, topic, "retention.bytes")
    if limit != "-1":
        return f": its retention.bytes is {limit}, and what stays is more than that, by up to a segment"
    if _begins_later(cluster, topic):
        return ": its log begins later now, but a segment goes only with its last record"
    return " and its retention.bytes is -1, no limit"


def _begins_later(cluster: Cluster, topic: str) -> bool:
    return bool(cluster.messages(topic, limit=1)["offset"].gt(0).any())


def _bytes_on_disk(cluster: Cluster, topic: str) -> int:
    files = cluster.segments(topic)
    logs = files[files["kind"].isin(["log", "log.deleted"])]
    return int(logs.groupby("broker")["bytes"].sum().max())


@exercise(
    "06.last-value",
    task="Make a topic that keeps the last value of each key.",
    hints=(
        "What a topic forgets is its cleanup.policy; create_topic takes settings as config={...}.",
        'cluster.create_topic("carts", config={"cleanup.policy": "compact"})',
    ),
)
def last_value(cluster: Cluster, *, carts: object) -> str:
    """Write several values for each key, begin a new segment, wait for the cleaner, and read."""
    name = require_topic(cluster, carts, "carts")
    policy = setting_of(cluster, name, "cleanup.policy")
    expect(
        "compact" in policy, f"the cleanup.policy of topic {name} is {policy}: it forgets by age and size, not by key."
    )
    expect(
        policy == "compact", f"the cleanup.policy of topic {name} is {policy}: retention may delete a key's last value."
    )
    last = _write_carts(cluster, name)
    left = _after_cleaning(cluster, name, len(last))
    values = {record.key: record.value for record in left}
    expect(values == last, f"topic {name} has not the last value of each key.")
    expect(
        len(left) == len(last),
        f"topic {name} still has {len(left)} carts for {len(last)} customers: do its settings keep the cleaner away?",
    )
    return f"of {len(last) * VERSIONS} carts topic {name} keeps {len(last)}, the last of each customer."


def _write_carts(cluster: Cluster, topic: str) -> dict[bytes, bytes]:
    """Write several carts for each customer and begin a new segment in every partition; return the last carts."""
    roll_ms = int(setting_of(cluster, topic, "segment.ms"))
    expect(
        roll_ms <= LONGEST_SEGMENT_MS,
        f"the segment.ms of topic {topic} is over 30 days, and the active segment is never compacted: leave it out.",
    )
    start = max([FIRST_MS, *(record.timestamp + 1 for record in records_of(cluster, topic))])
    last: dict[bytes, bytes] = {}
    with KafkaProducer(**cluster.client_config()) as producer:
        for version in range(VERSIONS):
            last = {customer.encode(): b"%d books" % (version + 1) for customer in CUSTOMERS}
            for key, value in last.items():
                producer.send(topic, key=key, value=value, timestamp_ms=start)
        producer.flush(timeout=SECONDS)
        for partition in cluster.partitions(topic)["partition"]:
            producer.send(topic, b"check", partition=partition, key=b"check", timestamp_ms=start + roll_ms + 1)
    return last


def _after_cleaning(cluster: Cluster, topic: str, wanted: int) -> list[Any]:
    """Return the carts when there are as many as wanted, or those there are after some seconds."""
    carts = {customer.encode() for customer in CUSTOMERS}

    def look() -> list[Any]:
        return [record for record in records_of(cluster, topic) if record.key in carts]

    try:
        return wait_until(
            look, lambda found: len(found) == wanted, what="a compacted topic", timeout=_patience(cluster), every=0.2
        )
    except WaitTimeout:
        return look()


def _patience(cluster: Cluster) -> float:
    """Return how long the cleaner may take: the lesson's own broker looks twice a second, others every 15 seconds."""
    return 4 * SECONDS if cluster.is_borrowed else SECONDS


@exercise(
    "06.forget",
    task="Make Anna's addresses vanish from the files of customers, and leave the others' as they are.",
    hints=(
        "A tombstone has her key and no value. And which segment does the cleaner never touch?",
        (
            'send(customers, [Record(customers, b"anna", None, midnight + hour)]), and then, with a send of its own, '
            "any other customer's record at midnight + 25 * hour: it begins a new segment."
        ),
    ),
    own_brokers=True,
)
def forget(cluster: Cluster, *, customers: object, moves: Sequence[tuple[str, str]]) -> str:
    """Read the topic, then look for her addresses in the files."""
    name = require_topic(cluster, customers, "customers")
    last = {record.key: record for record in records_of(cluster, name)}
    for other, address in dict(moves).items():
        kept = last.get(other.encode())
        expect(
            other == GONE or (kept and kept.value == address.encode()),
            f"{other}'s last record in topic {name} is not {address}: run the exercise's cell again to start over.",
        )
    _expect_buried(cluster, name, last.get(GONE.encode()))
    _expect_no_trace(cluster, name, [address for customer, address in moves if customer == GONE])
    return f"no file of topic {name} holds an address of {GONE}, and the others are as they were."


def _expect_buried(cluster: Cluster, topic: str, last: Any) -> None:
    """Refuse a last record of hers that is no tombstone, or one that the cleaner will not read."""
    if last is None:
        return
    expect(last.value != b"", f"{GONE}'s last value in topic {topic} is empty, and a tombstone has none: value None.")
    expect(
        last.value is None, f"{GONE}'s last record in topic {topic} has a value: a tombstone is her key without one."
    )
    active = int(cluster.log(topic, last.partition)["segment"].max())
    expect(
        last.offset < active,
        f"{GONE}'s tombstone lies in the active segment of topic {topic}, which the cleaner leaves alone: "
        "a later record, in a batch of its own, has to begin a new one.",
    )


def _expect_no_trace(cluster: Cluster, topic: str, addresses: Sequence[str]) -> None:
    def found() -> list[str]:
        return [address for address in addresses if any(address.encode() in log for log in _logs(cluster, topic))]

    try:
        wait_until(found, lambda left: not left, what=f"files without {GONE}'s addresses", timeout=SECONDS)
    except WaitTimeout:
        raise NotDoneYet(f"{', '.join(found())} is still in a file of topic {topic}.") from None


def _logs(cluster: Cluster, topic: str) -> list[bytes]:
    """Return what is in every file of records, those included that the broker is about to remove."""
    folders = [folder for broker in cluster.brokers for folder in cluster.data_folder(broker.id).glob(f"{topic}-*")]
    return [_content(file) for folder in folders for file in folder.glob("*.log*")]


def _content(file: Path) -> bytes:
    """Return what is in a file; nothing where the broker has removed it meanwhile."""
    with suppress(FileNotFoundError):
        return file.read_bytes()
    return b""
