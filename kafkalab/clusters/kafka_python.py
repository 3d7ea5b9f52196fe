"""kafka-python's clients, of which one that cannot be made leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from kafka.net.compat import KafkaNetClient

__all__ = ["made"]

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
