"""kafka-python's clients, which leave nothing behind where they cannot be made, or cannot say goodbye."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from kafka import KafkaProducer
from kafka.errors import KafkaTimeoutError
from kafka.net.compat import KafkaNetClient

__all__ = ["end", "made"]

T = TypeVar("T")


def made(kind: Callable[..., T], *topics: str, **config: Any) -> T:
    """Return ``kind(*topics, **config)``; where that raises, what it opened is closed.

    kafka-python 3.0.12 makes its connections in the constructor. Where nobody answers, or a setting turns out not to
    fit, it raises and leaves them open: the thread of a consumer or an admin client until the end of Python, the
    sockets of a producer until the garbage collector finds them, with a warning in whatever runs then.

    Args:
        kind: KafkaProducer, KafkaConsumer or KafkaAdminClient.
        topics: for a consumer.
        config: its settings.

    Raises:
        kafka.errors.KafkaError: what it raises.
    """
    opened: list[KafkaNetClient] = []

    def connections(**settings: Any) -> KafkaNetClient:
        opened.append(KafkaNetClient(**settings))
        return opened[-1]

    try:
        return kind(*topics, kafka_client=connections, **config)
    except BaseException:
        for each in opened:
            each.close()
        raise


def end(producer: KafkaProducer, seconds: float) -> None:
    """Close a producer; what it could not send within ``seconds`` is given up.

    kafka-python 3.0.12 flushes first. Where that takes longer, as without a broker, it raises and closes nothing: its
    thread would go on to look for brokers until the end of Python.

    Raises:
        kafka.errors.KafkaTimeoutError: its thread did not end, twice ``seconds`` later.
    """
    try:
        producer.close(timeout=seconds)
    except KafkaTimeoutError:
        producer._sender.force_close()  # noqa: SLF001
        producer._sender.join(seconds)  # noqa: SLF001
        producer.close(timeout=seconds)
