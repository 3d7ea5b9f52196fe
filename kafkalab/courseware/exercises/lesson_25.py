"""The exercises of lesson 25, Event sourcing.

What is right is computed from the log alone, as sums over its events and not as the lesson does.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from kafkalab import Cluster
from kafkalab.apps.shop import as_table, balances, statuses
from kafkalab.courseware.declaration import NotDoneYet, exercise, expect
from kafkalab.courseware.exercises.reading import NEW_TOPIC, records_of, require_topic, setting_of

__all__ = ["balance_at", "order_snapshots", "pieces_sold"]


@exercise(
    "25.balance-at",
    task="Publish the balance of each account, in cents, as it was on 3 March at 13:30.",
    hints=(
        "Which events had happened by then? Each record tells its own time, and the late ones lie behind the rest.",
        (
            "replay([record for record in log if record.timestamp < asked], apply) gives the accounts. For each one: "
            'producer.send(published, b"%d" % account["balance"], key=customer.encode())'
        ),
    ),
)
def balance_at(cluster: Cluster, *, events: str, published: object, before_ms: int) -> str:
    """Compare what was published with the sums of the events that had happened by then."""
    name = require_topic(cluster, published, "published")
    log = as_table(records_of(cluster, events))
    wanted = balances(log[log["time_ms"] < before_ms])
    found = _numbers(cluster, name, "cents")
    for rows, why in (
        # Highest time so far: what lies before the first record of that time or a later one.
        (log["reached_ms"] < before_ms, "as it was known then: late events lie behind the offsets for that time"),
        (log["time_ms"] > 0, "as it is at the end of the log: leave out what happened later"),
    ):
        expect(found == wanted or found != balances(log[rows]), f"each balance in topic {name} is {why}.")
    missing, strange = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    expect(not strange, f"topic {name} has a balance of {strange[:1]}, who has no event before then.")
    expect(not missing, f"{len(missing)} of {len(wanted)} customers, such as {missing[:1]}, are not in topic {name}.")
    wrong = sorted(customer for customer in wanted if found[customer] != wanted[customer])
    expect(
        not wrong,
        f"{len(wrong)} of {len(wanted)} balances in topic {name} are not right, such as {wrong[:1]}: "
        f"{found[wrong[0]] if wrong else 0} cents.",
    )
    return f"topic {name} has the balances of {len(wanted)} accounts as they were at that minute."


def _numbers(cluster: Cluster, topic: str, unit: str) -> dict[str, int]:
    """Return the number that each key has, in a topic where none comes twice."""
    records = records_of(cluster, topic)
    expect(records, f"topic {topic} is empty: send to it, and close or flush the producer.")
    expect(all(record.key for record in records), f"a record in topic {topic} has no key. {NEW_TOPIC}")
    times = Counter(record.key.decode() for record in records)
    twice = sorted(key for key, count in times.items() if count > 1)
    expect(not twice, f"{twice[:1]} is there more than once in topic {topic}. {NEW_TOPIC}")
    return {record.key.decode(): _number(record, unit) for record in records}


def _number(record: Any, unit: str) -> int:
    try:
        return int(record.value)
    except (TypeError, ValueError):
        key = record.key.decode()
        raise NotDoneYet(f"the value of {key} is {record.value!r}: write a whole number of {unit}.") from None


@exercise(
    "25.order-snapshots",
    task="Write the status of each order to a compacted topic, with the offset it stands for, so that one can go on.",
    hints=(
        (
            "The key is the order now, and the log's is the customer. An offset means nothing without its partition: "
            "tell send in which one a snapshot belongs."
        ),
        (
            'cluster.create_topic(..., partitions=3, config={"cleanup.policy": "compact"}). For each record of the '
            "log note its partition by its customer, and in ends[record.partition] the offset behind it. Then for "
            'each order send {"status": status, "offset": ends[partition]} with partition=partition.'
        ),
    ),
)
def order_snapshots(cluster: Cluster, *, events: str, order_snapshots: object) -> str:
    """Start as a fresh reader does, from the snapshots and what follows them, and compare that with the whole log."""
    name = require_topic(cluster, order_snapshots, "order_snapshots")
    policy = setting_of(cluster, name, "cleanup.policy")
    expect(policy == "compact", f"the cleanup.policy of topic {name} is {policy}: it does not keep a key's last value.")
    log, kept = as_table(records_of(cluster, events)), records_of(cluster, name)
    expect(
        kept, f"topic {name} is empty: send the snapshots to it, each with its key, or a compacted topic refuses it."
    )
    last = {record.key.decode(): (record.partition, *_snapshot(record)) for record in kept}
    _expect_own_partition(name, log, last)
    _expect_as_of_their_offsets(name, log, last)
    tail = _tail(log, last)
    restored = {order: status for order, (_, status, _) in last.items()} | statuses(tail)
    lacking = sorted(set(log["order"]) - set(restored))
    expect(not lacking, f"a fresh reader of topic {name} misses {len(lacking)} orders, such as {lacking[:1]}.")
    read = len(last) + len(tail)
    expect(
        read < len(log),
        f"a fresh reader reads {len(last)} snapshots and {len(tail)} events, no fewer than the {len(log)} of the log: "
        "which offset does a snapshot stand for? All events before it are in it.",
    )
    return f"a fresh reader knows all {len(restored)} orders after {read} records instead of {len(log)}."


def _snapshot(record: Any) -> tuple[str, int]:
    try:
        value = json.loads(record.value)
        return str(value["status"]), int(value["offset"])
    except (TypeError, ValueError, KeyError):
        wanted = '{"status": "paid", "offset": 400}'
        raise NotDoneYet(f"a snapshot is {record.value!r}, and should be JSON like {wanted}.") from None


Snapshots = Mapping[str, tuple[int, str, int]]  # of each order: partition, status, offset


def _expect_own_partition(topic: str, log: pd.DataFrame, snapshots: Snapshots) -> None:
    home = dict(zip(log["order"], log["partition"], strict=True))
    unknown = sorted(set(snapshots) - set(home))
    expect(not unknown, f"topic {topic} has a snapshot of {unknown[:1]}, and the log has no such order.")
    astray = sorted(order for order, (partition, _, _) in snapshots.items() if partition != home[order])
    expect(
        not astray,
        f"{len(astray)} snapshots in topic {topic}, such as that of order {astray[:1]}, are in another partition than "
        "the order's events: of which partition is their offset? Say partition=... when you send.",
    )


def _expect_as_of_their_offsets(topic: str, log: pd.DataFrame, snapshots: Snapshots) -> None:
    offsets = {order: offset for order, (_, _, offset) in snapshots.items()}
    then = statuses(log[log["offset"] < log["order"].map(offsets).fillna(0)])
    for order, (_, status, offset) in sorted(snapshots.items()):
        expect(
            status == then.get(order),
            f"topic {topic} says that order {order} is {status} as of offset {offset}, and what lies before that "
            f"offset makes it {then.get(order, 'unknown')}.",
        )


def _tail(log: pd.DataFrame, snapshots: Snapshots) -> pd.DataFrame:
    """Return what a reader reads of the log: each partition from the lowest offset of its snapshots."""
    start: dict[int, int] = {}
    for partition, _, offset in snapshots.values():
        start[partition] = min(offset, start.get(partition, offset))
    return log[log["offset"] >= log["partition"].map(start).fillna(0)]


@exercise(
    "25.pieces-sold",
    task="Repair pieces_sold, and publish how many pieces of each product customers have bought and kept.",
    hints=(
        (
            "Replay the log, and look at orders that did not end as delivered: which of their pieces does it count? "
            "Not every order that ends early was paid before."
        ),
        (
            "An order may be cancelled after it was paid, and then its reason is customer_request: "
            'sold.subtract(items[order]) if event["reason"] == "customer_request".'
        ),
    ),
)
def pieces_sold(cluster: Cluster, *, events: str, sold: object) -> str:
    """Compare what was published with the items of the orders that are delivered at the end of the log."""
    name = require_topic(cluster, sold, "published_pieces")
    log, found = records_of(cluster, events), _numbers(cluster, name, "pieces")
    status = statuses(as_table(log))
    happened = [json.loads(record.value) for record in log]
    items = {str(event["order_id"]): event["items"] for event in happened if event["event"] == "placed"}
    wanted: Counter[str] = Counter()
    for order, lines in items.items():
        for line in lines:
            wanted[line["sku"]] += line["quantity"] * (status[order] == "delivered")
    wrong = sorted(sku for sku in {*wanted, *found} if wanted[sku] != found.get(sku, 0))
    if wrong:
        suspect = _suspect(wrong[0], found.get(wrong[0], 0) > wanted[wrong[0]], happened, status)
        raise NotDoneYet(
            f"{len(wrong)} products in topic {name} are wrong, such as {wrong[0]}: the number is "
            f"{found.get(wrong[0], 0)}, and customers have kept {wanted[wrong[0]]}{suspect}."
        )
    return f"topic {name} has the {wanted.total()} pieces of {len(+wanted)} products that customers have kept."


def _suspect(sku: str, too_many: bool, happened: Sequence[Mapping[str, Any]], status: Mapping[str, str]) -> str:
    """Name a cancelled order of this product: one that was paid if too many are counted, else one that never was."""
    paid = {event["order_id"] for event in happened if event["event"] == "paid"}
    for event in happened:
        order = event["order_id"]
        ordered = event["event"] == "placed" and sku in {line["sku"] for line in event["items"]}
        if ordered and status[str(order)] == "cancelled" and (order in paid) == too_many:
            return f"; look at the events of order {order}"
    return ""
