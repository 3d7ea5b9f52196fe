"""The checks of lesson 25, on a real cluster: unsolved, half solved, solved."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from kafka import KafkaProducer

from kafkalab import Cluster
from kafkalab.apps.shop import as_table, balances, journal, statuses
from kafkalab.courseware.declaration import NotDoneYet
from kafkalab.courseware.exercises.lesson_25 import balance_at, order_snapshots, pieces_sold
from kafkalab.courseware.exercises.reading import records_of
from kafkalab.courseware.solutions import solution_text
from kafkalab.simulation.shop import Shop

pytestmark = pytest.mark.integration


def at(day: int, hour: int, minute: int = 0) -> int:
    return int(datetime(2025, 3, day, hour, minute, tzinfo=UTC).timestamp() * 1000)


MOMENT = at(3, 13, 30)
COMPACT = {"cleanup.policy": "compact"}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=1) as running:
        yield running


@pytest.fixture(scope="module")
def events(cluster: Cluster) -> str:
    """The log of the lesson: some payments lie behind what happened later."""
    topic = cluster.create_topic("shop-events", partitions=3)
    shop = Shop(seed=33, customers=40, visits_per_day=400, decline_rate=0.2, return_rate=0.15)
    with KafkaProducer(**cluster.client_config()) as producer:
        for record in journal(shop, 66_000, 300, ("payments", at(3, 13), at(3, 16))):
            customer = json.loads(record.value)["customer_id"].encode()
            by = [("by", record.topic.encode())]
            producer.send(topic, record.value, key=customer, timestamp_ms=record.timestamp_ms, headers=by)
    return topic


@pytest.fixture(scope="module")
def log(cluster: Cluster, events: str) -> list[Any]:
    return records_of(cluster, events)


def replay(records: Iterable[Any], rule: object) -> dict[str, Any]:
    """Stand in for the lesson's replay: the same accounts, without its rule."""
    table = as_table(records)
    status, prices = statuses(table), table.drop_duplicates("order").set_index("order")["amount"]
    accounts: dict[str, Any] = {each: {"balance": cents, "orders": {}} for each, cents in balances(table).items()}
    for customer, order in dict.fromkeys(zip(table["customer"], table["order"], strict=True)):
        accounts[customer]["orders"][order] = [status[order], round(100 * prices[order])]
    return accounts


@pytest.fixture
def learner(cluster: Cluster, log: list[Any]) -> dict[str, Any]:
    """What a learner has defined when the exercises come."""
    known: dict[str, Any] = {"cluster": cluster, "config": cluster.client_config(), "log": log, "at": at}
    known |= {"replay": replay, "apply": None, "json": json, "Counter": Counter, "KafkaProducer": KafkaProducer}
    return known


Sent = tuple[str | None, object, int | None]  # key, value, partition


def publish(cluster: Cluster, sent: Iterable[Sent], **config: object) -> str:
    """Make a topic with these records; a value that is no text is sent as JSON."""
    topic = cluster.create_topic(f"answer-{len(cluster.topics())}", partitions=3, config=config)
    with KafkaProducer(**cluster.client_config()) as producer:
        for key, value, partition in sent:
            text = value if isinstance(value, str) else json.dumps(value)
            producer.send(topic, text.encode(), key=key and key.encode(), partition=partition)
    return topic


def numbers(found: Mapping[str, object]) -> list[Sent]:
    return [(key, value, None) for key, value in found.items()]


# ---- the balance as of a minute -------------------------------------------------------------------------------


def as_of(log: Sequence[Any], column: str) -> dict[str, int]:
    table = as_table(log)
    return balances(table[table[column] < MOMENT])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda log, right: {}, "is empty: send to it, and close or flush the producer"),
        (
            lambda log, right: as_of(log, "reached_ms"),
            "each balance in topic .* is as it was known then: late events lie",
        ),
        (lambda log, right: balances(as_table(log)), "each balance in topic .* is as it is at the end of the log"),
        (lambda log, right: {**right, "C000006": 5}, r"1 of 28 balances .* are not right, such as \['C000006'\]: 5 ce"),
        (
            lambda log, right: {**right, "C000006": -0.5},
            "the value of C000006 is b'-0.5': write a whole number of cents",
        ),
        (lambda log, right: dict(list(right.items())[1:]), r"1 of 28 customers, such as \['C000002'\], are not in"),
        (lambda log, right: {**right, "C9": 0}, r"has a balance of \['C9'\], who has no event before then"),
    ],
)
def test_balances_of_another_time(
    cluster: Cluster,
    events: str,
    log: list[Any],
    change: Callable[[Sequence[Any], dict[str, int]], dict[str, object]],
    said: str,
) -> None:
    topic = publish(cluster, numbers(change(log, as_of(log, "time_ms"))))
    with pytest.raises(NotDoneYet, match=said):
        balance_at.judge(cluster, events=events, published=topic, before_ms=MOMENT)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (
            [("C000002", "0", None), ("C000002", "0", None)],
            r"\['C000002'\] is there more than once in topic .* makes a",
        ),
        ([(None, "0", None)], "a record in topic .* has no key. Run the exercise's cell again: it makes a new topic."),
    ],
)
def test_balances_whose_keys_say_nothing(cluster: Cluster, events: str, sent: list[Sent], said: str) -> None:
    with pytest.raises(NotDoneYet, match=said):
        balance_at.judge(cluster, events=events, published=publish(cluster, sent), before_ms=MOMENT)


def test_balances_as_they_were(cluster: Cluster, events: str, learner: dict[str, Any]) -> None:
    exec(solution_text("25.balance-at"), learner)
    said = balance_at.judge(cluster, events=events, published=learner["published"], before_ms=learner["asked"])
    assert said == f"topic {learner['published']} has the balances of 28 accounts as they were at that minute."


# ---- snapshots of the orders ----------------------------------------------------------------------------------


def snapshots(log: Sequence[Any], fraction: float = 1.0) -> dict[str, Sent]:
    """Return for each order the snapshot at that part of its partition."""
    table = as_table(log)
    ends = (table.groupby("partition")["offset"].max() + 1).mul(fraction).astype(int).to_dict()
    home = dict(zip(table["order"], table["partition"], strict=True))
    kept = statuses(table[table["offset"] < table["partition"].map(ends)])
    return {
        order: (order, {"status": status, "offset": ends[home[order]]}, home[order]) for order, status in kept.items()
    }


def changed(order: str, *, partition: int = 0, **value: object) -> Callable[[dict[str, Sent]], dict[str, Sent]]:
    """Change one of the snapshots."""

    def change(kept: dict[str, Sent]) -> dict[str, Sent]:
        _, old, home = kept[order]
        assert isinstance(old, dict)
        assert home is not None
        return {**kept, order: (order, {**old, **value}, (home + partition) % 3)}

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda kept: {}, "is empty: send the snapshots to it, each with its key, or a compacted"),
        (
            changed("100007", partition=1),
            r"1 snapshots .* order \['100007'\], are in another partition than the order's",
        ),
        (changed("100007", status="paid"), "says that order 100007 is paid as of offset .*, and .* makes it delivered"),
        (changed("100007", offset=0), "order 100007 is delivered as of offset 0, and .* that offset makes it unknown"),
        (lambda kept: dict(list(kept.items())[1:]), r"a fresh reader of topic .* misses 1 orders, such as \["),
        (
            lambda kept: {**kept, "1": ("1", {"status": "paid", "offset": 9}, 0)},
            r"a snapshot of \['1'\], and the log has no",
        ),
        (lambda kept: {"x": ("100007", "delivered", None)}, "a snapshot is b'delivered', and should be JSON like"),
        (lambda kept: {"x": (None, "{}", None)}, "is empty: send the snapshots to it, each with its key, or a comp"),
    ],
)
def test_snapshots_from_which_one_cannot_go_on(
    cluster: Cluster,
    events: str,
    log: list[Any],
    change: Callable[[dict[str, Sent]], dict[str, Sent]],
    said: str,
) -> None:
    topic = publish(cluster, change(snapshots(log)).values(), **COMPACT)
    with pytest.raises(NotDoneYet, match=said):
        order_snapshots.judge(cluster, events=events, order_snapshots=topic)


def test_snapshots_that_are_not_compacted(cluster: Cluster, events: str, log: list[Any]) -> None:
    topic = publish(cluster, snapshots(log).values())
    with pytest.raises(NotDoneYet, match=f"the cleanup.policy of topic {topic} is delete: it does not keep a key's"):
        order_snapshots.judge(cluster, events=events, order_snapshots=topic)


def test_a_snapshot_that_makes_its_reader_read_everything(cluster: Cluster, events: str, log: list[Any]) -> None:
    first = {record.partition: str(json.loads(record.value)["order_id"]) for record in reversed(log)}
    kept = snapshots(log)
    for order in first.values():
        kept = changed(order, status="placed", offset=1)(kept)
    topic = publish(cluster, kept.values(), **COMPACT)
    with pytest.raises(
        NotDoneYet, match="reads 300 snapshots and 1834 events, no fewer than the 1837 of the log: which"
    ):
        order_snapshots.judge(cluster, events=events, order_snapshots=topic)


def test_snapshots_of_the_middle_of_the_log(cluster: Cluster, events: str, log: list[Any]) -> None:
    topic = publish(cluster, snapshots(log, 0.5).values(), **COMPACT)
    said = order_snapshots.judge(cluster, events=events, order_snapshots=topic)
    assert said.startswith("a fresh reader knows all 300 orders after ")


def test_snapshots_of_the_end_of_the_log(cluster: Cluster, events: str, learner: dict[str, Any]) -> None:
    exec(solution_text("25.order-snapshots"), learner)
    said = order_snapshots.judge(cluster, events=events, order_snapshots=learner["order_snapshots"])
    assert said == "a fresh reader knows all 300 orders after 300 records instead of 1837."


# ---- the repaired projection ----------------------------------------------------------------------------------


def test_pieces_counted_wrongly(cluster: Cluster, events: str, learner: dict[str, Any]) -> None:
    solved = solution_text("25.pieces-sold")
    exec(solved.replace('event["reason"] == "customer_request"', "False"), learner)
    with pytest.raises(NotDoneYet, match=r"products in topic .* are wrong, such as SKU-00003: the number is 11, and "
                                         r"customers have kept 10; look at the events of order 100275\.$"):  # fmt: skip
        pieces_sold.judge(cluster, events=events, sold=learner["published_pieces"])


def test_pieces_of_orders_that_were_never_paid_are_not_taken_off(
    cluster: Cluster, events: str, learner: dict[str, Any]
) -> None:
    solved = solution_text("25.pieces-sold")
    exec(solved.replace('event["reason"] == "customer_request"', 'event["event"] == "cancelled"'), learner)
    with pytest.raises(NotDoneYet, match=r"the number is 8, and customers have kept 10; look at the events of order "):
        pieces_sold.judge(cluster, events=events, sold=learner["published_pieces"])


def test_pieces_counted_rightly(cluster: Cluster, events: str, learner: dict[str, Any]) -> None:
    exec(solution_text("25.pieces-sold"), learner)
    said = pieces_sold.judge(cluster, events=events, sold=learner["published_pieces"])
    assert said == f"topic {learner['published_pieces']} has the 467 pieces of 147 products that customers have kept."


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [(balance_at, "published"), (order_snapshots, "order_snapshots"), (pieces_sold, "sold")],
)
def test_an_answer_that_is_still_open(cluster: Cluster, events: str, exercise: Any, answer: str) -> None:
    more = {"before_ms": MOMENT} if exercise is balance_at else {}
    with pytest.raises(NotDoneYet, match=r"is still `\.\.\.`"):
        exercise.judge(cluster, events=events, **{answer: ...}, **more)
