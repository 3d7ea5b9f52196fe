from __future__ import annotations

import threading

import pytest

from benchmarks.memory_log import Slot
from kafkalab.errors import InvalidArgument
from kafkalab.ledger import PartitionBounds
from tests.unit.ledger.conftest import Story, Told, rows


def identities(*records: Told) -> list[bytes]:
    return [record.identity for record in records]


def test_each_record_once_is_clean() -> None:
    story = Story()
    records = [story.good() for _ in range(3)]
    story.ledger.processor("p", ["t"]).done(identities(*records))
    assert story.verdict().clean


def test_what_is_done_twice_or_not_at_all_is_named() -> None:
    story = Story()
    once, _, thrice = (story.good(partition=1) for _ in range(3))
    processor = story.ledger.processor("p", ["t"])
    processor.done(identities(once, thrice))
    processor.done(identities(thrice, thrice))
    verdict = story.verdict()
    assert rows(verdict, "processed_twice") == [(1, 2, "t", 1, 2)] * 2
    assert rows(verdict, "unprocessed") == [(1, 1, "t", 1, 1)]
    assert verdict.table("unprocessed")["detail"].tolist() == ["p"]
    assert not verdict.clean


def test_only_what_is_acknowledged_and_stored_must_be_processed() -> None:
    story = Story()
    expired, unknown, aborted, failed = (story.send() for _ in range(4))
    expired.entry.acknowledged(0, 0, 1.0)
    story.store(unknown, offset=1)
    aborted.entry.acknowledged(0, story.store(aborted), 1.0)
    story.sessions[1].aborted([aborted.entry.sequence])
    failed.entry.failed(1.0)
    story.good(topic="elsewhere")
    story.bound(1, 5)
    story.ledger.processor("p", ["t"])
    verdict = story.verdict()
    assert (verdict.unprocessed, verdict.expired, verdict.stored) == (0, 1, 3)


def test_effects_of_records_of_others_and_of_other_topics_are_left_out() -> None:
    story = Story()
    record = story.good(topic="elsewhere")
    story.ledger.processor("p", ["t"]).done([*identities(record, record), None, b"junk", b"00000009-000000000000"])
    assert story.verdict().clean


def test_processors_are_told_apart() -> None:
    story = Story()
    record = story.good()
    story.ledger.processor("quick", ["t"]).done(identities(record, record))
    story.ledger.processor("idle", ["t"])
    verdict = story.verdict()
    assert verdict.table("processed_twice")["detail"].tolist() == ["quick"]
    assert verdict.table("unprocessed")["detail"].tolist() == ["idle"]


def test_effects_are_read_from_the_output_as_committed() -> None:
    story = Story()
    once, twice, _, aborted = (story.good() for _ in range(4))
    story.ledger.processor("p", ["t"], output="results")
    effects = [*identities(once, twice, twice), None]
    story.slots["results", 0] = [Slot(offset, identity) for offset, identity in enumerate(effects)]
    story.slots["results", 0].append(Slot(9, aborted.identity, hidden=True))
    verdict = story.verdict(committed=False)
    assert rows(verdict, "processed_twice") == [(1, 1, "t", 0, 1)]
    assert rows(verdict, "unprocessed") == [(1, 2, "t", 0, 2), (1, 3, "t", 0, 3)]
    assert verdict.foreign == 0


def test_an_output_that_is_a_topic_of_the_ledger_holds_effects_and_records_of_its_own() -> None:
    story = Story()
    record = story.good()
    story.ledger.processor("p", ["t"], output="results")
    story.good(topic="results")
    story.store(Told(record.entry, "results", b"k", b"made of it"))
    verdict = story.verdict()
    assert verdict.clean
    assert (verdict.stored, verdict.foreign) == (2, 0)


def test_an_output_that_is_not_read_to_its_end_leaves_no_verdict() -> None:
    story = Story()
    story.good()
    story.ledger.processor("p", ["t"], output="results")
    story.bound(0, 1, reached=False, place=("results", 0))
    verdict = story.verdict()
    assert (verdict.verified, verdict.unprocessed) == (False, 0)
    assert "(results-0)" in verdict.reason


def test_an_output_that_is_not_there_holds_no_effect() -> None:
    story = Story()
    story.good()
    story.ledger.processor("p", ["t"], output="results")
    verdict = story.verdict()
    assert (verdict.verified, verdict.unprocessed) == (True, 1)


def test_with_an_output_nothing_else_is_told() -> None:
    processor = Story().ledger.processor("p", ["t"], output="results")
    with pytest.raises(InvalidArgument, match="the effects of 'p' are read from 'results'"):
        processor.done([b"x"])


def test_any_thread_may_tell() -> None:
    story = Story()
    records = [story.good() for _ in range(200)]
    processor = story.ledger.processor("p", ["t"])

    def tell() -> None:
        for record in records:
            processor.done(identities(record))

    threads = [threading.Thread(target=tell) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert story.verdict().processed_twice == 200


def test_while_a_transaction_is_open_nothing_is_said_of_what_it_may_bring() -> None:
    story = Story()
    story.good()
    story.ledger.processor("p", ["t"], output="results")
    story.bounds["results", 0] = PartitionBounds(0, 0, reached=True, compacts=False, held_up=True)
    story.slots["results", 0] = []
    verdict = story.verdict()
    assert (verdict.unprocessed, verdict.verified) == (0, False)
    assert "a transaction is open in results-0, so that its effects do not count yet" in verdict.reason
