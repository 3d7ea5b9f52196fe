from __future__ import annotations

import pytest
from kafka import errors as kafka_errors

from kafkalab.traffic import outcomes
from kafkalab.traffic.outcomes import NOT_WRITTEN, NOT_WRITTEN_AT_FIRST, was_not_written


@pytest.mark.parametrize(
    ("error", "tried_once", "tried_again"),
    [
        (kafka_errors.MessageSizeTooLargeError, True, True),
        (kafka_errors.TopicAuthorizationFailedError, True, True),
        (kafka_errors.InvalidTimestampError, True, True),
        (kafka_errors.NotEnoughReplicasError, True, False),
        (kafka_errors.NotEnoughReplicasAfterAppendError, False, False),
        (kafka_errors.RequestTimedOutError, False, False),
        (kafka_errors.NotLeaderForPartitionError, False, False),
        (kafka_errors.OutOfOrderSequenceNumberError, False, False),
        (kafka_errors.KafkaConnectionError, False, False),
        (kafka_errors.KafkaTimeoutError, False, False),
    ],
)
def test_only_a_refusal_before_the_append_is_certain(
    error: type[Exception], tried_once: bool, tried_again: bool
) -> None:
    code = getattr(error, "errno", None)
    assert was_not_written(code, retries=False) is tried_once
    assert was_not_written(code, retries=True) is tried_again


def test_librdkafka_s_own_errors_say_nothing() -> None:
    import confluent_kafka

    own = (confluent_kafka.KafkaError._MSG_TIMED_OUT, confluent_kafka.KafkaError._PURGE_QUEUE)
    assert not any(was_not_written(code, retries=False) for code in own)


def test_the_codes_are_kafka_s_and_stand_in_the_table() -> None:
    documented = outcomes.__doc__ or ""
    # kafka-python has names of its own for two of them.
    other = {"INVALID_TOPIC_EXCEPTION": "INVALID_TOPIC", "MESSAGE_TOO_LARGE": "MESSAGE_SIZE_TOO_LARGE"}
    for code, name in (NOT_WRITTEN | NOT_WRITTEN_AT_FIRST).items():
        assert kafka_errors.for_code(code).message == other.get(name, name)
        assert f"\n{name} " in documented
