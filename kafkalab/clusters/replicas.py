"""How far each replica of a partition has come, as its own broker says.

A client sees a partition through its leader only. Two requests of Kafka's protocol reach past it: a ListOffsets
request of the "debugging" replica (id -2) is answered by every broker with the log end offset of its own replica,
and a Fetch request may be sent to a follower since KIP-392, whose answer carries the high watermark that this
follower knows of. Both are asked of every broker, and nothing is inferred. (DescribeLogDirs knows sizes and the lag
behind the high watermark only, and the checkpoint files on disk are seconds old.)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import groupby
from operator import attrgetter
from typing import Any

import pandas as pd
from kafka import TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import KafkaError, UnknownBrokerIdError
from kafka.protocol.consumer import FetchRequest, ListOffsetsRequest

from kafkalab.clusters.tables import partitions, table

__all__ = ["UNKNOWN", "leaders_ends", "replicas"]

#: Stands for an offset that the replica's broker did not tell.
UNKNOWN = -1
_DEBUGGING_REPLICA = -2
_ANY_EPOCH = -1
_NO_SESSION = -1
# From 11 on a follower may answer; from 13 on topics go by id instead of name.
_FETCH_VERSIONS = {"min_version": 11, "max_version": 12}
_Offsets = dict[TopicPartition, int]


def replicas(admin: Any, topic: str | None = None) -> pd.DataFrame:
    """Return topic (str), partition, broker (int64), role (str), in_sync (bool), log_end, high_watermark (int64).

    ``role`` is "leader" or "follower"; offsets are -1 where the broker did not answer: it is dead, paused or cut off.

    Raises:
        InvalidArgument: there is no such topic.
    """
    known = partitions(admin, topic)
    rows = [
        (row["topic"], row["partition"], broker, _role(broker, row["leader"]), broker in row["isr"])
        for row in known.to_dict("records")
        for broker in row["replicas"]
    ]
    positions = _asked(admin, rows)
    told = [(*row, *positions.get((row[2], TopicPartition(*row[:2])), (UNKNOWN, UNKNOWN))) for row in rows]
    columns = {
        "topic": "str",
        "partition": "int64",
        "broker": "int64",
        "role": "str",
        "in_sync": "bool",
        "log_end": "int64",
        "high_watermark": "int64",
    }
    return table(told, columns, ["topic", "partition", "broker"])


def leaders_ends(admin: Any, topics: Collection[str]) -> dict[tuple[str, int], tuple[int, int] | None]:
    """Return log end and high watermark of each partition's leader; None where it did not tell.

    A leader acknowledges with acks=1 what it alone has; consumers are shown it when the in-sync replicas have it too,
    and the high watermark has come to it.

    Args:
        admin: kafka-python's client.
        topics: their names; left out are those that are not there, and partitions that have no leader.
    """
    known = partitions(admin)
    asked = known[known["topic"].isin(list(topics)) & (known["leader"] >= 0)]
    rows = asked[["topic", "partition", "leader"]].to_records(index=False).tolist()
    told = _asked(admin, rows)
    return {(topic, number): told.get((leader, TopicPartition(topic, number))) for topic, number, leader in rows}


def _asked(admin: Any, rows: Iterable[tuple[Any, ...]]) -> dict[tuple[int, TopicPartition], tuple[int, int]]:
    """Ask the broker of each row (topic, partition, broker, ...); see :func:`_positions`."""
    wanted = _by_broker(rows)
    found: dict[tuple[int, TopicPartition], tuple[int, int]]
    found = admin._manager.run(_positions, admin._manager, wanted)  # noqa: SLF001 - no request of its own
    return found


def _role(broker: int, leader: int) -> str:
    return "leader" if broker == leader else "follower"


def _by_broker(rows: Iterable[tuple[Any, ...]]) -> dict[int, list[TopicPartition]]:
    found: dict[int, list[TopicPartition]] = {}
    for topic, partition, broker, *_ in rows:
        found.setdefault(broker, []).append(TopicPartition(topic, partition))
    return found


async def _positions(
    manager: Any, wanted: Mapping[int, list[TopicPartition]]
) -> dict[tuple[int, TopicPartition], tuple[int, int]]:
    """Return log end and high watermark by broker and partition; what is not told is left out."""
    # All brokers at the same time: one that is paused holds nobody up but itself.
    asked = {broker: _sent(manager, broker, _ends_request(of)) for broker, of in wanted.items()}
    ends = {broker: await _told(answer, _log_ends) for broker, answer in asked.items()}
    asked = {broker: _sent(manager, broker, _marks_request(of)) for broker, of in ends.items() if of}
    marks = {broker: await _told(answer, _high_watermarks) for broker, answer in asked.items()}
    return {
        (broker, tp): (end, marks[broker].get(tp, UNKNOWN)) for broker, of in ends.items() for tp, end in of.items()
    }


def _sent(manager: Any, broker: int, request: Any) -> Any:
    try:
        return manager.send(request, node_id=broker)
    except UnknownBrokerIdError:  # it is dead, and the cluster has noticed
        return None


async def _told(answer: Any, read: Any) -> _Offsets:
    if answer is None:
        return {}
    try:
        found: _Offsets = read(await answer)
    except KafkaError:  # this broker cannot be reached; what the others say stands
        return {}
    return found


def _ends_request(of: Iterable[TopicPartition]) -> Any:
    topic = ListOffsetsRequest.ListOffsetsTopic
    return ListOffsetsRequest(
        replica_id=_DEBUGGING_REPLICA,
        isolation_level=0,
        topics=[
            topic(
                name=name,
                partitions=[
                    topic.ListOffsetsPartition(
                        partition_index=tp.partition, current_leader_epoch=_ANY_EPOCH, timestamp=OffsetSpec.LATEST
                    )
                    for tp in tps
                ],
            )
            for name, tps in groupby(of, attrgetter("topic"))
        ],
    )


def _log_ends(response: Any) -> _Offsets:
    return {
        TopicPartition(topic.name, answer.partition_index): answer.offset
        for topic in response.topics
        for answer in topic.partitions
        if answer.error_code == 0
    }


def _marks_request(ends: _Offsets) -> Any:
    """Ask for the records behind the log end: there are none, and the answer has the high watermark all the same."""
    topic = FetchRequest.FetchTopic
    return FetchRequest(
        max_wait_ms=0,
        min_bytes=0,
        session_epoch=_NO_SESSION,
        topics=[
            topic(
                topic=name,
                partitions=[
                    topic.FetchPartition(
                        partition=tp.partition,
                        current_leader_epoch=_ANY_EPOCH,
                        fetch_offset=ends[tp],
                        log_start_offset=-1,
                        partition_max_bytes=1,
                    )
                    for tp in tps
                ],
            )
            for name, tps in groupby(ends, attrgetter("topic"))
        ],
        **_FETCH_VERSIONS,
    )


def _high_watermarks(response: Any) -> _Offsets:
    return {
        TopicPartition(topic.topic, answer.partition_index): answer.high_watermark
        for topic in response.responses
        for answer in topic.partitions
        if answer.error_code == 0
    }
