"""The exercises of lesson 01, Producers."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from kafkalab import Cluster
from kafkalab.courseware.declaration import NotDoneYet, exercise, expect
from kafkalab.courseware.exercises.reading import records_of

__all__ = ["failed_send", "no_loss", "predict_partition"]

NEW_KEYS = ("hugo", "ida", "jan")
LONGEST_DELIVERY_MS = 40_000
SECONDS = 20
OVER = "To start over, run the exercise's cell again: it makes two new, empty topics."


@exercise(
    "01.predict-partition",
    task="Predict the partition of the keys hugo, ida and jan in the topic payments.",
    hints=(
        "The partitioner's sum is in the function partition_of above; the topic has three partitions.",
        'partition_of(b"hugo", 3) is the first of the three numbers; the b makes the key bytes, as it must be.',
    ),
)
def predict_partition(cluster: Cluster, *, topic: str, predicted: object) -> str:
    """Send one record with each key and look where it was stored."""
    guesses = _guesses(predicted)
    with KafkaProducer(**cluster.client_config()) as producer:
        went = {key: _send(producer, topic, key=key.encode(), value=b"check").partition for key in NEW_KEYS}
    wrong = [key for key in NEW_KEYS if guesses[key] != went[key]]
    expect(not wrong, f"{_listed(wrong)} did not go to the partition that you predicted.")
    return "each key went where you predicted: " + ", ".join(f"{key} to {went[key]}" for key in NEW_KEYS) + "."


def _guesses(predicted: object) -> dict[str, object]:
    form = 'write {"hugo": ..., "ida": ..., "jan": ...} with a number in place of each `...`.'
    if not isinstance(predicted, Mapping):
        raise NotDoneYet(f"`predicted` is of type {type(predicted).__name__}, not a dictionary: {form}")
    guesses = {key.decode() if isinstance(key, bytes) else str(key): value for key, value in predicted.items()}
    missing = [key for key in NEW_KEYS if guesses.get(key, ...) is ...]
    expect(not missing, f"`predicted` has no partition for {_listed(missing)}: {form}")
    for key in NEW_KEYS:
        _expect_number(key, guesses[key])
    return guesses


def _expect_number(key: str, guess: object) -> None:
    if isinstance(guess, str):
        raise NotDoneYet(f"the partition of {key} is text, {guess!r}: write a number, without quotes.")
    kind = type(guess).__name__
    expect(isinstance(guess, Integral), f"the partition of {key} is of type {kind}: write a whole number.")


def _send(producer: KafkaProducer, topic: str, **parts: Any) -> Any:
    try:
        return producer.send(topic, **parts).get(timeout=SECONDS)
    except KafkaError as error:
        raise NotDoneYet(f"a record that the check sent to {topic} failed with {type(error).__name__}.") from error


def _listed(names: list[str]) -> str:
    return ", ".join(names)


@exercise(
    "01.failed-send",
    task="Send every note of the inbox to notes with its key; the one refused goes, cut short, to rejected.",
    hints=(
        "Wait for each send with get, in a try block; the function attempt above shows which error to expect.",
        (
            "In except MessageSizeTooLargeError: producer.send(rejected, key=key, value=value[:100])"
            ".get(timeout=10). If the notes after the large one fail as well, the producer is finished: "
            "make it anew as above, with max_request_size=1_000."
        ),
    ),
)
def failed_send(cluster: Cluster, *, notes: str, rejected: str, inbox: Mapping[bytes, bytes]) -> str:
    """Compare what the two topics hold with the inbox."""
    limit = 1_000
    stored = {record.key: record.value for record in records_of(cluster, notes) if record.key}
    refused = {record.key: record.value for record in records_of(cluster, rejected) if record.key}
    small = [key for key, value in inbox.items() if len(value) < limit]
    large = [key for key, value in inbox.items() if len(value) >= limit]
    _expect_all(notes, {key: inbox[key] for key in small}, stored)
    _expect_all(rejected, {key: inbox[key][:100] for key in large}, refused)
    astray = [key.decode() for key in small if key in refused]
    expect(not astray, f"topic {rejected} also holds {_listed(astray)}, which {notes} would have taken. {OVER}")
    return f"topic {notes} holds {len(small)} notes, and topic {rejected} the one that was refused."


def _expect_all(topic: str, wanted: Mapping[bytes, bytes], found: Mapping[bytes, bytes]) -> None:
    missing = [key.decode() for key in wanted if key not in found]
    expect(not missing, f"topic {topic} does not hold {_listed(missing)} yet.")
    changed = [key.decode() for key in wanted if found[key] != wanted[key]]
    expect(not changed, f"topic {topic} holds {_listed(changed)} with a value not asked for. {OVER}")


@exercise(
    "01.no-loss",
    task="Make a producer that waits for all in-sync replicas, retries without duplicates, and gives up after 40 s.",
    hints=(
        "Three settings beside cluster.client_config(): one for the answer, one for duplicates, one for the time.",
        'KafkaProducer(**cluster.client_config(), acks="all", enable_idempotence=True, delivery_timeout_ms=...)',
    ),
)
def no_loss(cluster: Cluster, *, topic: str, careful: object) -> str:
    """Send with it, and look at its settings and at what the leader of the topic's partition knows of producers."""
    if not isinstance(careful, KafkaProducer):
        raise NotDoneYet(f"`careful` is of type {type(careful).__name__}: make a KafkaProducer.")
    acks = careful.config["acks"]
    expect(acks == -1, f"your producer has acks={acks}: it does not wait for all in-sync replicas.")
    limit = careful.config["delivery_timeout_ms"]
    expect(
        limit <= LONGEST_DELIVERY_MS,
        f"your producer tries for {limit / 1000:g} seconds before it reports a failure, and 40 are wanted.",
    )
    known = _producers(cluster, topic)
    _send(careful, topic, value=b"check")
    expect(
        _producers(cluster, topic) != known,
        "the batch that your producer stored has no producer id: a retry could store it twice.",
    )
    return f"a batch with a producer id, stored by all in-sync replicas, reported within {limit / 1000:g} seconds."


def _producers(cluster: Cluster, topic: str) -> list[tuple[int, ...]]:
    """Return the producers with an id that have written to the topic, with the last sequence number of each."""
    partition = TopicPartition(topic, 0)
    with KafkaAdminClient(**cluster.client_config()) as admin:
        return sorted(admin.describe_producers([partition])[partition].active_producers)
