"""The checks of lesson 02, on a real cluster: unsolved, half solved, solved."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from kafka import KafkaProducer

from kafkalab import Cluster
from kafkalab.courseware.declaration import NotDoneYet
from kafkalab.courseware.exercises.lesson_02 import better_key, design, room_to_grow
from kafkalab.courseware.exercises.reading import records_of
from kafkalab.courseware.solutions import solution_text

pytestmark = pytest.mark.integration

Scan = dict[str, Any]
DEPOTS = random.Random(3).choices(["Cologne", "Lyon"], weights=[8, 1], k=120)
SCANS: list[Scan] = [{"depot": DEPOTS[n], "parcel": f"P-{n}", "step": step} for step in range(3) for n in range(120)]
FLEET = [b"P-%d" % number for number in range(24)]
FIRST, SECOND, NEWS = ([(name, value) for name in FLEET] for value in (b"1 in", b"2 checked", b"3 out"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=3) as running:
        yield running


@pytest.fixture(scope="module")
def producer(cluster: Cluster) -> KafkaProducer:
    return cluster.producer()


def put(producer: KafkaProducer, topic: str, records: Iterable[tuple[bytes | None, bytes]], **where: int) -> None:
    for key, value in records:
        producer.send(topic, key=key, value=value, **where)
    producer.flush(timeout=20)


def balance(
    cluster: Cluster, producer: KafkaProducer, key_of: Callable[[Scan], bytes | None], scans: list[Scan] = SCANS
) -> str:
    topic = cluster.create_topic(f"balanced-{len(cluster.topics())}", partitions=6)
    put(producer, topic, [(key_of(scan), json.dumps(scan).encode()) for scan in scans])
    return better_key.judge(cluster, topic=topic, scans=SCANS)


def random_salt(scan: Scan) -> bytes:
    return f"{scan['depot']}-{scan['step']}".encode()


@pytest.mark.parametrize(
    ("key_of", "said"),
    [
        (lambda scan: None, r"^360 of 360 records in topic balanced-\d+ have no key, or an empty one: nothing holds"),
        (lambda scan: b"", "have no key"),
        (lambda scan: scan["depot"].encode(), r"every parcel is in order, and partition \d holds 8\d% of the scans"),
        (lambda scan: b"the same", r"partition \d holds 100% of the scans: the key has too few different values"),
        (random_salt, r"the scans of 120 parcels lie in more than one partition, such as those of P-0: nobody reads"),
    ],
)
def test_a_key_that_is_not_better(
    cluster: Cluster, producer: KafkaProducer, key_of: Callable[[Scan], bytes | None], said: str
) -> None:
    with pytest.raises(NotDoneYet, match=said):
        balance(cluster, producer, key_of)


@pytest.mark.parametrize(
    ("scans", "said"),
    [
        ([], r"^topic balanced-\d+ is empty: the exercise's cell ended with an error"),
        (SCANS[:5], "holds 5 records, and not just the 360 scans of the morning"),
        (SCANS + SCANS[:1], "holds 361 records, and not just the 360 scans"),
        (SCANS[::-1], "the scans of 120 parcels are in one partition, and in the wrong order, such as those of P-0:"),
    ],
)
def test_other_scans_than_those_of_the_morning(
    cluster: Cluster, producer: KafkaProducer, scans: list[Scan], said: str
) -> None:
    with pytest.raises(NotDoneYet, match=said):
        balance(cluster, producer, lambda scan: scan["parcel"].encode(), scans)


@pytest.mark.parametrize("form", ["{parcel}", "{depot}/{parcel}"])
def test_a_key_for_each_parcel(cluster: Cluster, producer: KafkaProducer, form: str) -> None:
    said = balance(cluster, producer, lambda scan: form.format(**scan).encode())
    assert said.startswith("every parcel's scans are in one partition, in order, and the fullest partition has ")


def test_the_solution_of_better_key(cluster: Cluster, producer: KafkaProducer) -> None:
    learner = {"cluster": cluster, "producer": producer, "json": json, "random": random}
    exec(solution_text("02.better-key"), learner)
    said = better_key.judge(cluster, topic=learner["balanced"], scans=learner["morning"])
    assert said.endswith("and the fullest partition has 20% of all.")


@pytest.fixture(scope="module")
def returns(cluster: Cluster, producer: KafkaProducer) -> str:
    topic = cluster.create_topic("returns", partitions=2)
    put(producer, topic, FIRST + SECOND)
    return topic


def grow(cluster: Cluster, returns: str, grown: object) -> str:
    return room_to_grow.judge(cluster, returns=returns, news=NEWS, grown=grown)


@pytest.mark.parametrize(
    ("grown", "said"),
    [
        (..., "^`grown` is still `...`"),
        (4, "^`grown` is of type int, not a topic's name"),
        ("nowhere", "^`grown` is 'nowhere', and the cluster has no such topic"),
        ("returns", "^topic returns has 2 of the four or more partitions that are wanted"),
    ],
)
def test_no_topic_to_grow_into(cluster: Cluster, returns: str, grown: object, said: str) -> None:
    with pytest.raises(NotDoneYet, match=said):
        grow(cluster, returns, grown)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ([], r"lacks 72 of the 72 scans, such as '1 in' of P-0"),
        (NEWS, r"lacks 48 of the 72 scans, such as '1 in' of P-0: were the old ones and the news all sent, and then"),
        (FIRST + SECOND, r"lacks 24 of the 72 scans, such as '3 out' of P-0"),
        ([(None, value) for _, value in FIRST + SECOND] + NEWS, "^48 of 72 records in topic grown-.* have no key"),
        (NEWS + FIRST + SECOND, "24 parcels are in one partition, and in the wrong order, such as those of P-0: what"),
        (FIRST + SECOND + FIRST + NEWS, "holds 24 scans more than once"),
        (FIRST + SECOND + NEWS + [(b"P-0", b"hello")], "holds 1 records that are no such scans"),
    ],
)
def test_scans_that_did_not_all_come_in_order(
    cluster: Cluster, producer: KafkaProducer, returns: str, sent: list[tuple[bytes | None, bytes]], said: str
) -> None:
    topic = cluster.create_topic(f"grown-{len(cluster.topics())}", partitions=4)
    put(producer, topic, sent)
    with pytest.raises(NotDoneYet, match=said):
        grow(cluster, returns, topic)


def test_partitions_that_stay_empty(cluster: Cluster, producer: KafkaProducer, returns: str) -> None:
    topic = cluster.create_topic("lopsided", partitions=4)
    put(producer, topic, FIRST + SECOND + NEWS, partition=3)
    with pytest.raises(
        NotDoneYet, match=r"only 1 of the 4 partitions of topic lopsided hold scans: the rest is no help\. .*new topic"
    ):
        grow(cluster, returns, topic)


def test_partitions_added_to_the_old_topic(cluster: Cluster) -> None:
    returns = cluster.create_topic("torn", partitions=2)
    put(cluster.producer(), returns, FIRST + SECOND)
    cluster.admin().create_partitions({returns: 4})
    cluster.wait_for_isr(returns, 3)
    put(cluster.producer(), returns, NEWS)
    with pytest.raises(
        NotDoneYet, match=r"topic torn the scans of \d+ parcels lie in more than one partition, such as"
    ):
        grow(cluster, returns, returns)


def test_the_solution_of_room_to_grow(cluster: Cluster, producer: KafkaProducer) -> None:
    learner = {
        "cluster": cluster,
        "producer": producer,
        "fleet": FLEET,
        "read": lambda topic: records_of(cluster, topic),
    }
    exec(solution_text("02.room-to-grow"), learner)
    answers = {name: learner[name] for name in ("returns", "news", "grown")}
    said = room_to_grow.judge(cluster, **answers)
    assert said.endswith("has 4 partitions, and the scans of 24 parcels, each in one partition, in order.")


@pytest.mark.parametrize(
    ("partitions", "replicas", "least", "said"),
    [
        (
            1,
            3,
            2,
            "^no more than 1 of a group.s consumers can share topic design-1-3-2, one for each partition",
        ),
        (11, 3, 2, "they handle 11,000 scans a second, and next year's peak is 12,000"),
        (25, 3, 2, "has 25 partitions, and the operators allow 24: each one costs"),
        (12, 1, 1, "has a single replica of each partition: with its broker dead, nobody can write there"),
        (12, 3, 1, "asks for 1 in-sync replica: with the others dead or behind, it would acknowledge what one broker"),
        (12, 2, 2, "has 2 replicas and asks for 2 in sync: with one broker dead it takes no write"),
        (12, 3, 3, "has 3 replicas and asks for 3 in sync: with one broker dead it takes no write"),
    ],
)
def test_a_design_that_does_not_do(cluster: Cluster, partitions: int, replicas: int, least: int, said: str) -> None:
    name = f"design-{partitions}-{replicas}-{least}"
    topic = cluster.create_topic(name, partitions, replicas, {"min.insync.replicas": least})
    with pytest.raises(NotDoneYet, match=said):
        design.judge(cluster, designed=topic)


@pytest.mark.parametrize("designed", [..., None, "nowhere"])
def test_no_topic_designed(cluster: Cluster, designed: object) -> None:
    with pytest.raises(NotDoneYet, match=r"^`designed` is "):
        design.judge(cluster, designed=designed)


@pytest.mark.parametrize("partitions", [12, 24])
def test_a_design_within_the_bounds(cluster: Cluster, partitions: int) -> None:
    topic = cluster.create_topic(f"fits-{partitions}", partitions, 3, {"min.insync.replicas": 2})
    assert f"so {partitions} consumers can share 12,000 scans" in design.judge(cluster, designed=topic)


def test_the_solution_of_design(cluster: Cluster) -> None:
    learner: dict[str, Any] = {"cluster": cluster}
    exec(solution_text("02.design"), learner)
    said = design.judge(cluster, designed=learner["designed"])
    assert said.endswith("with 3 replicas, of which 2 must be in sync, it survives the loss of one broker.")
