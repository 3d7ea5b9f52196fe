from __future__ import annotations

import json
import math
from dataclasses import FrozenInstanceError

import pytest

from benchmarks.memory_log import Slot
from kafkalab.errors import InvalidArgument
from kafkalab.ledger import Ledger
from kafkalab.ledger.anomalies import KINDS
from kafkalab.ledger.verdict import UNCLEAN
from tests.unit.ledger.conftest import Story, Told

CLEAN = """\
Clean: nothing lost, duplicated, reordered or changed.
  sent          1,200
  acknowledged  1,200
  failed            0
  unknown           0
  stored        1,200
  lost              0
  duplicated        0
  reordered         0"""

UNCLEAN_TEXT = """\
Not clean: 8 lost, 1 duplicated, 1 unprocessed.
  sent          11
  acknowledged   9
  failed         2  NotEnoughReplicas 2
  unknown        0
  stored         1
  lost           8
  duplicated     1
  reordered      0
  unprocessed    1
lost:
  record 1 of producer 1, t-0 at offset 1: the log now ends below its offset
  record 2 of producer 1, t-0 at offset 2: the log now ends below its offset
  record 3 of producer 1, t-0 at offset 3: the log now ends below its offset
  record 4 of producer 1, t-0 at offset 4: the log now ends below its offset
  record 5 of producer 1, t-0 at offset 5: the log now ends below its offset
  and 3 more
duplicated:
  record 0 of producer 1, t-1 at offset 0
unprocessed:
  record 0 of producer 1, t-0 at offset 0: p"""


def bad_story() -> Story:
    story = Story()
    first = story.good()
    for offset in range(1, 9):
        story.send().entry.acknowledged(0, offset, 1.0)
    for _ in range(2):
        story.send().entry.failed(1.0, "NotEnoughReplicas")
    story.store(first, partition=1)
    story.ledger.processor("p", "t")
    story.ledger.event("kill", 5.0)
    return story


def test_the_text_of_a_clean_verdict() -> None:
    story = Story()
    for _ in range(1200):
        story.good()
    verdict = story.verdict()
    assert str(verdict) == repr(verdict) == CLEAN


NOBODY_ANSWERED = """\
Clean: nothing lost, duplicated, reordered or changed.
2 records that were never acknowledged are not stored: Kafka had not promised to keep them.
  sent          3
  acknowledged  0
  failed        0
  unknown       3  no acknowledgement came: such a record may be stored or not
  stored        1
  lost          0
  duplicated    0
  reordered     0
  foreign       1  records that this ledger did not send"""


def test_the_text_tells_of_records_that_nobody_acknowledged_and_explains_what_is_not_self_evident() -> None:
    story = Story()
    story.store(story.send())
    for _ in range(2):
        story.send()
    story.slots["t", 0].append(Slot(7, None, b"k", b"v"))
    verdict = story.verdict()
    assert str(verdict) == NOBODY_ANSWERED
    assert verdict.clean


def test_one_record_that_nobody_acknowledged() -> None:
    story = Story()
    story.send()
    remark = "1 record that was never acknowledged is not stored: Kafka had not promised to keep it."
    assert str(story.verdict()).splitlines()[1] == remark
    assert f"<p>{remark}</p>" in story.verdict()._repr_html_()
    assert "<p>" not in Story().verdict()._repr_html_().replace("<p><strong>", "")


def test_the_text_names_what_is_wrong() -> None:
    assert str(bad_story().verdict()) == UNCLEAN_TEXT


def test_the_text_does_not_hang_on_the_numbers_of_sessions() -> None:
    texts = []
    for numbers in ((7, 3), (100, 2**32 - 1)):
        story = Story()
        for number in numbers:
            story.store(story.good(session=number))
        texts.append(str(story.verdict()))
    assert texts[0] == texts[1]
    assert "record 0 of producer 2, t-0 at offset 3" in texts[0]


def test_a_verdict_that_is_not_verified_says_why_and_leaves_the_lost_open() -> None:
    story = bad_story()
    story.bound(0, 5, reached=False)
    text = str(story.verdict())
    assert text.startswith("Not verified (1 duplicated): 1 of 2 partitions not read to the end (t-0); verify again")
    assert "  lost           ?  not known\n" in text


def test_nothing_sent() -> None:
    assert str(Story().verdict()).startswith("Clean: nothing was sent.\n")


def test_what_is_gone_by_rule_is_counted_and_not_listed() -> None:
    story = Story()
    story.send().entry.acknowledged(0, 0, 1.0)
    story.bound(1, 1)
    verdict = story.verdict()
    assert "\n  expired       1\n" in str(verdict)
    assert "record 0" not in str(verdict)
    assert verdict.examples == {"expired": ("record 0 of producer 1, t-0 at offset 0",)}


def test_examples_are_the_first_twenty() -> None:
    story = Story()
    for offset in range(25):
        story.send().entry.acknowledged(0, offset, 1.0)
    story.bound(0, 99)
    verdict = story.verdict()
    assert list(verdict.examples) == ["lost"]
    assert len(verdict.examples["lost"]) == 20
    assert verdict.examples["lost"][19] == "record 19 of producer 1, t-0 at offset 19"
    assert len(verdict.table("lost")) == 25


def test_a_dictionary_for_json() -> None:
    verdict = bad_story().verdict()
    plain = json.loads(json.dumps(verdict.as_dict(), allow_nan=False))
    assert {name: plain[name] for name in verdict.counts} == verdict.counts
    assert all(
        type(count) is int for count in verdict.as_dict().values() if not isinstance(count, str | dict | list | bool)
    )
    assert (plain["verified"], plain["clean"], plain["reason"]) == (True, False, "")
    assert plain["recoveries"] == [{"name": "kill", "at": 5.0, "seconds": None}]
    assert plain["failures"] == {"NotEnoughReplicas": 2}
    assert plain["examples"]["duplicated"] == ["record 0 of producer 1, t-1 at offset 0"]


def test_html_says_the_same_and_escapes_names() -> None:
    story = Story()
    record = story.send(topic="<b>&t")
    record.entry.acknowledged(0, 3, 1.0)
    story.send().entry.failed(1.0, "<script>")
    story.ledger.processor("<p>", "t")
    story.good()
    html = story.verdict()._repr_html_()
    assert "<strong>Not clean: 1 lost, 1 unprocessed.</strong>" in html
    assert "record 0 of producer 1, &lt;b&gt;&amp;t-0 at offset 3: the topic is gone" in html
    assert "&lt;script&gt; 1" in html
    assert "&lt;p&gt;" in html
    assert "<script>" not in html


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_has_fixed_columns_also_when_it_is_empty(kind: str) -> None:
    for verdict in (Story().verdict(), bad_story().verdict()):
        assert {name: str(dtype) for name, dtype in verdict.table(kind).dtypes.items()} == {
            "session": "int64",
            "sequence": "int64",
            "topic": "str",
            "partition": "int64",
            "offset": "int64",
            "detail": "str",
        }


def test_a_table_of_what_is_only_counted_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="no table of 'foreign': ask for one of lost, duplicated"):
        Story().verdict().table("foreign")


def test_a_verdict_does_not_change() -> None:
    verdict = Story().verdict()
    with pytest.raises(FrozenInstanceError):
        verdict.lost = 1  # type: ignore[misc]


def test_every_anomaly_is_a_count_and_has_a_table() -> None:
    verdict = Ledger().verify(Story().log())
    assert set(UNCLEAN) < set(KINDS) < set(verdict.counts)
    assert list(verdict.counts) == [
        *("sent", "acknowledged", "failed", "unknown", "stored", "lost", "expired", "compacted", "duplicated"),
        *("reordered", "changed", "aborted_visible", "failed_visible", "processed_twice", "unprocessed", "foreign"),
        "unknown_missing",
    ]


def test_a_recovery_that_was_not_seen_is_not_a_number() -> None:
    (recovery,) = bad_story().verdict().recoveries
    assert math.isnan(recovery.seconds)
    assert "kill" not in str(bad_story().verdict())


def test_what_is_of_nobody_is_named_so() -> None:
    story = Story()
    record = story.send()
    story.store(record)
    story.ledger.observed(story.log().read_log(["t"]))
    story.slots["t", 0] = []
    story.store(Told(record.entry, "t", b"k", b"v"), identity=None)
    assert story.verdict().examples["changed"] == (
        "a record not of this ledger, t-0 at offset 0: a consumer saw another record at this offset before",
    )
