"""What the admin protocol tells, as DataFrames: fixed columns and dtypes, sorted, no port, pid or time.

Each function takes kafka-python's admin client. Lists of broker ids are sorted tuples, except ``replicas``, whose
first member is the preferred leader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd
from kafka import TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import InvalidTopicError, TopicAuthorizationFailedError, UnknownTopicOrPartitionError

from kafkalab.errors import BorrowedCluster, InvalidArgument

__all__ = ["groups", "lag", "partitions", "quorum", "table", "topics"]

Visible = Callable[[str], bool]
_NO_TOPIC = {UnknownTopicOrPartitionError.errno, InvalidTopicError.errno}


def table(rows: Iterable[tuple[Any, ...]], columns: dict[str, str], by: list[str]) -> pd.DataFrame:
    """Return ``rows`` with ``columns`` (name and dtype), sorted ``by`` some of them; ties stay as they came."""
    frame = pd.DataFrame(list(rows), columns=list(columns)).astype(columns)
    return frame.sort_values(by, ignore_index=True, kind="stable")


def topics(admin: Any) -> pd.DataFrame:
    """Return topic (str), partitions, replication_factor (int64); internal topics left out."""
    found = [topic for topic in admin.describe_topics() if not topic["is_internal"]]
    rows = [(t["name"], len(t["partitions"]), len(t["partitions"][0]["replica_nodes"])) for t in found]
    return table(rows, {"topic": "str", "partitions": "int64", "replication_factor": "int64"}, ["topic"])


def partitions(admin: Any, topic: str | None = None) -> pd.DataFrame:
    """Return topic (str), partition, leader (int64; -1 for none), replicas, isr (tuples of broker ids).

    Internal topics are left out unless one is asked for.

    Raises:
        InvalidArgument: there is no such topic.
        BorrowedCluster: this user may not see it.
    """
    asked = topic is not None
    found = admin.describe_topics([topic] if asked else None)
    if asked and (error := found[0]["error_code"]) in _NO_TOPIC:
        raise InvalidArgument(f"there is no topic {topic!r}: see cluster.topics() for those there are.")
    if asked and error == TopicAuthorizationFailedError.errno:
        raise BorrowedCluster(f"this cluster does not let you see topic {topic!r}")
    rows = [
        (
            described["name"],
            partition["partition_index"],
            partition["leader_id"],
            tuple(partition["replica_nodes"]),
            tuple(sorted(partition["isr_nodes"])),
        )
        for described in found
        if asked or not described["is_internal"]
        for partition in described["partitions"]
    ]
    columns = {"topic": "str", "partition": "int64", "leader": "int64", "replicas": "object", "isr": "object"}
    return table(rows, columns, ["topic", "partition"])


def groups(admin: Any, group: str | None = None) -> pd.DataFrame:
    """Return group, state, protocol (str), members, partitions (int64): consumer groups and what they read."""
    known = [each["group_id"] for each in admin.list_groups() if each["protocol_type"] == "consumer"]
    ids = [name for name in known if group in (None, name)]
    described = admin.describe_groups(ids) if ids else {}
    rows = [
        (name, found["group_state"], found["protocol_data"], len(found["members"]), _assigned_count(found))
        for name, found in described.items()
    ]
    columns = {"group": "str", "state": "str", "protocol": "str", "members": "int64", "partitions": "int64"}
    return table(rows, columns, ["group"])


def _assigned_count(group: dict[str, Any]) -> int:
    assignments = [member["member_assignment"] or {} for member in group["members"]]
    return sum(len(topic["partitions"]) for a in assignments for topic in a.get("assigned_partitions", ()))


def lag(admin: Any, group: str) -> pd.DataFrame:
    """Return topic (str), partition, committed, end, lag (int64): where the group is and where the log ends.

    Raises:
        InvalidArgument: there is no such group.
    """
    committed = admin.list_group_offsets(group)[group]
    if not committed and group not in {known["group_id"] for known in admin.list_groups()}:
        raise InvalidArgument(f"there is no group {group!r}: see cluster.groups() for those there are.")
    ends = _end_offsets(admin, committed)
    rows = [
        (tp.topic, tp.partition, offset.offset, ends[tp], max(0, ends[tp] - max(offset.offset, 0)))
        for tp, offset in committed.items()
    ]
    columns = {"topic": "str", "partition": "int64", "committed": "int64", "end": "int64", "lag": "int64"}
    return table(rows, columns, ["topic", "partition"])


def _end_offsets(admin: Any, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
    wanted = dict.fromkeys(partitions, OffsetSpec.LATEST)
    found = admin.list_partition_offsets(wanted) if wanted else {}
    return {tp: answer.offset for tp, answer in found.items()}


def quorum(admin: Any) -> pd.DataFrame:
    """Return node (int64), role (str: leader, follower or observer), log_end, behind (int64, records of metadata)."""
    (topic,) = admin.describe_metadata_quorum()["topics"]
    (partition,) = topic["partitions"]
    leader = partition["leader_id"]
    leader_end = max(voter["log_end_offset"] for voter in partition["current_voters"])
    voters = [(v["replica_id"], "leader" if v["replica_id"] == leader else "follower", v["log_end_offset"])
              for v in partition["current_voters"]]  # fmt: skip
    observers = [(o["replica_id"], "observer", o["log_end_offset"]) for o in partition["observers"]]
    rows = [(node, role, end, max(0, leader_end - end)) for node, role, end in voters + observers]
    return table(rows, {"node": "int64", "role": "str", "log_end": "int64", "behind": "int64"}, ["node"])
