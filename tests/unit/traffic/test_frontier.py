from __future__ import annotations

from collections import deque

from kafkalab.ledger import Ledger, Session
from kafkalab.traffic.frontier import Frontier, Mark, Settled


def sent(session: Session, topics: list[str]) -> None:
    first = session.next_sequence
    session.identities(len(topics))
    session.sent(first, topics, [b"k"] * len(topics), [b"v"] * len(topics), 0.0)


def followed(producers: int, *marks: Mark) -> tuple[list[Session], Frontier]:
    ledger = Ledger()
    sessions = [ledger.session() for _ in range(producers)]
    return sessions, Frontier(sessions, deque(marks), lambda: ledger.topics)


def test_at_first_nothing_is_settled() -> None:
    _, frontier = followed(1, Mark(5, (1,)))
    assert frontier.look() == Settled(-1, {})


def test_all_before_a_time_is_settled_when_each_of_its_records_is() -> None:
    (session,), frontier = followed(1, Mark(10, (2,)), Mark(20, (4,)), Mark(30, (6,)))
    sent(session, ["a", "b", "a", "a"])
    session.acknowledged([0, 2], [1, 1], [7, 8], 1.0)
    assert frontier.look().time_ms == -1
    session.acknowledged([1], [0], [3], 1.0)
    assert frontier.look() == Settled(10, {("a", 1): 9, ("b", 0): 4})
    session.failed([3], 1.0)  # certainly in no log
    assert frontier.look() == Settled(20, {("a", 1): 9, ("b", 0): 4})
    assert frontier.look().time_ms == 20


def test_the_slowest_producer_counts_and_one_without_records_does_not() -> None:
    (first, second, _), frontier = followed(3, Mark(10, (2, 0, 0)), Mark(20, (3, 1, 0)), Mark(30, (3, 2, 0)))
    sent(first, ["a"] * 3)
    first.acknowledged([0, 1, 2], [0, 0, 0], [0, 1, 4], 1.0)
    assert frontier.look() == Settled(10, {("a", 0): 5})
    sent(second, ["a"] * 2)
    second.acknowledged([0], [0], [2], 1.0)
    assert frontier.look() == Settled(20, {("a", 0): 5})
    second.acknowledged([1], [0], [3], 1.0)
    assert frontier.look().time_ms == 30


def test_what_is_acknowledged_before_it_is_known_to_be_sent_has_to_wait() -> None:
    (session,), frontier = followed(1, Mark(10, (1,)))
    session.identities(1)
    session.acknowledged([0], [2], [0], 1.0)
    assert frontier.look().time_ms == -1
    session.sent(0, "a", [b"k"], [b"v"], 0.0)
    assert frontier.look() == Settled(10, {("a", 2): 1})


def test_many_records() -> None:
    count = 200_000  # some chunks of the ledger
    (session,), frontier = followed(1, Mark(1, (count - 1,)), Mark(2, (count,)))
    sent(session, ["a"] * count)
    session.acknowledged(range(count - 1), [n % 3 for n in range(count - 1)], range(count - 1), 1.0)
    assert frontier.look() == Settled(1, {("a", n): count - 1 - (count - 2 - n) % 3 for n in range(3)})
