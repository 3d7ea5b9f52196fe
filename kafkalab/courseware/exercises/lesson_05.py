"""The exercises of lesson 05, Delivery guarantees."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import pandas as pd
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from kafkalab import Cluster
from kafkalab.courseware.declaration import NotDoneYet, exercise, expect
from kafkalab.courseware.exercises.killing import looped_steps, run_answer
from kafkalab.courseware.program import Step
from kafkalab.errors import InvalidArgument, WaitTimeout
from kafkalab.ledger import Ledger
from kafkalab.waiting import wait_until

__all__ = ["charge_once", "choose", "exact", "report"]

SECONDS = 30.0
SETTLED_SECONDS = 10.0
QUICK = {"retry_backoff_ms": 20}


@exercise(
    "05.report",
    task="Make a consumer that is shown what was committed, from the beginning, and nothing else.",
    hints=(
        "Look at how the two readers above were made: where do they begin, and what is each shown?",
        'KafkaConsumer(**cluster.client_config(), auto_offset_reset="earliest", isolation_level="...")',
    ),
)
def report(cluster: Cluster, *, report: object) -> str:
    """Let the consumer read a topic with a committed, an aborted and an open transaction."""
    if not isinstance(report, KafkaConsumer):
        raise NotDoneYet(f"`report` is of type {type(report).__name__}: make a KafkaConsumer.")
    topic = _fresh(cluster, "report")
    with _three_transactions(cluster, topic):
        shown = _shown(report, topic)
    expect("aborted" not in shown, "your consumer was shown a record of a transaction that was aborted.")
    expect("open" not in shown, "your consumer was shown a record of a transaction that is still open.")
    expect("committed" in shown, "your consumer was not shown a record that was committed before it began to read.")
    return "your consumer was shown the committed record, and not those of an aborted and of an open transaction."


@contextmanager
def _three_transactions(cluster: Cluster, topic: str) -> Iterator[None]:
    """Write a record that is committed, one that is aborted, and one whose transaction is open meanwhile."""
    config = {**cluster.client_config(), **QUICK, "transactional_id": cluster.name(topic)}
    with KafkaProducer(**config) as producer:
        producer.init_transactions()
        for value, end in {"committed": producer.commit_transaction, "aborted": producer.abort_transaction}.items():
            producer.begin_transaction()
            producer.send(topic, value.encode()).get(timeout=SECONDS)
            end()
        producer.begin_transaction()
        producer.send(topic, b"open").get(timeout=SECONDS)
        yield
        producer.abort_transaction()


def _shown(consumer: Any, topic: str) -> set[str]:
    """Return what a consumer is shown, up to the end that it is told."""
    partition = TopicPartition(topic, 0)
    shown: set[str] = set()

    def read_on() -> bool:
        for records in consumer.poll(timeout_ms=100).values():
            shown.update(record.value.decode() for record in records)
        return bool(consumer.position(partition) >= end)

    try:
        consumer.unsubscribe()
        consumer.assign([partition])
        end = consumer.end_offsets([partition])[partition]
        wait_until(read_on, what=f"the end of {topic}", timeout=SECONDS, every=0)
    except (KafkaError, RuntimeError, WaitTimeout) as error:  # a closed selector is a RuntimeError
        raise NotDoneYet(f"your consumer could not read a topic: {error}. Was it closed? Make it anew.") from error
    return shown


@dataclass(frozen=True)
class _Case:
    """What one of the stated cases bears."""

    loss: bool
    doubles: bool
    transactions: bool


CASES = {
    "thermometer": _Case(loss=True, doubles=False, transactions=False),
    "search index": _Case(loss=False, doubles=True, transactions=False),
    "invoices": _Case(loss=False, doubles=False, transactions=True),
}


@exercise(
    "05.choose",
    task="Choose a guarantee for each of the three cases, by its name in outputs.",
    hints=(
        "For each case ask first whether a crash may lose something, then whether it may double something.",
        'Three different ones: "at most once" loses, "at least once" doubles, "exactly once" takes transactions.',
    ),
)
def choose(cluster: Cluster, *, chosen: object, outputs: Mapping[str, str]) -> str:
    """Look at what the program of each chosen guarantee has left in its topic."""
    guarantees = _guarantees(chosen, list(outputs))
    found = {name: cluster.messages(topic, committed=True)["value"].value_counts() for name, topic in outputs.items()}
    orders = set().union(*(set(counts.index) for counts in found.values()))
    for case, bears in CASES.items():
        name = guarantees[case]
        topic, counts = outputs[name], found[name]
        expect(bears.loss or len(counts) == len(orders), f"{case}: in {topic} an order is missing, and none may be.")
        expect(bears.doubles or (counts == 1).all(), f"{case}: in {topic} an order stands twice, and none may.")
        markers = _markers(cluster, topic)
        expect(
            bears.transactions or not markers,
            f"{case}: {topic} has the markers of {markers} transactions, and none are wanted.",
        )
    return "; ".join(f"{case}: {guarantees[case]}" for case in CASES) + ": each bears what its topic shows."


def _markers(cluster: Cluster, topic: str) -> int:
    """Count the offsets at which no record stands: the marker of a transaction takes one."""
    partition = TopicPartition(topic, 0)
    with KafkaConsumer(**cluster.client_config()) as consumer:
        return int(consumer.end_offsets([partition])[partition]) - len(cluster.messages(topic))


def _guarantees(chosen: object, names: Sequence[str]) -> dict[str, str]:
    if not isinstance(chosen, Mapping):
        raise NotDoneYet(f"`chosen` is of type {type(chosen).__name__}: write a dictionary with a name for each case.")
    open_cases = [case for case in CASES if chosen.get(case, ...) is ...]
    expect(not open_cases, f"`chosen` has nothing for {', '.join(open_cases)} yet.")
    for case in CASES:
        expect(chosen[case] in names, f"{case}: {chosen[case]!r} is none of the names {', '.join(map(repr, names))}.")
    return {case: str(chosen[case]) for case in CASES}


@exercise(
    "05.exact",
    task="Make ship exact: one invoice and one parcel for each order, wherever it is killed.",
    hints=(
        "Both records and the committed offset belong into one transaction, as in exactly_once above.",
        (
            "Give the producer transactional_id=group and call init_transactions(). In the loop: begin_transaction(), "
            "both sends, send_offsets_to_transaction(...) in place of consumer.commit(), commit_transaction()."
        ),
    ),
)
def exact(cluster: Cluster, *, ship: object) -> str:
    """Kill the program before each line of its loop in turn, start it again, and have the ledger judge."""
    lines = looped_steps(ship, "ship")
    expect(lines, "`ship` has no loop: it should handle one order after the other.")
    orders, ledger = _orders(cluster, [b"order %d" % number for number in range(len(lines) + 2)])
    topics = [_fresh(cluster, name) for name in ("invoices", "parcels")]
    for topic in topics:
        ledger.processor(topic, orders, output=topic)
    start = _Starts(cluster, ship, orders, topics)
    kills = {start(line): line for line in lines}
    start(None)
    for topic in topics:
        _expect_settled(cluster, topic)
    verdict = ledger.verify(cluster)
    _expect_headers(verdict.table("unprocessed"), len(lines) + 2)
    # What was lost had been committed when the process was killed, what was doubled had not.
    for kind, what, committed in (("processed_twice", "twice", 0), ("unprocessed", "not at all", 1)):
        wrong = verdict.table(kind)["sequence"] + committed
        expect(wrong.empty, f"an order has its invoice or its parcel {what}{_after(wrong.tolist(), kills)}.")
    return f"one invoice and one parcel for each order, though it was killed before each of {len(lines)} lines."


def _expect_headers(unprocessed: pd.DataFrame, orders: int) -> None:
    """Refuse a topic in which no record tells of which order it is."""
    for topic, missing in unprocessed["detail"].value_counts().items():
        expect(missing < orders, f"no record in {topic} has the headers of an order: send headers=order.headers.")


def _after(offsets: Sequence[int], kills: Mapping[int, Step]) -> str:
    """Say which kill it was, if what was committed then tells."""
    lines = [kills[offset].text for offset in offsets if offset in kills]
    return f", after a kill before `{lines[0]}`" if lines else ""


class _Starts:
    """Starts a program again and again, in one group, on the same topics."""

    def __init__(self, cluster: Cluster, program: Any, orders: str, topics: Sequence[str]) -> None:
        self._cluster = cluster
        self._program = program
        self._group = cluster.name(orders)
        self._arguments = (cluster.client_config(), orders, *topics, self._group)

    def __call__(self, line: Step | None) -> int:
        """Run it until it comes to the line for the second time, or to its end; return what it has committed."""
        _run(self._program, *self._arguments, kill_before=line or "", nth=2)
        try:
            return int(self._cluster.lag(self._group)["committed"].sum())
        except InvalidArgument:  # nothing was committed yet
            return 0


def _run(program: Any, *arguments: object, kill_before: str | Step, nth: int) -> None:
    stuck = (
        "Or it waits for a transaction that a killed process has left open: each start should call "
        "init_transactions, with the same transactional_id."
    )
    ending = run_answer(program, *arguments, timeout=SECONDS, kill_before=kill_before, nth=nth, stuck=stuck)
    lead = " Call init_transactions before the loop." if "UNINITIALIZED" in ending.error else ""
    expect(not ending.error, f"{ending}.{lead}")


def _expect_settled(cluster: Cluster, topic: str) -> None:
    """Wait for the markers of the last transaction, which may come a moment after its producer has ended."""
    partition = TopicPartition(topic, 0)
    levels = [{"isolation_level": level} for level in ("read_uncommitted", "read_committed")]
    readers = [cluster.consumer(**level) for level in levels]
    try:
        wait_until(
            lambda: len({reader.end_offsets([partition])[partition] for reader in readers}) == 1,
            what=f"the last stable offset of {topic}",
            timeout=SETTLED_SECONDS,
        )
    except WaitTimeout:
        raise NotDoneYet(
            "a transaction that a killed process had begun is still open, and holds up all readers of committed "
            "records: each start should call init_transactions, with the same transactional_id."
        ) from None
    finally:
        for reader in readers:
            reader.close()


@exercise(
    "05.charge-once",
    task="Write key_of: one key for each order, the same whenever that order is tried again.",
    hints=(
        "What is it about a record that no other record has, and that no restart changes?",
        "Topic, partition and offset together: order.topic, order.partition, order.offset.",
    ),
)
def charge_once(cluster: Cluster, *, bill: Callable[..., Any]) -> str:
    """Kill the program after it has charged, and count what the bank has charged for two topics in the end."""
    wanted = [b"espresso", b"tea", b"espresso", b"tea"]
    topics = [_orders(cluster, wanted)[0] for _ in range(2)]  # the same offsets in both
    bank = cluster.folder / f"{topics[0]}.db"
    with closing(sqlite3.connect(bank)) as books:
        books.execute("CREATE TABLE charges (purpose TEXT, key TEXT UNIQUE)")
    receipts = _fresh(cluster, "receipts")
    for orders, line in ((topics[0], "producer.commit_transaction()"), (topics[0], ""), (topics[1], "")):
        arguments = (cluster.client_config(), orders, receipts, cluster.name(orders), str(bank))
        _run(bill, *arguments, kill_before=line, nth=2)
    made, due = _charges(bank), Counter(value.decode() for value in wanted * len(topics))
    told = f"for {due.total()} orders, some of them alike, the bank has charged {made.total()} times"
    expect(not made - due, f"{told}: an order that was tried again came without a key, or with another one.")
    expect(not due - made, f"{told}: orders that are alike had the same key, in one topic or in two.")
    return f"{told}, although the program was killed after a charge, and two topics have the same offsets."


def _charges(bank: Path) -> Counter[str]:
    with closing(sqlite3.connect(bank)) as books:
        return Counter(purpose for (purpose,) in books.execute("SELECT purpose FROM charges"))


def _fresh(cluster: Cluster, base: str) -> str:
    """Create a topic of one partition with a name that is still free."""
    return cluster.create_topic(f"{base}-{len(cluster.topics())}")


def _orders(cluster: Cluster, values: Sequence[bytes]) -> tuple[str, Ledger]:
    """Put orders into a new topic; return it, and the ledger in which they are entered."""
    topic, ledger = _fresh(cluster, "orders"), Ledger()
    session = ledger.session()
    with KafkaProducer(**cluster.client_config()) as producer:
        for value in values:
            entry = session.enter(topic, None, value, monotonic())
            # One time for all: a time tells no record from another.
            stored = producer.send(topic, value, headers=entry.headers, timestamp_ms=0).get(timeout=SECONDS)
            entry.acknowledged(stored.partition, stored.offset, monotonic())
    return topic, ledger
