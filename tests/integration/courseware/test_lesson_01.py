"""The checks of lesson 01, on a real cluster: unsolved, half solved, solved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.errors import MessageSizeTooLargeError
from kafka.partitioner import murmur2

from kafkalab import Cluster
from kafkalab.courseware.declaration import NotDoneYet
from kafkalab.courseware.exercises.lesson_01 import failed_send, no_loss, predict_partition
from kafkalab.courseware.solutions import solution_text

pytestmark = pytest.mark.integration

INBOX = {b"note-1": b"n" * 50, b"note-2": b"n" * 7_000, b"note-3": b"n" * 90}
RIGHT = {key: (murmur2(key.encode()) & 0x7FFFFFFF) % 3 for key in ("hugo", "ida", "jan")}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=1) as running:
        yield running


@pytest.fixture(scope="module")
def payments(cluster: Cluster) -> str:
    return cluster.create_topic("payments", partitions=3)


@pytest.mark.parametrize(
    ("predicted", "said"),
    [
        (..., "`predicted` is still `...`"),
        ([0, 1, 2], "`predicted` is of type list, not a dictionary"),
        ({"hugo": 0, "jan": ...}, "`predicted` has no partition for ida, jan: write"),
        (RIGHT | {"ida": (RIGHT["ida"] + 1) % 3}, "^ida did not go to the partition that you predicted"),
        ({key: str(where) for key, where in RIGHT.items()}, "^the partition of hugo is text, '0': write a number"),
        (RIGHT | {"jan": 2.0}, "^the partition of jan is of type float: write a whole number"),
        (dict.fromkeys(RIGHT, 7), "^hugo, ida, jan did not go to the partition that you predicted"),
    ],
)
def test_a_prediction_that_is_not_right(cluster: Cluster, payments: str, predicted: object, said: str) -> None:
    with pytest.raises(NotDoneYet, match=said):
        predict_partition.judge(cluster, topic=payments, predicted=predicted)


@pytest.mark.parametrize("predicted", [RIGHT, {key.encode(): where for key, where in RIGHT.items()}])
def test_a_right_prediction(cluster: Cluster, payments: str, predicted: Mapping[Any, int]) -> None:
    said = predict_partition.judge(cluster, topic=payments, predicted=predicted)
    assert said == "each key went where you predicted: hugo to 0, ida to 2, jan to 2."


def letters(cluster: Cluster, name: str) -> tuple[str, str]:
    notes = cluster.create_topic(f"notes-{name}", config={"max.message.bytes": 1_000})
    return notes, cluster.create_topic(f"rejected-{name}")


def put(cluster: Cluster, topic: str, records: Mapping[bytes | None, bytes]) -> None:
    with KafkaProducer(**cluster.client_config()) as producer:
        for key, value in records.items():
            producer.send(topic, key=key, value=value).get(timeout=20)


SMALL: dict[bytes | None, bytes] = {key: INBOX[key] for key in (b"note-1", b"note-3")}
CUT: dict[bytes | None, bytes] = {b"note-2": b"n" * 100}


@pytest.mark.parametrize(
    ("name", "sent", "refused", "said"),
    [
        ("none", {None: b"of the lesson"}, {}, "topic notes-none does not hold note-1, note-3 yet"),
        ("first", {b"note-1": b"n" * 50}, {}, "topic notes-first does not hold note-3 yet"),
        ("half", SMALL, {}, "topic rejected-half does not hold note-2 yet"),
        ("whole", SMALL, {b"note-2": INBOX[b"note-2"]}, "holds note-2 with a value not asked for. To start over, run"),
        ("changed", SMALL | {b"note-3": b"?"}, CUT, "holds note-3 with a value not asked for"),
        (
            "all",
            SMALL,
            CUT | {b"note-3": b"n" * 90},
            "also holds note-3, which notes-all would have taken. To start over",
        ),
    ],
)
def test_an_inbox_that_is_not_settled(
    cluster: Cluster,
    name: str,
    sent: Mapping[bytes | None, bytes],
    refused: Mapping[bytes | None, bytes],
    said: str,
) -> None:
    notes, rejected = letters(cluster, name)
    put(cluster, notes, sent)
    put(cluster, rejected, refused)
    with pytest.raises(NotDoneYet, match=said):
        failed_send.judge(cluster, notes=notes, rejected=rejected, inbox=INBOX)


def test_a_settled_inbox(cluster: Cluster) -> None:
    notes, rejected = letters(cluster, "settled")
    put(cluster, notes, SMALL)
    put(cluster, rejected, CUT)
    said = failed_send.judge(cluster, notes=notes, rejected=rejected, inbox=INBOX)
    assert said == "topic notes-settled holds 2 notes, and topic rejected-settled the one that was refused."


def test_an_exercise_gone_wrong_can_be_started_over(cluster: Cluster) -> None:
    with KafkaProducer(**cluster.client_config(), max_request_size=1_000) as producer:
        learner = {"cluster": cluster, "producer": producer, "MessageSizeTooLargeError": MessageSizeTooLargeError}
        exec(solution_text("01.failed-send"), learner)
        put(cluster, str(learner["rejected"]), {b"note-1": b"n" * 50})
        with pytest.raises(NotDoneYet, match=r"also holds note-1, which .* To start over, run the exercise's cell"):
            settle(cluster, learner)
        exec(solution_text("01.failed-send"), learner)
        assert settle(cluster, learner).endswith("the one that was refused.")


def settle(cluster: Cluster, learner: Mapping[str, Any]) -> str:
    return failed_send.judge(cluster, **{name: learner[name] for name in ("notes", "rejected", "inbox")})


@pytest.fixture(scope="module")
def journal(cluster: Cluster) -> str:
    return cluster.create_topic("journal")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"acks": 0, "enable_idempotence": False}, "has acks=0: it does not wait for all in-sync"),
        ({"acks": 1, "enable_idempotence": False}, "has acks=1: it does not wait for all in-sync"),
        ({"acks": "all"}, "tries for 120 seconds before it reports a failure, and 40 are wanted"),
        (
            {"acks": "all", "enable_idempotence": False, "delivery_timeout_ms": 40_000},
            "has no producer id: a retry could store it twice",
        ),
    ],
)
def test_a_producer_that_could_lose_or_double(
    cluster: Cluster, journal: str, settings: dict[str, Any], said: str
) -> None:
    with (
        KafkaProducer(**cluster.client_config(), **settings) as careful,
        pytest.raises(NotDoneYet, match=said),
    ):
        no_loss.judge(cluster, topic=journal, careful=careful)


@pytest.mark.parametrize("answer", [None, {"acks": "all"}])
def test_something_else_than_a_producer(cluster: Cluster, journal: str, answer: object) -> None:
    with pytest.raises(NotDoneYet, match=r"`careful` is of type \w+: make a KafkaProducer"):
        no_loss.judge(cluster, topic=journal, careful=answer)


def test_a_producer_that_was_closed(cluster: Cluster, journal: str) -> None:
    careful = KafkaProducer(**cluster.client_config(), delivery_timeout_ms=40_000)
    careful.close()
    with pytest.raises(NotDoneYet, match="journal failed with IllegalStateError"):
        no_loss.judge(cluster, topic=journal, careful=careful)


def test_a_careful_producer(cluster: Cluster, journal: str) -> None:
    with KafkaProducer(**cluster.client_config(), delivery_timeout_ms=40_000) as careful:
        said = no_loss.judge(cluster, topic=journal, careful=careful)
    assert said == ("a batch with a producer id, stored by all in-sync replicas, reported within 40 seconds.")
