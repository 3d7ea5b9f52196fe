"""The exercises of lesson 20, Stock market."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kafkalab import Cluster
from kafkalab.courseware.declaration import NotDoneYet, exercise, expect
from kafkalab.courseware.exercises.reading import expect_keys, records_of, require_topic
from kafkalab.errors import InvalidArgument, WaitTimeout
from kafkalab.waiting import wait_until

__all__ = ["alert_desk", "new_exchange", "quotes_to_join"]

AGAIN = "Take another name for the topic, and send all of them there."
BAD_NEWS = -0.5
SECONDS = 15.0


@exercise(
    "20.quotes",
    task="Publish the quotes so that a symbol's stay in order and can be joined with its prices.",
    hints=(
        "What do prices and news have in common, so that they can be joined? There are two things.",
        (
            'quotes = cluster.create_topic("quotes", partitions=3); for each quote: producers["EAST"].send(quotes, '
            'json.dumps(quote).encode(), key=quote["symbol"].encode()); then flush that producer.'
        ),
    ),
)
def quotes_to_join(cluster: Cluster, *, prices: str, quotes: object, book: Sequence[Mapping[str, Any]]) -> str:
    """Look where each symbol's quotes lie, in which order, and whether its prices lie in the same partition number."""
    topic = require_topic(cluster, quotes, "quotes")
    expect(topic != prices, f"{topic} is the topic of the prices: quotes are another kind of event; make a topic.")
    records = records_of(cluster, topic)
    expect_keys(topic, records, f". {AGAIN}")
    stored = [(_parsed(topic, record.value), record.partition) for record in records]
    _expect_each_once(topic, Counter(quote.get("number") for quote, _ in stored), {quote["number"] for quote in book})
    places = _places(topic, stored)
    _expect_joinable(cluster, topic, prices, places)
    return (
        f"the quotes of {len(places)} symbols are in topic {topic}, in order, each symbol's in the partition of the "
        "number in which its prices are."
    )


def _parsed(topic: str, value: bytes | None) -> dict[str, Any]:
    try:
        parsed = json.loads(value or b"")
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise NotDoneYet(f"topic {topic} holds {value!r}, which is no JSON object: json.dumps makes one. {AGAIN}")
    return parsed


def _expect_each_once(topic: str, found: Counter[Any], wanted: set[Any]) -> None:
    missing = len(wanted - found.keys())
    expect(not missing, f"topic {topic} lacks {missing} of the {len(wanted)} quotes: were all sent, and then flushed?")
    strange = len(found.keys() - wanted)
    expect(not strange, f"topic {topic} holds {strange} records that are no quotes of the list. {AGAIN}")
    doubled = sum(count > 1 for count in found.values())
    expect(not doubled, f"topic {topic} holds {doubled} quotes more than once. {AGAIN}")


def _places(topic: str, stored: Iterable[tuple[dict[str, Any], int]]) -> dict[str, int]:
    """Return the partition of each symbol, if it has one, and its quotes are in order there."""
    numbers: dict[str, list[int]] = defaultdict(list)
    partitions: dict[str, set[int]] = defaultdict(set)
    for quote, partition in stored:
        numbers[quote["symbol"]].append(quote["number"])
        partitions[quote["symbol"]].add(partition)
    for symbol in sorted(numbers):
        expect(
            len(partitions[symbol]) == 1,
            f"in topic {topic} the quotes of {symbol} lie in partitions {_listed(partitions[symbol])}: nobody reads "
            f"them in order. {AGAIN}",
        )
        expect(
            numbers[symbol] == sorted(numbers[symbol]),
            f"in topic {topic} the quotes of {symbol} are in one partition, and in another order than in the list. "
            f"{AGAIN}",
        )
    return {symbol: min(found) for symbol, found in partitions.items()}


def _expect_joinable(cluster: Cluster, topic: str, prices: str, places: Mapping[str, int]) -> None:
    of_prices = {record.key.decode(): record.partition for record in records_of(cluster, prices) if record.key}
    apart = {symbol: at for symbol, at in sorted(places.items()) if at != of_prices.get(symbol)}
    counts = [len(cluster.partitions(name)) for name in (topic, prices)]
    first = next(iter(apart), "")
    expect(
        not apart,
        f"the quotes of {len(apart)} symbols cannot be joined: those of {first} lie in partition {apart.get(first)}, "
        f"its prices in partition {of_prices.get(first)}. (Partitions: {counts[0]} and {counts[1]}.) {AGAIN}",
    )


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))


@exercise(
    "20.exchange",
    task="Send the trades of the exchange NORTH so that every reader of prices takes them as any other's.",
    hints=(
        "Which topic do the readers of prices ask for? And what do play's records have besides their value?",
        (
            "In a loop over listing: north.send(topics['stock-prices'], value, key=symbol.encode(), "
            "timestamp_ms=time_ms); then north.flush(timeout=60)."
        ),
    ),
)
def new_exchange(cluster: Cluster, *, prices: str, listing: Sequence[tuple[str, bytes, int]], group: str) -> str:
    """Look for each trade in the topic of prices, then whether the group has gone on to them.

    Nobody can take back a wrong try. Where one lies before the right trades, in their partition, the group may never
    get to them: for its application their time is long past. There it is not waited for.
    """
    values = {value for _, value, _ in listing}
    of_north = [record for record in records_of(cluster, prices) if record.value in values]
    missing = len(values - {record.value for record in of_north})
    expect(not missing, f"topic {prices} lacks {missing} of the {len(listing)} trades of NORTH.")
    right = _right(of_north, listing)
    _expect_right(prices, of_north, right, listing)
    _expect_in_order(prices, right, listing)
    spoilt = {record.partition for record in right} - _expect_taken_up(cluster, prices, of_north, right, group)
    symbols = sorted({symbol for symbol, _, _ in listing})
    return (
        f"{len(listing)} trades of NORTH are in topic {prices}, those of {' and '.join(symbols)} each under its key, "
        + (_held_up(group, spoilt) if spoilt else f"and the group {group}, as it was, works on them.")
    )


def _held_up(group: str, partitions: Iterable[int]) -> str:
    return (
        f"right at last. (The wrong ones of an earlier try stay before them: the group {group} may not get beyond "
        f"those, in partitions {_listed(partitions)}, until somebody moves its offsets.)"
    )


def _right(found: Sequence[Any], listing: Sequence[tuple[str, bytes, int]]) -> list[Any]:
    """Return the records that have the key and the time they should have; others cannot be undone."""
    wanted = {(value, symbol.encode(), time_ms) for symbol, value, time_ms in listing}
    return [record for record in found if (record.value, record.key, record.timestamp) in wanted]


def _expect_right(
    prices: str, found: Sequence[Any], right: Sequence[Any], listing: Sequence[tuple[str, bytes, int]]
) -> None:
    timed = {record.value for record in right}
    if len(timed) == len(listing):
        return
    symbols = {value: symbol for symbol, value, _ in listing}
    keyed = {record.value for record in found if record.key == symbols[record.value].encode()}
    keys = len(listing) - len(keyed)
    expect(
        not keys,
        f"{keys} trades of NORTH in topic {prices} have another key than their symbol, or none, and nobody can take "
        "them back. Send all of them again, with the key.",
    )
    raise NotDoneYet(
        f"only {len(timed)} of the {len(listing)} trades of NORTH have the time at which they were made as their "
        "timestamp: readers would put them at the time of their sending. Send all of them again, with timestamp_ms."
    )


def _expect_in_order(prices: str, right: Sequence[Any], listing: Sequence[tuple[str, bytes, int]]) -> None:
    for symbol in sorted({symbol for symbol, _, _ in listing}):
        sent = [value for of, value, _ in listing if of == symbol]
        stored = iter([record.value for record in right if record.key == symbol.encode()])
        expect(
            all(value in stored for value in sent),  # in their order, whatever an earlier try left between them
            f"in topic {prices} the trades of {symbol} are in another order than in the list. Send all of them again, "
            "in their order, with one producer.",
        )


def _expect_taken_up(cluster: Cluster, prices: str, found: Sequence[Any], right: Sequence[Any], group: str) -> set[int]:
    """Wait until the group has committed beyond the first trade of the exchange, where that is a right one.

    Returns:
        The partitions where it has.
    """
    firsts = {record.partition: record for record in reversed(found)}
    firsts = {number: first.offset for number, first in firsts.items() if first in right}

    def behind() -> list[int]:
        committed = _committed(cluster, group, prices)
        return [number for number, offset in sorted(firsts.items()) if committed.get(number, -1) <= offset]

    try:
        wait_until(behind, lambda numbers: not numbers, what=f"group {group}", timeout=SECONDS)
    except WaitTimeout as error:
        raise NotDoneYet(
            f"the trades of NORTH are there, and the group {group} does not work on them, in partitions "
            f"{_listed(behind())}: does its reader run? Run the cell that starts it, then this one."
        ) from error
    return set(firsts)


def _committed(cluster: Cluster, group: str, topic: str) -> dict[int, int]:
    try:
        lag = cluster.lag(group)
    except InvalidArgument:
        return {}
    of_topic = lag[lag["topic"].map(cluster.name) == cluster.name(topic)]  # a guest's views show names without prefix
    return dict(zip(of_topic["partition"].tolist(), of_topic["committed"].tolist(), strict=True))


@exercise(
    "20.alerts",
    task="With a group of its own, copy the bad news to a topic of alerts, and commit.",
    hints=(
        "The Reader above subscribes, names its group, begins at the earliest offset, and commits: so does yours.",
        (
            'alerts, desk = cluster.create_topic("alerts"), cluster.name("alert-desk"); a KafkaConsumer of '
            'topics["news-sentiment"] with group_id=desk, auto_offset_reset="earliest"; a loop over islice(consumer, '
            'stored("news-sentiment")) that sends record.value with record.key where the sentiment is low enough; '
            "then flush the producer, and consumer.commit()."
        ),
    ),
)
def alert_desk(cluster: Cluster, *, news: str, alerts: object, desk: object, others: Sequence[str]) -> str:
    """Compare the alerts with the bad news, and look where the group has committed."""
    topic = require_topic(cluster, alerts, "alerts")
    expect(isinstance(desk, str), f"`desk` is of type {type(desk).__name__}, not the name of a group.")
    group = str(desk)
    expect(
        group not in others,
        f"{group} is the group of another application: its members would share the news with yours, each reading a "
        "part. Take a name of your own.",
    )
    told = records_of(cluster, news)
    wanted = Counter((r.key, r.value) for r in told if json.loads(r.value)["sentiment"] <= BAD_NEWS)
    _expect_alerts(topic, wanted, Counter((record.key, record.value) for record in records_of(cluster, topic)))
    _expect_committed(cluster, group, news, Counter(record.partition for record in told))
    return f"{wanted.total()} alerts are in topic {topic}, and group {group} has read all {len(told)} items of news."


def _expect_alerts(topic: str, wanted: Counter[Any], found: Counter[Any]) -> None:
    again = "For another try take another topic and another group."
    missing = (wanted - found).total()
    keyless = sum(count for (key, _), count in found.items() if not key)
    expect(not keyless, f"{keyless} records in topic {topic} have no key: give each the key of its news. {again}")
    expect(not missing, f"topic {topic} lacks {missing} of the {wanted.total()} alerts. {again}")
    extra = (found - wanted).total()
    expect(not extra, f"topic {topic} holds {extra} records too many: other news, or the same alert again. {again}")


def _expect_committed(cluster: Cluster, group: str, news: str, ends: Mapping[int, int]) -> None:
    committed = _committed(cluster, group, news)
    expect(bool(committed), f"the alerts are there, and the group {group!r} has committed nothing of {news}.")
    behind = {number: committed.get(number, -1) for number, end in ends.items() if committed.get(number, -1) < end}
    expect(
        not behind,
        f"the group {group} has not committed all it has read: in partitions {_listed(behind)} of {news} it would read "
        "some news again.",
    )
