"""The checks of lesson 03, on a real cluster: unsolved, half solved, solved."""

from __future__ import annotations

import linecache
import sqlite3
from collections.abc import Callable, Iterator
from itertools import count, islice
from typing import Any

import pytest
from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition

from kafkalab import Cluster
from kafkalab.courseware.declaration import NotDoneYet
from kafkalab.courseware.exercises.lesson_03 import lag_to_zero, no_double_effect, rewind
from kafkalab.courseware.solutions import solution_text

pytestmark = pytest.mark.integration

NOON = 1_748_865_600_000
MINUTE = 60_000
PARTITIONS = range(3)
ORDERS = 30
_NUMBERS = count()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=1) as running:
        yield running


@pytest.fixture(scope="module")
def orders(cluster: Cluster) -> str:
    """Thirty orders, one a minute from noon on, over three partitions in turn."""
    topic = cluster.create_topic("orders", partitions=len(PARTITIONS))
    producer = cluster.producer()
    futures = [
        producer.send(topic, b"order %d" % number, partition=number % 3, timestamp_ms=NOON + number * MINUTE)
        for number in range(ORDERS)
    ]
    for future in futures:
        future.get(timeout=20)
    return topic


def commit(cluster: Cluster, topic: str, offsets: dict[int, int]) -> str:
    """Return a fresh group that goes on at these offsets."""
    group = cluster.name(f"group-{next(_NUMBERS)}")
    with KafkaConsumer(**cluster.client_config(), group_id=group, enable_auto_commit=False) as consumer:
        consumer.commit(
            {TopicPartition(topic, number): OffsetAndMetadata(at, "", -1) for number, at in offsets.items()}
        )
    return group


def left(first: int) -> list[str]:
    return [f"order {number}" for number in range(3 * first, ORDERS)]


@pytest.mark.parametrize(
    ("reached", "finished", "said"),
    [
        (10, ..., "`finished` is still `...`"),
        (10, 18, "`finished` is of type int: make a list of orders"),
        (10, "order 12", "`finished` is of type str: make a list of orders"),
        (
            8,
            left(4),
            "still has a lag of 6, and 0 orders are missing in `finished`: either they are not cooked yet, or",
        ),
        (4, [], "still has a lag of 18, and 18 orders are missing"),
        (10, [], r"lag of group group-\d+ is 0, but 18 orders, such as \['order 12'\], are not in .*a commit does not"),
        (10, left(4)[1:], r"is 0, but 1 orders, such as \['order 12'\], are not in `finished`"),
        (10, left(4) + left(9), r"3 orders, such as \['order 27'\], were cooked more than once"),
        (10, left(0), r"\['order 0'\] in `finished` is not one of the orders that the group had left"),
    ],
)
def test_a_lag_that_is_not_worked_off(cluster: Cluster, orders: str, reached: int, finished: Any, said: str) -> None:
    group = commit(cluster, orders, dict.fromkeys(PARTITIONS, reached))
    with pytest.raises(NotDoneYet, match=said):
        lag_to_zero.judge(cluster, topic=orders, group=group, committed=4, finished=finished)


@pytest.mark.parametrize("finished", [left(4), [order.encode() for order in left(4)], set(left(4))])
def test_a_lag_worked_off(cluster: Cluster, orders: str, finished: object) -> None:
    group = commit(cluster, orders, dict.fromkeys(PARTITIONS, 10))
    said = lag_to_zero.judge(cluster, topic=orders, group=group, committed=4, finished=finished)
    assert said == f"group {group} has a lag of 0, and each of the 18 orders it had left was cooked once."


def test_records_will_do_as_orders(cluster: Cluster, orders: str) -> None:
    group = commit(cluster, orders, dict.fromkeys(PARTITIONS, 4))
    with KafkaConsumer(orders, **cluster.client_config(), group_id=group, consumer_timeout_ms=20_000) as consumer:
        finished = list(islice(consumer, 18))
    lag_to_zero.judge(cluster, topic=orders, group=group, committed=4, finished=finished)


# From 12:17 on: order 17 is at offset 5 of partition 2, orders 18 and 19 at offset 6 of the other two.
@pytest.mark.parametrize(
    ("offsets", "said"),
    [
        ({}, r"there is no group 'group-\d+' yet: nobody has joined or committed"),
        (
            {0: 6, 1: 6},
            r"in partition 2 the group group-\d+ goes on at offset -1, which means that nothing is committed",
        ),
        ({0: 5, 1: 6, 2: 5}, r"in partition 0 .* goes on at offset 5, an order that was placed too early"),
        ({0: 6, 1: 10, 2: 5}, r"in partition 1 .* at offset 10, behind an order that was placed at that time or later"),
    ],
)
def test_a_group_put_back_to_a_wrong_place(cluster: Cluster, orders: str, offsets: dict[int, int], said: str) -> None:
    group = commit(cluster, orders, offsets) if offsets else cluster.name(f"group-{next(_NUMBERS)}")
    with pytest.raises(NotDoneYet, match=said):
        rewind.judge(cluster, topic=orders, group=group, since_ms=NOON + 17 * MINUTE)


def test_a_group_put_back_by_the_solution(cluster: Cluster, orders: str) -> None:
    learner = {
        "cluster": cluster,
        "partitions": [TopicPartition(orders, number) for number in PARTITIONS],
        "milliseconds": lambda hour: NOON + 17 * MINUTE if hour == 15 else 0,
        "KafkaConsumer": KafkaConsumer,
        "OffsetAndMetadata": OffsetAndMetadata,
    }
    exec(solution_text("03.rewind"), learner)
    said = rewind.judge(cluster, topic=orders, group=learner["accounts"], since_ms=NOON + 17 * MINUTE)
    assert said == "group accounts goes on at its first order since then: it will read 13 of 30 again."


SOLVED = solution_text("03.no-double-effect")
STORE = '        book.execute("UPDATE takings SET next_offset = ?", [record.offset + 1])\n'
START = '    (start,) = book.execute("SELECT next_offset FROM takings").fetchone()\n'
UNSOLVED = SOLVED.replace(STORE, "").replace(START, "")
COMMITS = ("        book.commit()", "        consumer.commit()")


def written(source: str) -> Callable[..., Any]:
    """Return the function, with its source to be had, as of one that a notebook's cell defines."""
    name = f"<cell {next(_NUMBERS)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    scope = {
        "KafkaConsumer": KafkaConsumer,
        "TopicPartition": TopicPartition,
        "islice": islice,
        "sqlite3": sqlite3,
        "__name__": "__main__",
    }
    exec(compile(source, name, "exec"), scope)
    takings: Callable[..., Any] = scope["takings"]
    return takings


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (UNSOLVED, "cents for orders of 1662: some were counted twice"),
        (
            UNSOLVED.replace("\n".join(COMMITS), "\n".join(reversed(COMMITS))),
            "cents for orders of 1662: some were left out",
        ),
        (SOLVED.replace("record.offset + 1", "record.offset"), "cents for orders of 1662: some were counted twice"),
        (
            SOLVED.replace("SET next_offset", "SET offset"),
            "takings: failed with OperationalError: no such column: offset",
        ),
        ("def takings(config, orders, group, database):\n    pass\n", "`takings` has no loop"),
    ],
    ids=["unsolved", "committed-first", "one-behind", "misspelt", "no-loop"],
)
def test_takings_that_a_crash_makes_wrong(cluster: Cluster, source: str, said: str) -> None:
    with pytest.raises(NotDoneYet, match=said):
        no_double_effect.judge(cluster, takings=written(source))


@pytest.mark.parametrize("answer", [3, print])
def test_takings_that_cannot_be_started(cluster: Cluster, answer: object) -> None:
    with pytest.raises(NotDoneYet, match="`takings` cannot be started"):
        no_double_effect.judge(cluster, takings=answer)


def test_takings_with_the_offset_beside_the_sum(cluster: Cluster) -> None:
    said = no_double_effect.judge(cluster, takings=written(SOLVED))
    assert said == "killed before each of 5 lines, `takings` has 1662 cents for orders of 1662."
