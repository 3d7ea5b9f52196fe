"""The checks of lesson 06, on a real cluster: unsolved, half solved, solved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import ConfigResource

from kafkalab import Cluster
from kafkalab.courseware.declaration import NotDoneYet
from kafkalab.courseware.exercises import lesson_06
from kafkalab.courseware.exercises.lesson_06 import forget, free_disk, last_value, replay_hour
from kafkalab.courseware.exercises.reading import records_of
from kafkalab.courseware.solutions import solution_text
from kafkalab.simulation.crypto import Crypto
from kafkalab.simulation.source import Record

pytestmark = pytest.mark.integration

START, HOUR = 1_740_960_000_000, 3_600_000
LONG = b"q" * 600
QUOTES = 2_000


class Quote(NamedTuple):
    """A record that may be a tombstone."""

    topic: str
    key: bytes | None
    value: bytes | None
    timestamp_ms: int


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    quick = {"log.retention.check.interval.ms": 200, "log.cleaner.backoff.ms": 200}
    with Cluster(brokers=1, properties=quick) as running:
        yield running


def send(cluster: Cluster, topic: str, records: Sequence[Any]) -> None:
    """Send as the lesson's own function does: each call makes batches of its own."""
    with KafkaProducer(**cluster.client_config(), linger_ms=1_000) as producer:
        for record in records:
            producer.send(topic, record.value, key=record.key, timestamp_ms=record.timestamp_ms)


def configure(cluster: Cluster, topic: str, settings: dict[str, object]) -> None:
    cluster.admin().alter_configs([ConfigResource("TOPIC", topic, settings)])


def desk(cluster: Cluster) -> dict[str, Any]:
    """What a learner has defined when the exercises come."""
    return {
        "cluster": cluster,
        "KafkaProducer": KafkaProducer,
        "Record": Record,
        "configure": lambda topic, settings: configure(cluster, topic, settings),
        "day": list(Crypto(seed=6, coins=5, sources=2, interval_s=60).records(6_000)),
        "hour": HOUR,
        "market": SimpleNamespace(start_ms=START),
        "offset_at": lambda topic, ms: 0,
        "read": lambda topic, start: records_of(cluster, topic),
        "send": lambda topic, records: send(cluster, topic, records),
    }


# ---- the replay of an hour ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def prices(cluster: Cluster) -> str:
    """Ten quotes in three hours, four of the second hour; one of those comes last. A later one has an earlier value."""
    topic = cluster.create_topic("prices")
    minutes = [10, 50, 60, 61, 90, 120, 121, 130, 140, 75]
    quotes = [Quote(topic, b"k%d" % (n % 2), b"v%d" % (n % 5), START + 60_000 * at) for n, at in enumerate(minutes)]
    send(cluster, topic, quotes)
    return topic


HOUR_QUOTES = (2, 3, 4, 9)


@pytest.mark.parametrize(
    ("name", "numbers", "changed", "said"),
    [
        ("empty", (), {}, "topic replayed-empty is empty: send it the quotes of the hour"),
        ("early", (2, 3, 4), {}, "1 of the hour's 4 quotes are not in topic replayed-early: which ones lie behind"),
        ("twice", (2, 3, 4, 9, 9), {}, "topic replayed-twice has 1 records too many: of another hour, or copied"),
        ("rest", (*HOUR_QUOTES, 5), {}, "topic replayed-rest has 1 records too many"),
        ("same-value", (*HOUR_QUOTES, 7), {}, "topic replayed-same-value has 1 records too many"),
        ("now", HOUR_QUOTES, {"timestamp_ms": START}, "4 quotes in topic replayed-now have another timestamp than in"),
        ("keyless", HOUR_QUOTES, {"key": None}, "have another key than in the log: pass key to send"),
    ],
)
def test_an_hour_that_is_not_replayed_exactly(
    cluster: Cluster, prices: str, *, name: str, numbers: Sequence[int], changed: dict[str, Any], said: str
) -> None:
    topic = cluster.create_topic(f"replayed-{name}")
    stored = records_of(cluster, prices)
    quotes = [Quote(topic, stored[n].key, stored[n].value, stored[n].timestamp) for n in numbers]
    send(cluster, topic, [quote._replace(**changed) for quote in quotes])
    with pytest.raises(NotDoneYet, match=said):
        replay_hour.judge(cluster, source=prices, replayed=topic, start_ms=START + HOUR, end_ms=START + 2 * HOUR)


@pytest.mark.parametrize(("name", "minutes"), [("gone", [150, 160]), ("all-but-late", [150, 75])])
def test_an_hour_that_is_gone(cluster: Cluster, name: str, minutes: Sequence[int]) -> None:
    topic = cluster.create_topic(name)
    send(cluster, topic, [Quote(topic, b"k", b"v", START + 60_000 * at) for at in minutes])
    with pytest.raises(NotDoneYet, match=f"topic {name} does not have that whole hour any more: run the lesson again"):
        replay_hour.judge(cluster, source=topic, replayed=topic, start_ms=START + HOUR, end_ms=START + 2 * HOUR)


def test_an_hour_replayed(cluster: Cluster, prices: str) -> None:
    bounds = {"fourteen": START + HOUR, "fifteen": START + 2 * HOUR}
    learner = {**desk(cluster), "prices": prices, **bounds}
    exec(solution_text("06.replay-hour"), learner)
    said = replay_hour.judge(
        cluster, source=prices, replayed=learner["replayed"], start_ms=bounds["fourteen"], end_ms=bounds["fifteen"]
    )
    assert said == f"topic {learner['replayed']} holds all 4 quotes of the hour, each once."


# ---- a full disk ----------------------------------------------------------------------------------------------


def full(cluster: Cluster, name: str) -> str:
    """A topic of over a megabyte in several segments."""
    topic = cluster.create_topic(name, config={"segment.ms": HOUR, "file.delete.delay.ms": 0})
    send(cluster, topic, [Quote(topic, b"k", LONG, START + 12_000 * n) for n in range(QUOTES)])
    return topic


def test_a_disk_that_is_still_full(cluster: Cluster) -> None:
    topic = full(cluster, "full")
    with pytest.raises(NotDoneYet, match=r"full take 1.2 MB on disk and its retention.bytes is -1, no limit\.$"):
        free_disk.judge(cluster, archive=topic, records=QUOTES)
    with pytest.raises(NotDoneYet, match="topic full ends at offset 2000, and 4,000 quotes were sent: run the cell"):
        free_disk.judge(cluster, archive=topic, records=4_000)


def test_a_limit_that_is_too_high(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesson_06, "SECONDS", 2.0)
    topic = full(cluster, "high")
    configure(cluster, topic, {"retention.bytes": 1_000_000})
    with pytest.raises(NotDoneYet, match=r"take 1\.\d MB on disk: its retention.bytes is 1000000, and what stays"):
        free_disk.judge(cluster, archive=topic, records=QUOTES)


def test_a_disk_that_was_freed_of_everything(cluster: Cluster) -> None:
    topic = full(cluster, "all")
    # Only now: retention would already delete between two batches that are being sent, and the last ones be left.
    configure(cluster, topic, {"retention.ms": HOUR})
    with pytest.raises(NotDoneYet, match="of the newest 1,000 quotes 0 are left in topic all: run the cell again"):
        free_disk.judge(cluster, archive=topic, records=QUOTES)


def test_records_deleted_from_a_segment_that_stays(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesson_06, "SECONDS", 2.0)
    topic = full(cluster, "few")
    cluster.admin().delete_records({TopicPartition(topic, 0): 1})
    with pytest.raises(NotDoneYet, match="MB on disk: its log begins later now, but a segment goes only with its last"):
        free_disk.judge(cluster, archive=topic, records=QUOTES)


def test_a_disk_freed_by_deleting_records(cluster: Cluster) -> None:
    topic = full(cluster, "deleted")
    cluster.admin().delete_records({TopicPartition(topic, 0): QUOTES - 1_000})
    said = free_disk.judge(cluster, archive=topic, records=QUOTES)
    assert said == "the records of topic deleted take less than a megabyte, and the newest 1,000 quotes are there."


def test_a_disk_freed_by_retention(cluster: Cluster) -> None:
    learner = desk(cluster)
    exec(solution_text("06.free-disk"), learner)
    assert "take less than a megabyte" in free_disk.judge(cluster, archive=learner["archive"], records=6_000)


# ---- the last value of each key -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "config", "said"),
    [
        ("old", {}, "the cleanup.policy of topic old is delete: it forgets by age and size, not by key"),
        ("both", {"cleanup.policy": "compact,delete"}, "is compact,delete: retention may delete a key's last value"),
        (
            "slow",
            {"cleanup.policy": "compact", "segment.ms": 90 * 24 * HOUR},
            "the segment.ms of topic slow is over 30 days, and the active segment is never compacted",
        ),
        (
            "lagging",
            {"cleanup.policy": "compact", "min.compaction.lag.ms": 10**12},
            "topic lagging still has 12 carts for 4 customers: do its settings keep the cleaner away",
        ),
    ],
)
def test_carts_that_keep_more_than_the_last_value(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, name: str, config: dict[str, object], said: str
) -> None:
    monkeypatch.setattr(lesson_06, "SECONDS", 2.0)
    topic = cluster.create_topic(name, config=config)
    with pytest.raises(NotDoneYet, match=said):
        last_value.judge(cluster, carts=topic)


def test_carts_that_keep_the_last_value_also_the_second_time(cluster: Cluster) -> None:
    learner = desk(cluster)
    exec(solution_text("06.last-value"), learner)
    said = [last_value.judge(cluster, carts=learner["carts"]) for _ in range(2)]
    assert said == ["of 12 carts topic carts keeps 4, the last of each customer."] * 2


def test_carts_in_several_partitions(cluster: Cluster) -> None:
    topic = cluster.create_topic("spread", partitions=3, config={"cleanup.policy": "compact"})
    assert "topic spread keeps 4" in last_value.judge(cluster, carts=topic)


@pytest.mark.parametrize(
    ("answer", "said"),
    [(..., "`carts` is still `...`"), (None, "is of type NoneType, not a topic's name"), ("nowhere", "no such topic")],
)
def test_no_carts(cluster: Cluster, answer: object, said: str) -> None:
    with pytest.raises(NotDoneYet, match=said):
        last_value.judge(cluster, carts=answer)


# ---- a customer forgotten -------------------------------------------------------------------------------------

MOVES = [("anna", "Elm Road 1"), ("ben", "Oak Lane 5"), ("anna", "Mill Way 7"), ("eva", "Park Row 2")]
GRAVE = (b"anna", None, START + HOUR)
NEXT_DAY = (b"ben", b"Oak Lane 5", START + 25 * HOUR)


def directory(cluster: Cluster, name: str, **config: object) -> str:
    settings = {"cleanup.policy": "compact", "segment.ms": 24 * HOUR, "file.delete.delay.ms": 0, **config}
    topic = cluster.create_topic(name, config=settings)
    send(cluster, topic, [Quote(topic, who.encode(), to.encode(), START) for who, to in MOVES])
    return topic


@pytest.mark.parametrize(
    ("name", "sends", "said"),
    [
        ("unsolved", [], "anna's last record in topic unsolved has a value: a tombstone is her key without one"),
        ("blank", [[(b"anna", b"", START + HOUR)]], "anna's last value in topic blank is empty, and a tombstone has"),
        ("active", [[GRAVE]], "anna's tombstone lies in the active segment of topic active, which the cleaner leaves"),
        ("together", [[GRAVE, NEXT_DAY]], "a later record, in a batch of its own, has to begin a new one"),
        ("wrong", [[(b"eva", None, START + HOUR)]], "eva's last record in topic wrong is not Park Row 2"),
    ],
)
def test_a_customer_who_is_not_forgotten(
    cluster: Cluster, name: str, sends: Sequence[Sequence[tuple[Any, ...]]], said: str
) -> None:
    topic = directory(cluster, name)
    for batch in sends:
        send(cluster, topic, [Quote(topic, *record) for record in batch])
    with pytest.raises(NotDoneYet, match=said):
        forget.judge(cluster, customers=topic, moves=MOVES)


def test_a_customer_whom_the_cleaner_does_not_reach(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesson_06, "SECONDS", 1.0)
    topic = directory(cluster, "delayed", **{"min.compaction.lag.ms": 10**12})
    for record in (GRAVE, NEXT_DAY):
        send(cluster, topic, [Quote(topic, *record)])
    with pytest.raises(NotDoneYet, match="Elm Road 1, Mill Way 7 is still in a file of topic delayed"):
        forget.judge(cluster, customers=topic, moves=MOVES)


def test_a_customer_forgotten(cluster: Cluster) -> None:
    learner = desk(cluster)
    exec(solution_text("06.forget"), learner)
    topic = learner["customers"]
    said = forget.judge(cluster, customers=topic, moves=learner["moves"])
    assert said == f"no file of topic {topic} holds an address of anna, and the others are as they were."
    left: list[str] = []
    for file in (cluster.data_folder(1) / f"{topic}-0").glob("*"):
        with suppress(FileNotFoundError):  # the broker is removing what it marked as deleted
            left += [file.name] if b"Elm Road" in file.read_bytes() else []
    assert not left
