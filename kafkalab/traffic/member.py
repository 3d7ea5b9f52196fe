"""A member of a consumer group, as a process: ``python -m kafkalab.traffic.member OWNER``, OWNER a process id.

It lives as long as its owner, see :mod:`kafkalab.traffic.owner`. Its effects are lines on its standard output, each the
identity of one record.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable
from typing import Any

from kafkalab.traffic.owner import CLOSE_SECONDS, Owner, serve, write

__all__ = ["main", "process_batch"]

_POLL_MS = 200
_SESSION_MS = 6000  # the least that a broker allows by default


def process_batch(
    identities: list[bytes],
    commit: str,
    until_crash: int | None,
    write: Callable[[bytes], None],
    store: Callable[[], bool],
) -> bool:
    """Let the records of a batch have their effect, and commit them, in the order that was asked for.

    Args:
        identities: of the records.
        commit: ``"before"``, ``"after"`` or ``"auto"``.
        until_crash: how many records may have their effect before the process is to crash; None for any number.
        write: has the effect of the records whose lines it is given.
        store: commits the batch; returns whether that succeeded. Where it did not, the batch is read again, by whoever
            then has its partitions, so that ``"before"`` lets it have no effect now.

    Returns:
        Whether the process is to crash now: some records have had their effect and are not committed, or the other
        way round.
    """
    if commit == "before" and not store():
        return False
    crashes = until_crash is not None and len(identities) >= until_crash
    done = len(identities)
    if crashes and until_crash is not None:
        # What was committed must lack an effect, or what had its effect must not be committed.
        done = until_crash - 1 if commit == "before" else until_crash
    write(b"".join(identity + b"\n" for identity in identities[:done]))
    if commit == "after" and not crashes:
        store()
    return crashes


def _identities(records: Iterable[Any], header: str) -> list[bytes]:
    found = (next((value for name, value in record.headers if name == header), None) for record in records)
    return [identity for identity in found if identity is not None]


def _consumer(settings: dict[str, Any]) -> Any:
    from kafka import KafkaConsumer

    return KafkaConsumer(
        *settings["topics"],
        **settings["config"],
        group_id=settings["group"],
        group_instance_id=settings["member"],
        auto_offset_reset="earliest",
        enable_auto_commit=settings["commit"] == "auto",
        auto_commit_interval_ms=_POLL_MS,
        max_poll_records=settings["batch"],
        session_timeout_ms=_SESSION_MS,
        heartbeat_interval_ms=_SESSION_MS // 6,
        reconnect_backoff_ms=20,
        reconnect_backoff_max_ms=200,
        retry_backoff_ms=50,
        metadata_max_age_ms=500,
    )


def _consume(settings: dict[str, Any], owner: Owner) -> None:
    from kafka.errors import KafkaError

    consumer = _consumer(settings)
    for topic in settings["topics"]:
        # A kafka-python 3.0 consumer that joins before it knows its topics joins twice, and may miss the second time.
        consumer.partitions_for_topic(topic)
    left: int | None = settings["crash_every"]

    def store() -> bool:
        try:
            consumer.commit()
        except KafkaError:
            return False  # a rebalance, or a broker that is gone: what is not committed is read again
        return True

    while not owner.gone.is_set():
        batch = [record for records in consumer.poll(_POLL_MS).values() for record in records]
        if batch:
            identities = _identities(batch, settings["header"])
            if process_batch(identities, settings["commit"], left, write, store):
                os.kill(os.getpid(), signal.SIGKILL)
            left = left and left - len(identities)
    consumer.close(timeout_ms=int(CLOSE_SECONDS * 1000))


def main() -> None:
    """Read the settings and consume until the owner is gone."""
    serve(_consume)


if __name__ == "__main__":
    main()
