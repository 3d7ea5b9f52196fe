"""Who is in a consumer group and reads what.

Kafka names a member by a random id. Here each goes by its instance id if it is static, else by its client id; where
several share one, by ``reader``, ``reader-2``, ``reader-3``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from typing import Any

import pandas as pd

from kafkalab.clusters.tables import table
from kafkalab.errors import InvalidArgument

__all__ = ["Group", "Member", "MemberNames", "describe", "members"]

_IDLE = (("", -1),)


@dataclass(frozen=True)
class Member:
    """One member of a group.

    Attributes:
        id: Kafka's, random.
        client_id: the client's own name.
        instance_id: ``group.instance.id`` of a static member, else "".
        partitions: topic and number of what it reads, sorted; while the group rebalances, what it read before.
    """

    id: str
    client_id: str
    instance_id: str
    partitions: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Group:
    """A consumer group at one moment.

    Attributes:
        state: as Kafka has it: ``Stable``, ``PreparingRebalance``, ``CompletingRebalance``, ``Empty`` or ``Dead``.
        members: by client id, then by what they read.
    """

    state: str
    members: tuple[Member, ...]


class MemberNames:
    """Gives members names that they keep; a member that comes back takes the place its like has left."""

    def __init__(self) -> None:
        self._held: dict[str, str] = {}

    def of(self, present: Iterable[Member]) -> dict[str, str]:
        """Return the name of every member that is present now, by its id."""
        there = list(present)
        self._held = {member.id: self._held[member.id] for member in there if member.id in self._held}
        for member in there:
            self._held.setdefault(member.id, self._free(member.instance_id or member.client_id))
        return dict(self._held)

    def _free(self, wish: str) -> str:
        names = (wish if number == 1 else f"{wish}-{number}" for number in count(1))
        return next(name for name in names if name not in self._held.values())


def describe(admin: Any, group: str) -> Group:
    """Return the group as its coordinator sees it.

    Raises:
        InvalidArgument: there is no such group, or it uses the new protocol, which kafka-python does not speak.
    """
    found = admin.describe_groups([group])[group]
    if found["group_state"] == "Dead":
        _refuse(admin, group)
    return Group(found["group_state"], tuple(sorted(map(_member, found["members"]), key=_place)))


def _refuse(admin: Any, group: str) -> None:
    types = {known["group_id"]: known["group_type"] for known in admin.list_groups()}
    if types.get(group) == "consumer":
        raise InvalidArgument(
            f"the members of group {group!r} are not shown, for it uses the new group protocol (KIP-848): "
            "describe it with confluent-kafka's AdminClient.describe_consumer_groups."
        )
    raise InvalidArgument(f"there is no group {group!r}: see cluster.groups() for those there are.")


def _member(described: dict[str, Any]) -> Member:
    assigned = (described["member_assignment"] or {}).get("assigned_partitions", ())
    read = sorted((topic["topic"], partition) for topic in assigned for partition in topic["partitions"])
    return Member(described["member_id"], described["client_id"], described["group_instance_id"] or "", tuple(read))


def _place(member: Member) -> tuple[object, ...]:
    # Idle members last, and random ids decide only between members that nothing else tells apart.
    return member.client_id, member.instance_id, not member.partitions, member.partitions, member.id


def members(admin: Any, group: str) -> pd.DataFrame:
    """Return member, client_id, instance_id, topic (str), partition (int64): a row per member and partition it reads.

    A member without partitions has one row, with topic "" and partition -1; ``instance_id`` is "" unless the member
    is static.

    Raises:
        InvalidArgument: as :func:`describe`.
    """
    found = describe(admin, group)
    names = MemberNames().of(found.members)
    rows = [
        (names[member.id], member.client_id, member.instance_id, *read)
        for member in found.members
        for read in member.partitions or _IDLE
    ]
    columns = {"member": "str", "client_id": "str", "instance_id": "str", "topic": "str", "partition": "int64"}
    return table(rows, columns, ["member", "topic", "partition"])
