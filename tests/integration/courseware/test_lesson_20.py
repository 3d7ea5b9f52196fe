"""The checks of lesson 20, on a real cluster: unsolved, half solved, solved."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count, islice
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition

from kafkalab import Cluster
from kafkalab.courseware.declaration import NotDoneYet
from kafkalab.courseware.exercises import lesson_20
from kafkalab.courseware.exercises.lesson_20 import alert_desk, new_exchange, quotes_to_join
from kafkalab.courseware.exercises.reading import records_of
from kafkalab.courseware.solutions import solution_text
from kafkalab.simulation.source import Record

pytestmark = pytest.mark.integration

Quote = dict[str, Any]
Trade = tuple[str, bytes, int]
SYMBOLS = ["ALDB", "BRAE", "COBS", "DOVP"]  # in three partitions: 0, 1, 2, 0; in four: 1, 1, 0, 0
BOOK: list[Quote] = [{"number": n, "symbol": SYMBOLS[n % 4], "exchange": "EAST"} for n in range(24)]
NOON = 1_672_747_200_000
_NUMBERS = count()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=1) as running:
        yield running


@pytest.fixture(scope="module")
def producer(cluster: Cluster) -> KafkaProducer:
    return cluster.producer()


@pytest.fixture(scope="module")
def prices(cluster: Cluster, producer: KafkaProducer) -> str:
    """A price of each symbol, before any exercise."""
    topic = cluster.create_topic("stock-prices", partitions=3)
    put(producer, topic, [(symbol.encode(), b"{}", NOON) for symbol in SYMBOLS])
    return topic


def put(producer: KafkaProducer, topic: str, records: Iterable[tuple[bytes | None, bytes, int | None]]) -> None:
    for key, value, time_ms in records:
        producer.send(topic, value, key=key, timestamp_ms=time_ms)
    producer.flush(timeout=20)


def publish(
    cluster: Cluster,
    producer: KafkaProducer,
    key: Callable[[Quote], str | None],
    book: Sequence[Quote] = BOOK,
    partitions: int = 3,
) -> str:
    topic = cluster.create_topic(f"quotes-{next(_NUMBERS)}", partitions)
    keys = [None if (text := key(quote)) is None else text.encode() for quote in book]
    put(producer, topic, [(k, json.dumps(quote).encode(), None) for k, quote in zip(keys, book, strict=True)])
    return topic


def by_symbol(quote: Quote) -> str:
    return str(quote["symbol"])


@pytest.mark.parametrize(
    ("quotes", "said"),
    [
        (..., "^`quotes` is still `...`"),
        (7, "^`quotes` is of type int, not a topic's name"),
        ("nowhere", "^`quotes` is 'nowhere', and the cluster has no such topic"),
        ("stock-prices", "^stock-prices is the topic of the prices: quotes are another kind of event"),
    ],
)
def test_no_topic_of_quotes(cluster: Cluster, prices: str, quotes: object, said: str) -> None:
    with pytest.raises(NotDoneYet, match=said):
        quotes_to_join.judge(cluster, prices=prices, quotes=quotes, book=BOOK)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ((by_symbol, [], 3), r"lacks 24 of the 24 quotes: were all sent, and then flushed\?"),
        ((by_symbol, BOOK[1:], 3), "lacks 1 of the 24 quotes"),
        ((by_symbol, BOOK + BOOK[:2], 3), "holds 2 quotes more than once"),
        ((by_symbol, [*BOOK, {"number": 99, "symbol": "ALDB"}], 3), "holds 1 records that are no quotes of the list"),
        ((by_symbol, [*BOOK, 5], 3), "holds b'5', which is no JSON object"),
        ((lambda _: None, BOOK, 3), r"^24 of 24 records in topic quotes-\d+ have no key\. Take another name"),
        ((lambda quote: str(quote["number"]), BOOK, 3), r"the quotes of ALDB lie in partitions \d.+: nobody reads"),
        ((by_symbol, BOOK[::-1], 3), "the quotes of ALDB are in one partition, and in another order than in the list"),
        ((lambda _: "EAST", BOOK, 3), r"symbols cannot be joined: those of \w+ lie in partition \d, its prices in"),
        ((by_symbol, BOOK, 4), r"of ALDB lie in partition 1, its prices in partition 0\. \(Partitions: 4 and 3\.\)"),
    ],
)
def test_quotes_that_cannot_be_joined(
    cluster: Cluster, producer: KafkaProducer, prices: str, case: tuple[Any, list[Any], int], said: str
) -> None:
    key, book, partitions = case
    topic = publish(cluster, producer, lambda quote: key(quote) if isinstance(quote, dict) else "x", book, partitions)
    with pytest.raises(NotDoneYet, match=said):
        quotes_to_join.judge(cluster, prices=prices, quotes=topic, book=BOOK)


def test_the_solution_of_quotes(cluster: Cluster, producer: KafkaProducer, prices: str) -> None:
    told = [{"symbol": symbol, "exchange": "EAST", "price": 10.0} for symbol in SYMBOLS * 3]
    monday = [Record("stock-prices", b"", json.dumps(trade).encode(), NOON) for trade in told]
    learner: Quote = {"cluster": cluster, "producers": {"EAST": producer}, "monday": monday, "json": json}
    exec(solution_text("20.quotes"), learner)
    said = quotes_to_join.judge(cluster, prices=prices, quotes=learner["quotes"], book=learner["book"])
    assert said.startswith("the quotes of 4 symbols are in topic quotes, in order, each symbol's in the partition")


def trades_of_north() -> list[Trade]:
    """Trades that no other test sends: a topic of prices has all of them."""
    number = next(_NUMBERS)
    return [
        (symbol, b'{"exchange": "NORTH", "try": %d, "trade_id": %d}' % (number, n), NOON + n)
        for n, symbol in enumerate(["GARS", "HARP"] * 5)
    ]


def as_wanted(listing: Sequence[Trade]) -> list[tuple[bytes | None, bytes, int | None]]:
    return [(symbol.encode(), value, time_ms) for symbol, value, time_ms in listing]


def commit(cluster: Cluster, topic: str, beyond: int) -> str:
    """Return a fresh group that has committed so far beyond the end of each partition."""
    group = cluster.name(f"analyst-{next(_NUMBERS)}")
    partitions = [TopicPartition(topic, number) for number in range(3)]
    with KafkaConsumer(**cluster.client_config(), group_id=group, enable_auto_commit=False) as consumer:
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        consumer.commit({each: OffsetAndMetadata(ends[each] + beyond, "", -1) for each in partitions})
    return group


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda _: [], "^topic stock-prices lacks 10 of the 10 trades of NORTH"),
        (lambda records: records[2:], "lacks 2 of the 10 trades"),
        (lambda records: [(None, *rest) for _, *rest in records], "^10 trades of NORTH .* have another key"),
        (lambda records: [(b"NORTH", *rest) for _, *rest in records], "another key than their symbol, or none"),
        (lambda records: [(key, value, None) for key, value, _ in records], "only 0 of the 10 .* timestamp"),
        (lambda records: records[::-1], "the trades of GARS are in another order than in the list"),
    ],
)
def test_trades_that_readers_would_not_take_as_others(
    cluster: Cluster, producer: KafkaProducer, prices: str, change: Callable[[Any], Any], said: str
) -> None:
    listing = trades_of_north()
    put(producer, prices, change(as_wanted(listing)))
    with pytest.raises(NotDoneYet, match=said):
        new_exchange.judge(cluster, prices=prices, listing=listing, group=cluster.name("nobody"))


@pytest.mark.parametrize("beyond", [-5, None])
def test_a_group_that_does_not_go_on(
    cluster: Cluster, producer: KafkaProducer, prices: str, beyond: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lesson_20, "SECONDS", 0.2)
    listing = trades_of_north()
    put(producer, prices, as_wanted(listing))
    group = cluster.name("nobody") if beyond is None else commit(cluster, prices, beyond)
    with pytest.raises(NotDoneYet, match=r"and the group \S+ does not work on them, in partitions 1, 2: does its"):
        new_exchange.judge(cluster, prices=prices, listing=listing, group=group)


def solve_exchange(cluster: Cluster, producer: KafkaProducer, prices: str, listing: Sequence[Trade]) -> None:
    learner = {"topics": {"stock-prices": prices}, "listing": listing, "cluster": cluster, "quick": {}}
    exec(solution_text("20.exchange"), learner | {"KafkaProducer": lambda **_: producer})


def test_the_solution_of_exchange(cluster: Cluster, producer: KafkaProducer, prices: str) -> None:
    listing = trades_of_north()
    solve_exchange(cluster, producer, prices, listing)
    said = new_exchange.judge(cluster, prices=prices, listing=listing, group=commit(cluster, prices, 0))
    assert "10 trades of NORTH are in topic stock-prices, those of GARS and HARP each under its key" in said
    assert "as it was, works on them." in said


@pytest.mark.parametrize(
    "first",
    [
        lambda records: [(key, value, None) for key, value, _ in records],
        lambda records: [(b"HARP", *rest) for _, *rest in records],
        lambda records: records[::-1],
    ],
)
def test_a_second_try_mends_the_first(
    cluster: Cluster, producer: KafkaProducer, prices: str, first: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lesson_20, "SECONDS", 0.2)
    listing = trades_of_north()
    group = commit(cluster, prices, 10)  # what follows is not beyond the records of a first try, but of a right one
    put(producer, prices, first(as_wanted(listing)))
    solve_exchange(cluster, producer, prices, listing)
    said = new_exchange.judge(cluster, prices=prices, listing=listing, group=group)
    assert "10 trades of NORTH are in topic stock-prices, those of GARS and HARP each under its key" in said


@pytest.fixture(scope="module")
def news(cluster: Cluster, producer: KafkaProducer) -> str:
    """Twelve items, of which five are bad news."""
    topic = cluster.create_topic("news-sentiment", partitions=3)
    items = [(SYMBOLS[n % 4].encode(), json.dumps({"n": n, "sentiment": n / 10 - 0.9}).encode()) for n in range(12)]
    put(producer, topic, [(key, value, None) for key, value in items])
    return topic


def bad(news_of: Cluster, news: str) -> list[tuple[bytes, bytes]]:
    told = [(record.key, record.value) for record in records_of(news_of, news)]
    return [(key, value) for key, value in told if json.loads(value)["sentiment"] <= -0.5]


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ((lambda found: [], 0), r"lacks 5 of the 5 alerts"),
        ((lambda found: found[1:], 0), "lacks 1 of the 5 alerts"),
        ((lambda found: [(None, value) for _, value in found], 0), "^5 records in topic alerts-.* have no key"),
        ((lambda found: [(b"EAST", value) for _, value in found], 0), "lacks 5 of the 5 alerts"),
        ((lambda found: found + found[:1], 0), "holds 1 records too many: other news, or the same alert again"),
        ((lambda found: found, -1), "has not committed all it has read: in partitions 0, 1, 2 of news-sentiment"),
        ((lambda found: found, None), "the alerts are there, and the group 'nobody' has committed nothing of news"),
    ],
)
def test_alerts_that_do_not_do(
    cluster: Cluster, producer: KafkaProducer, news: str, case: tuple[Callable[[Any], Any], int | None], said: str
) -> None:
    change, beyond = case
    topic = cluster.create_topic(f"alerts-{next(_NUMBERS)}")
    put(producer, topic, [(key, value, None) for key, value in change(bad(cluster, news))])
    group = cluster.name("nobody") if beyond is None else commit(cluster, news, beyond)
    with pytest.raises(NotDoneYet, match=said):
        alert_desk.judge(cluster, news=news, alerts=topic, desk=group, others=["analyst"])


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ((..., ...), "^`alerts` is still `...`"),
        (("stock-prices", ...), "^`desk` is still `...`"),
        (("nowhere", "desk"), "^`alerts` is 'nowhere', and the cluster has no such topic"),
        (("stock-prices", 5), "^`desk` is of type int, not the name of a group"),
        (("stock-prices", "analyst"), "^analyst is the group of another application: its members would share the news"),
    ],
)
@pytest.mark.usefixtures("prices")
def test_no_group_of_ones_own(cluster: Cluster, news: str, answers: tuple[Any, Any], said: str) -> None:
    alerts, desk = answers
    with pytest.raises(NotDoneYet, match=said):
        alert_desk.judge(cluster, news=news, alerts=alerts, desk=desk, others=["analyst"])


def test_the_solution_of_alerts(cluster: Cluster, producer: KafkaProducer, news: str) -> None:
    learner = {
        "cluster": cluster,
        "islice": islice,
        "json": json,
        "member": lambda group, _: cluster.consumer(news, group_id=group, auto_offset_reset="earliest"),
        "producers": {"WIRE": producer},
        "stored": lambda _: 12,
    }
    exec(solution_text("20.alerts"), learner)
    answers = {name: learner[name] for name in ("alerts", "desk")}
    said = alert_desk.judge(cluster, news=news, others=["analyst"], **answers)
    assert said == "5 alerts are in topic alerts, and group alert-desk has read all 12 items of news."
