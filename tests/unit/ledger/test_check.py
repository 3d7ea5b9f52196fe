"""Hand-made histories, good and bad, one for each thing that a verdict can say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from benchmarks.memory_log import MemoryLog, Slot
from kafkalab.errors import BrokerFailed, InvalidArgument, NotRunning, WaitTimeout
from kafkalab.ledger import Ledger, Reading
from kafkalab.ledger.verdict import UNCLEAN
from tests.unit.ledger.conftest import Story, rows

ALL_GOOD = dict.fromkeys(UNCLEAN, 0)


@dataclass
class InTurn:
    """A log that is another one at each reading."""

    logs: list[MemoryLog]

    def read_log(self, topics: Sequence[str], *, committed: bool = False, timeout: float = 60.0) -> Reading:
        return self.logs.pop(0).read_log(topics, committed=committed)


def test_a_good_history_is_clean() -> None:
    story = Story()
    for number in range(10):
        story.good(b"k%d" % (number % 3), partition=number % 2)
    verdict = story.verdict()
    assert verdict.clean
    assert verdict.verified
    assert verdict.counts == {
        **dict.fromkeys(verdict.counts, 0),
        "sent": 10,
        "acknowledged": 10,
        "stored": 10,
    }


def test_nothing_at_all_is_clean() -> None:
    for ledger in (Ledger(), Story().ledger):
        verdict = ledger.verify(MemoryLog({}))
        assert verdict.clean
        assert set(verdict.counts.values()) == {0}
    silent = Ledger()
    silent.session()
    assert silent.verify(MemoryLog({("t", 0): []})).clean


def test_what_was_reserved_and_never_sent_does_not_count() -> None:
    story = Story()
    story.good()
    story.sessions[1].identities(5)
    assert story.verdict().counts["sent"] == 1


def test_an_acknowledged_record_that_is_not_there_is_lost() -> None:
    story = Story()
    story.good()
    gone = story.send(b"k", b"w")
    gone.entry.acknowledged(0, 1, 1.0)
    story.bound(0, 5)
    verdict = story.verdict()
    assert rows(verdict, "lost") == [(1, 1, "t", 0, 1)]
    assert not verdict.clean
    assert verdict.verified
    assert verdict.stored == 1


def test_an_unknown_record_may_be_there_or_not() -> None:
    story = Story()
    story.store(story.send())
    story.send()
    verdict = story.verdict()
    assert verdict.clean
    assert (verdict.unknown, verdict.stored, verdict.unknown_missing) == (2, 1, 1)


def test_what_is_missing_of_the_unknown_is_told_of_a_log_that_was_read_and_of_no_aborted_transaction() -> None:
    story = Story()
    story.send()
    session = story.sessions[1]
    session.aborted([story.send().entry.sequence])
    story.send().entry.failed(1.0)
    assert story.verdict().unknown_missing == 1
    story.bound(0, 5, reached=False)
    assert story.verdict().unknown_missing == 0


def test_an_offset_of_minus_one_is_no_acknowledgement() -> None:
    story = Story()
    story.send().entry.acknowledged(0, -1, 1.0)
    story.good()
    verdict = story.verdict()
    assert verdict.clean
    assert (verdict.acknowledged, verdict.unknown) == (1, 1)


@pytest.mark.parametrize(("start", "kind"), [(1, "lost"), (2, "expired")])
def test_what_lies_below_the_log_start_is_expired(start: int, kind: str) -> None:
    story = Story()
    story.send().entry.acknowledged(0, 1, 1.0)
    story.bound(start, 9)
    verdict = story.verdict()
    assert rows(verdict, kind) == [(1, 0, "t", 0, 1)]
    assert verdict.lost + verdict.expired == 1
    assert verdict.clean == (kind == "expired")


@pytest.mark.parametrize("acknowledged", [True, False])
def test_an_older_record_of_a_key_is_compacted_in_a_compacted_topic(acknowledged: bool) -> None:
    story = Story()
    story.send(b"k").entry.acknowledged(0, 0, 1.0)
    later = story.send(b"k")
    if acknowledged:
        later.entry.acknowledged(0, 1, 1.0)
    story.store(later, offset=1)
    story.bound(0, 2, compacts=True)
    verdict = story.verdict()
    assert rows(verdict, "compacted") == [(1, 0, "t", 0, 0)]
    assert verdict.clean


def test_compaction_explains_nothing_in_a_topic_that_does_not_compact() -> None:
    story = Story()
    story.send(b"k").entry.acknowledged(0, 0, 1.0)
    story.good(b"k", partition=0)
    story.slots["t", 0] = []
    story.bound(0, 2)
    assert story.verdict().lost == 2


@pytest.mark.parametrize(("key", "partition"), [(b"other", 0), (b"k", 1)])
def test_the_last_record_of_a_key_and_partition_is_never_compacted(key: bytes, partition: int) -> None:
    story = Story()
    story.send(b"k").entry.acknowledged(0, 0, 1.0)
    later = story.send(key)
    later.entry.acknowledged(partition, story.store(later, partition, 7), 1.0)
    for place in (("t", 0), ("t", 1)):
        story.bound(0, 8, compacts=True, place=place)
    assert rows(story.verdict(), "lost") == [(1, 0, "t", 0, 0)]


@pytest.mark.parametrize(
    ("key", "hidden", "kind"), [(b"k", False, "compacted"), (b"other", False, "lost"), (b"k", True, "lost")]
)
def test_what_others_wrote_replaces_a_record_as_well(key: bytes, hidden: bool, kind: str) -> None:
    story = Story()
    story.send(b"k").entry.acknowledged(0, 0, 1.0)
    story.slots["t", 0].append(Slot(4, None, key, b"of another", hidden))
    story.bound(0, 5, compacts=True)
    verdict = story.verdict()
    assert rows(verdict, kind) == [(1, 0, "t", 0, 0)]
    assert verdict.foreign == 1


def test_a_compacted_topic_that_cannot_be_read_again_says_nothing_of_what_is_lost() -> None:
    story = Story()
    story.send(b"k").entry.acknowledged(0, 0, 1.0)
    story.slots["t", 0].append(Slot(4, None, b"k", b"of another"))
    story.bound(0, 5, compacts=True)
    log = story.log()
    verdict = story.ledger.verify(InTurn([log, replace(log, error=WaitTimeout("gave up."))]))
    assert (verdict.lost, verdict.verified) == (0, False)
    assert "the log could not be read: gave up." in verdict.reason


def test_an_aborted_record_replaces_nothing() -> None:
    story = Story()
    story.send(b"k").entry.acknowledged(0, 0, 1.0)
    later = story.send(b"k")
    later.entry.acknowledged(0, story.store(later, offset=1), 1.0)
    story.sessions[1].aborted([1])
    story.bound(0, 2, compacts=True)
    assert rows(story.verdict(), "lost") == [(1, 0, "t", 0, 0)]


@pytest.mark.parametrize(("value", "kind"), [(None, "compacted"), (b"", "lost"), (b"v", "lost")])
def test_a_tombstone_goes_in_its_turn(value: bytes | None, kind: str) -> None:
    story = Story()
    story.send(b"k", value).entry.acknowledged(0, 0, 1.0)
    story.bound(0, 1, compacts=True)
    assert story.verdict().counts[kind] == 1


def test_a_tombstone_stays_in_a_topic_that_does_not_compact() -> None:
    story = Story()
    story.send(b"k", None).entry.acknowledged(0, 0, 1.0)
    story.good(b"other", topic="compacted")
    story.bound(0, 1)
    story.bound(0, 1, compacts=True, place=("compacted", 0))
    assert rows(story.verdict(), "lost") == [(1, 0, "t", 0, 0)]


@pytest.mark.parametrize(("value", "kind"), [(None, "compacted"), (b"v", "lost")])
def test_a_tombstone_of_unknown_fate_may_have_deleted_a_record(value: bytes | None, kind: str) -> None:
    story = Story()
    story.send(b"k").entry.acknowledged(0, 0, 1.0)
    story.send(b"k", value)
    story.bound(0, 5, compacts=True)
    assert story.verdict().counts[kind] == 1


def test_a_second_copy_is_a_duplicate() -> None:
    story = Story()
    first, second = story.good(), story.good(b"other")
    story.store(first)
    story.store(first, partition=1)
    story.store(second)
    verdict = story.verdict()
    assert rows(verdict, "duplicated") == [(1, 0, "t", 0, 2), (1, 0, "t", 1, 0), (1, 1, "t", 0, 3)]
    assert verdict.stored == 2


def test_an_unknown_record_can_be_duplicated_too() -> None:
    story = Story()
    record = story.send()
    story.store(record)
    story.store(record)
    assert rows(story.verdict(), "duplicated") == [(1, 0, "t", 0, 1)]


def test_the_first_copy_is_in_the_lowest_partition_whichever_was_read_first() -> None:
    story = Story()
    record = story.send()
    record.entry.acknowledged(1, story.store(record, partition=1, offset=5), 1.0)
    story.store(record, partition=0, offset=3)
    story.ledger.processor("p", ["t"])
    verdict = story.verdict()
    assert rows(verdict, "duplicated") == [(1, 0, "t", 1, 5)]
    assert rows(verdict, "unprocessed") == [(1, 0, "t", 0, 3)]


def test_copies_are_found_also_where_one_was_read_long_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kafkalab.ledger.finding.BLOCK", 1)
    story = Story()
    records = [story.good() for _ in range(10)]
    for record in records[2:4]:
        story.store(record)
    verdict = story.verdict()
    assert rows(verdict, "duplicated") == [(1, 2, "t", 0, 10), (1, 3, "t", 0, 11)]
    assert verdict.reordered == 0


def test_the_same_key_and_value_from_two_sessions_is_no_duplicate() -> None:
    story = Story()
    for session in (1, 2, 1, 2):
        story.good(session=session)
    assert story.verdict().clean


def test_a_record_behind_a_later_one_of_its_key_is_reordered() -> None:
    story = Story()
    first, second, third = (story.send(b"k") for _ in range(3))
    for record in (third, first, second):
        record.entry.acknowledged(0, story.store(record), 1.0)
    assert rows(story.verdict(), "reordered") == [(1, 0, "t", 0, 1), (1, 1, "t", 0, 2)]


def test_order_is_of_one_key_one_session_and_one_partition() -> None:
    story = Story()
    first, other_key, other_session = story.send(b"k"), story.send(b"l"), story.send(b"k", session=2)
    other_partition = story.send(b"k")
    for record in (other_key, other_session, first):
        story.store(record)
    story.store(other_partition, partition=1)
    assert story.verdict().clean


def test_records_without_a_key_count_as_of_one_key() -> None:
    story = Story()
    first, second = story.send(None), story.send(None)
    story.store(second)
    story.store(first)
    assert rows(story.verdict(), "reordered") == [(1, 0, "t", 0, 1)]


def test_a_later_copy_reorders_nothing() -> None:
    story = Story()
    first = story.good()
    story.good()
    story.store(first)
    verdict = story.verdict()
    assert (verdict.duplicated, verdict.reordered) == (1, 0)


@pytest.mark.parametrize("other", [{"value": b"w"}, {"key": b"l"}, {"value": None}, {"key": None}])
def test_a_record_that_is_not_as_it_was_sent_is_changed(other: dict[str, Any]) -> None:
    story = Story()
    story.store(story.send(), **other)
    verdict = story.verdict()
    assert rows(verdict, "changed") == [(1, 0, "t", 0, 0)]
    assert verdict.table("changed")["detail"].tolist() == ["its key or value is not what was sent"]


def test_an_offset_at_which_a_consumer_saw_another_record_is_changed() -> None:
    story = Story()
    seen, now = story.send(), story.send()
    story.store(seen)
    story.ledger.observed(story.log().read_log(["t"]))
    story.slots["t", 0] = []
    story.store(now)
    verdict = story.verdict()
    assert rows(verdict, "changed") == [(1, 1, "t", 0, 0)]
    assert verdict.table("changed")["detail"].tolist() == ["a consumer saw another record at this offset before"]


@pytest.mark.parametrize("identity", [None, b"ffffffff-000000000009"])
def test_a_foreign_record_in_the_place_of_one_that_was_seen_is_changed_too(identity: bytes | None) -> None:
    story = Story()
    story.store(story.send())
    story.ledger.observed(story.log().read_log(["t"]))
    story.slots["t", 0] = [Slot(0, identity, b"k", b"v")]
    assert rows(story.verdict(), "changed") == [(-1, -1, "t", 0, 0)]


def test_what_was_seen_as_sent_and_is_changed_now_is_told_once() -> None:
    story = Story()
    story.store(story.send())
    story.ledger.observed(story.log().read_log(["t"]))
    story.slots["t", 0] = [replace(story.slots["t", 0][0], value=b"other")]
    verdict = story.verdict()
    assert rows(verdict, "changed") == [(1, 0, "t", 0, 0)]
    assert verdict.table("changed")["detail"].tolist() == ["its key or value is not what was sent"]


def test_a_lost_record_whose_offset_another_has_is_told_once() -> None:
    story = Story()
    lost, now = story.send(), story.send()
    lost.entry.acknowledged(0, story.store(lost), 1.0)
    story.ledger.observed(story.log().read_log(["t"]))
    story.slots["t", 0] = []
    now.entry.acknowledged(0, story.store(now), 1.0)
    verdict = story.verdict()
    assert rows(verdict, "lost") == [(1, 0, "t", 0, 0)]
    assert verdict.table("lost")["detail"].tolist() == ["another record has its offset now"]
    assert verdict.changed == 0


def test_what_was_seen_as_it_is_now_is_not_changed() -> None:
    story = Story()
    for _ in range(10):
        story.good()
    for _ in range(2):
        story.ledger.observed(story.log().read_log(["t"]))
    assert story.verdict().clean


def test_an_aborted_record_is_not_lost() -> None:
    story = Story()
    story.send().entry.acknowledged(0, 0, 1.0)
    story.sessions[1].aborted([0])
    story.bound(0, 5)
    verdict = story.verdict(committed=True)
    assert verdict.clean
    assert verdict.acknowledged == 1


@pytest.mark.parametrize("committed", [True, False])
def test_an_aborted_record_is_visible_only_to_a_reader_of_all(committed: bool) -> None:
    story = Story()
    story.store(story.send())
    story.sessions[1].aborted([0])
    verdict = story.verdict(committed=committed)
    assert rows(verdict, "aborted_visible") == ([(1, 0, "t", 0, 0)] if committed else [])
    assert verdict.clean != committed


def test_a_failed_record_must_not_be_there() -> None:
    story = Story()
    for record in (story.send(), story.send()):
        record.entry.failed(1.0, "RecordTooLarge")
    assert story.verdict().clean
    story.store(record)
    verdict = story.verdict()
    assert rows(verdict, "failed_visible") == [(1, 1, "t", 0, 0)]
    assert verdict.failed == 2
    assert verdict.failures == {"RecordTooLarge": 2}


def test_nothing_is_lost_where_not_all_was_read() -> None:
    story = Story()
    story.send().entry.acknowledged(0, 0, 1.0)
    story.good(partition=1)
    story.bound(0, 5, reached=False)
    verdict = story.verdict()
    assert (verdict.verified, verdict.clean, verdict.lost) == (False, False, 0)
    assert len(verdict.table("lost")) == 0
    assert verdict.reason == "1 of 2 partitions not read to the end (t-0); verify again when every broker is up."


def test_what_is_certain_is_said_also_where_not_all_was_read() -> None:
    story = Story()
    record = story.good()
    story.store(record)
    story.bound(0, 5, reached=False)
    assert story.verdict().duplicated == 1


@pytest.mark.parametrize("committed", [True, False])
def test_above_the_last_stable_offset_nothing_is_said(committed: bool) -> None:
    story = Story()
    story.good()
    story.send().entry.acknowledged(0, 1, 1.0)
    story.bound(0, 1)
    verdict = story.verdict(committed=committed)
    assert verdict.verified != committed
    assert verdict.lost == (not committed)
    if committed:
        assert verdict.reason.startswith("the last stable offset lies below acknowledged records (t-0): ")
    else:
        assert verdict.table("lost")["detail"].tolist() == ["the log now ends below its offset"]


@pytest.mark.parametrize("committed", [True, False])
def test_a_topic_that_is_gone_has_lost_its_records(committed: bool) -> None:
    story = Story()
    story.good(topic="kept")
    story.good(partition=0)
    story.good(partition=1)
    story.send()
    verdict = story.verdict(gone=frozenset({("t", 0), ("t", 1)}), committed=committed)
    assert verdict.verified
    assert rows(verdict, "lost") == [(1, 1, "t", 0, 0), (1, 2, "t", 1, 0)]
    assert verdict.table("lost")["detail"].tolist() == ["the topic is gone"] * 2
    verdict = story.verdict(gone=frozenset({("t", 0)}))
    assert verdict.table("lost")["detail"].tolist() == ["the partition is gone"]


@pytest.mark.parametrize("error", [NotRunning("no broker runs"), WaitTimeout("gave up"), BrokerFailed("ended")])
def test_a_log_that_cannot_be_read_gives_no_verdict(error: Exception) -> None:
    story = Story()
    story.good()
    verdict = story.ledger.verify(MemoryLog(story.slots, error=error))
    assert not verdict.verified
    assert verdict.lost == 0
    assert verdict.reason == f"the log could not be read: {error}"


def test_what_was_found_before_a_reading_broke_off_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kafkalab.ledger.finding.BLOCK", 1)
    story = Story()
    record = story.send()
    for _ in range(2):
        story.store(record, partition=3)
    verdict = story.ledger.verify(MemoryLog(story.slots, error=WaitTimeout("gave up")))
    assert rows(verdict, "duplicated") == [(1, 0, "t", 3, 1)]
    assert not verdict.verified


def test_a_mistake_of_the_caller_is_no_verdict() -> None:
    story = Story()
    story.good()
    with pytest.raises(InvalidArgument, match="timeout=-1"):
        story.ledger.verify(MemoryLog(story.slots, error=InvalidArgument("timeout=-1")))


def test_records_of_others_are_foreign() -> None:
    story, other = Story(), Story()
    story.good()
    strangers = [other.send(session=7), story.send(topic="elsewhere")]
    for record in strangers:
        story.store(type(record)(record.entry, "t", b"k", b"v"))
    story.store(strangers[0], identity=None)
    story.store(strangers[0], identity=b"junk")
    story.store(strangers[0], identity=b"00000001-000000099999")
    verdict = story.verdict()
    assert (verdict.foreign, verdict.stored, verdict.clean) == (5, 1, True)


def test_sessions_share_partitions() -> None:
    story = Story()
    for number in range(30):
        story.good(b"k%d" % (number % 4), session=1 + number % 3, partition=number % 2)
    story.slots["t", 0].pop(4)
    verdict = story.verdict()
    assert rows(verdict, "lost") == [(3, 2, "t", 0, 4)]
    assert verdict.stored == 29


def test_verifying_again_says_the_same() -> None:
    story = Story()
    story.store(story.good())
    assert story.verdict() == story.verdict()


def test_what_is_sent_after_the_reading_began_does_not_count() -> None:
    story = Story()
    story.good()

    class Busy(MemoryLog):
        def read_log(self, *args: object, **options: object) -> object:  # type: ignore[override]
            story.good()
            late.entry.acknowledged(0, 78, 1.0)
            return MemoryLog(story.slots).read_log(["t"])

    late = story.send()
    verdict = story.ledger.verify(Busy({}))  # type: ignore[arg-type]
    assert verdict.clean
    assert (verdict.sent, verdict.unknown, verdict.stored, verdict.foreign) == (2, 1, 1, 1)
