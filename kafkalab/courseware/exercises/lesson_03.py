"""The exercises of lesson 03, Consumer groups."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from typing import Any

import pandas as pd
from kafka import KafkaProducer

from kafkalab import Cluster
from kafkalab.courseware.declaration import NotDoneYet, exercise, expect
from kafkalab.courseware.exercises.killing import looped_steps, run_answer
from kafkalab.courseware.exercises.reading import records_of, rows_of
from kafkalab.errors import InvalidArgument

__all__ = ["lag_to_zero", "no_double_effect", "rewind"]

SECONDS = 30.0
PRICES = [100 + 7 * number for number in range(12)]
OVER = "To start over, run the exercise's cell again: it puts the group back."


@exercise(
    "03.rewind",
    task="Set the committed offsets of the group to its first order placed at 15:00 or later, in every partition.",
    hints=(
        "offsets_for_times tells the offsets, as above; put_back shows how a group's offsets are committed.",
        (
            "With a KafkaConsumer that has group_id=accounts: found = consumer.offsets_for_times({tp: "
            "milliseconds(15) for tp in everything}), then consumer.commit({tp: OffsetAndMetadata(place.offset, "
            '"", -1) for tp, place in found.items()}).'
        ),
    ),
)
def rewind(cluster: Cluster, *, topic: str, group: str, since_ms: int) -> str:
    """Compare the group's committed offsets with the times of the records."""
    records = records_of(cluster, topic)
    of_topic = rows_of(cluster, topic, _lag(cluster, group))
    committed = dict(zip(of_topic["partition"].tolist(), of_topic["committed"].tolist(), strict=True))
    for partition in sorted({record.partition for record in records}):
        of = [record for record in records if record.partition == partition]
        wanted = next((record.offset for record in of if record.timestamp >= since_ms), of[-1].offset + 1)
        found = committed.get(partition, -1)
        expect(
            found == wanted,
            f"in partition {partition} the group {group} goes on at offset {found}, {_ahead(of, found, since_ms)}.",
        )
    later = sum(record.timestamp >= since_ms for record in records)
    return f"group {group} goes on at its first order since then: it will read {later} of {len(records)} again."


def _ahead(records: list[Any], offset: int, since_ms: int) -> str:
    if offset < 0:
        return "which means that nothing is committed"
    if all(record.timestamp < since_ms for record in records if record.offset < offset):
        return "an order that was placed too early"
    return "behind an order that was placed at that time or later"


@exercise(
    "03.lag-to-zero",
    task="Cook what the group late-shift has left, each order once, and bring its lag to zero.",
    hints=(
        "Cooks that join the group go on where it committed. What they have cooked stands in their list `cooked`.",
        (
            'staff = [Cook(name, late, orders) for name in ("eva", "finn", "gina")]; wait until len(cooked(*staff)) '
            "is what the lag was, then leave(*staff), which commits, and finished = cooked(*staff)."
        ),
    ),
)
def lag_to_zero(cluster: Cluster, *, topic: str, group: str, committed: int, finished: object) -> str:
    """Compare what was cooked with the records behind the offsets committed at first, and ask for the group's lag."""
    done = Counter(_texts(finished))
    left = {record.value.decode() for record in records_of(cluster, topic) if record.offset >= committed}
    behind = int(_lag(cluster, group)["lag"].sum())
    forgotten = _in_order(left - set(done))
    expect(
        not behind,
        f"group {group} still has a lag of {behind}, and {len(forgotten)} orders are missing in `finished`: "
        "either they are not cooked yet, or they are, and that is not committed.",
    )
    expect(
        not forgotten,
        f"the lag of group {group} is 0, but {len(forgotten)} orders, such as {forgotten[:1]}, are not in `finished`: "
        f"a commit does not cook. {OVER}",
    )
    _expect_once(done, left)
    return f"group {group} has a lag of 0, and each of the {len(left)} orders it had left was cooked once."


def _lag(cluster: Cluster, group: object) -> pd.DataFrame:
    try:
        return cluster.lag(str(group))
    except InvalidArgument:
        raise NotDoneYet(f"there is no group {group!r} yet: nobody has joined or committed.") from None


def _expect_once(done: Counter[str], left: set[str]) -> None:
    twice = _in_order(order for order, times in done.items() if times > 1)
    expect(not twice, f"{len(twice)} orders, such as {twice[:1]}, were cooked more than once. {OVER}")
    early = _in_order(set(done) - left)
    expect(not early, f"{early[:1]} in `finished` is not one of the orders that the group had left. {OVER}")


def _texts(answer: Any) -> list[str]:
    if isinstance(answer, str | bytes) or not isinstance(answer, Iterable):
        raise NotDoneYet(f"`finished` is of type {type(answer).__name__}: make a list of orders.")
    values = [getattr(order, "value", order) for order in answer]
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


def _in_order(orders: Iterable[str]) -> list[str]:
    return sorted(orders, key=lambda order: (len(order), order))


@exercise(
    "03.no-double-effect",
    task="Make takings keep its offset with its sum, so that wherever it is killed each order counts once.",
    hints=(
        "Two updates before one book.commit() are one write. And which offset would you seek to at the start?",
        (
            'In the loop: book.execute("UPDATE takings SET next_offset = ?", [record.offset + 1]). Before the seek: '
            '(start,) = book.execute("SELECT next_offset FROM takings").fetchone().'
        ),
    ),
)
def no_double_effect(cluster: Cluster, *, takings: Any) -> str:
    """Kill the program before each line of its loop in turn, starting it again each time; then look at the sum."""
    lines = looped_steps(takings, "takings")
    expect(lines, "`takings` has no loop: it should take one order after the other.")
    number = len(cluster.topics())  # names that are still free
    orders, database = cluster.create_topic(f"priced-{number}"), cluster.folder / f"takings-{number}.db"
    _place(cluster, orders)
    with closing(sqlite3.connect(database)) as book:
        book.executescript("CREATE TABLE takings (cents INT, next_offset INT); INSERT INTO takings VALUES (0, 0);")
        arguments = (cluster.client_config(), orders, cluster.name(orders), str(database))
        for line in lines:
            _run(takings, *arguments, kill_before=line, nth=2)
        _run(takings, *arguments)
        cents = sum(cents for (cents,) in book.execute("SELECT cents FROM takings"))
    told = f"killed before each of {len(lines)} lines, `takings` has {cents} cents for orders of {sum(PRICES)}"
    expect(cents <= sum(PRICES), f"{told}: some were counted twice.")
    expect(cents >= sum(PRICES), f"{told}: some were left out.")
    return f"{told}."


def _place(cluster: Cluster, topic: str) -> None:
    with KafkaProducer(**cluster.client_config()) as producer:
        for future in [producer.send(topic, b"%d" % cents) for cents in PRICES]:
            future.get(timeout=SECONDS)


def _run(program: Any, *arguments: object, **kill: Any) -> None:
    ending = run_answer(program, *arguments, timeout=SECONDS, **kill)
    expect(not ending.error, f"{ending}.")
