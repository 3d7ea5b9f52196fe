"""A look at a cluster in words: what a screen reader, a terminal and a test see of the live view."""

from __future__ import annotations

from collections.abc import Sequence

from kafkalab.observe.looking import GroupSeen, PartitionSeen, Seen

__all__ = ["in_words", "title"]


def title(seen: Seen) -> str:
    """Return how many brokers there are, and how many of them do not run."""
    brokers = [node for node in seen.nodes if node.kind == "broker"]
    down = sum(node.state != "running" for node in brokers)
    count = f"{len(brokers)} broker{'s' * (len(brokers) != 1)}"
    return f"Kafka cluster, {count}" + (f", {len(brokers) - down} running" if down else "")


def in_words(seen: Seen) -> str:
    """Return the look as a title and three tables; the same look gives the same text."""
    parts = [title(seen), _aligned([(f"{node.kind} {node.id}", node.condition) for node in seen.nodes])]
    if seen.partitions:
        head = ("partition", "leader", "replicas", "isr", "log end")
        parts.append(_aligned([head, *map(_partition_row, seen.partitions)]))
        parts.append(_left_out(seen.hidden_partitions, "partition"))
    if seen.groups:
        parts.append(_aligned([("group", "state", "members", "lag"), *map(_group_row, seen.groups)]))
        parts.append(_left_out(seen.hidden_groups, "group"))
    return "\n".join(filter(None, parts))


def _partition_row(seen: PartitionSeen) -> tuple[str, ...]:
    leader = "none" if seen.leader < 0 else str(seen.leader)
    return (f"{seen.topic}-{seen.partition}", leader, _ids(seen.replicas), _ids(seen.isr), _number(seen.end))


def _group_row(seen: GroupSeen) -> tuple[str, ...]:
    return (seen.group, seen.state, _number(seen.members), str(seen.total))


def _ids(ids: Sequence[int]) -> str:
    return ",".join(map(str, ids))


def _number(value: int) -> str:
    return "?" if value < 0 else str(value)


def _left_out(count: int, noun: str) -> str:
    return f"  and {count} more {noun}{'s' * (count != 1)}" if count else ""


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(f"  {line}".rstrip() for line in lines)
