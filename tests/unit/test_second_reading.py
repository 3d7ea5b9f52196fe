"""What the second opinion makes of a reading, and that it finds what a verdict leaves out."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from benchmarks.memory_log import MemoryLog, Slot
from benchmarks.second_reading import Opinion, StoredRecord, disagreements, parse, second_opinion
from kafkalab.errors import ToolFailed
from kafkalab.ledger import Ledger
from kafkalab.simulation import Record

SESSION = 0xBEEF
RECORDS = [Record("orders", b"a" if n % 2 else b"b", b'{"n": %d}' % n, n) for n in range(6)]
IN_ORDER = (0, 1, 2, 3, 4, 5)


@pytest.fixture
def ledger() -> Ledger:
    """Six records, all but the last acknowledged in one partition."""
    ledger = Ledger()
    session = ledger.session(SESSION)
    session.identities(6)
    session.sent(0, "orders", [r.key for r in RECORDS], [r.value for r in RECORDS], 0.0)
    session.acknowledged(range(5), [0] * 5, range(5), 1.0)
    return ledger


def stored(sequences: Sequence[int]) -> list[StoredRecord]:
    """Return these records as they would stand in a partition."""
    return [
        StoredRecord(
            "orders", 0, offset, (SESSION, n), *(part.decode() for part in (RECORDS[n].key or b"", RECORDS[n].value))
        )
        for offset, n in enumerate(sequences)
    ]


def opinion(ledger: Ledger, records: list[StoredRecord]) -> Opinion:
    return second_opinion(ledger, records, [*RECORDS, *RECORDS])


def counts(ledger: Ledger, records: list[StoredRecord]) -> dict[str, int]:
    return {name: count for name, count in opinion(ledger, records).counts.items() if count}


def log(sequences: Sequence[int]) -> MemoryLog:
    identities = [f"{SESSION:08x}-{n:012d}".encode() for n in range(6)]
    slots = [Slot(at, identities[n], RECORDS[n].key, RECORDS[n].value) for at, n in enumerate(sequences)]
    return MemoryLog({("orders", 0): slots})


# ---- what the console consumer prints -----------------------------------------------------------------------


def test_a_line_is_read() -> None:
    line = 'Partition:3\tOffset:12\tkafkalab:0000beef-000000000007,origin:x\tkey 1\t{"a": "x\ty"}'
    assert parse("orders", line) == StoredRecord("orders", 3, 12, (SESSION, 7), "key 1", '{"a": "x\ty"}')


@pytest.mark.parametrize("headers", ["NO_HEADERS", "origin:kafkalab", "x:1,y:2"])
def test_a_record_without_identity_has_no_name(headers: str) -> None:
    assert parse("orders", f"Partition:0\tOffset:0\t{headers}\tk\tv").name is None


@pytest.mark.parametrize("line", ["Processed a total of 3 messages", "a\tb\tc\td\te", "Partition:0\tOffset:1\tx\tk"])
def test_what_is_no_record_is_refused(line: str) -> None:
    with pytest.raises(ToolFailed, match="which is no record"):
        parse("orders", line)


# ---- the second opinion -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sequences", "expected"),
    [
        (IN_ORDER, {"stored": 6}),
        (IN_ORDER[:5], {"stored": 5}),  # the last was not acknowledged
        ((0, 2, 3, 4), {"stored": 4, "lost": 1}),
        ((), {"lost": 5}),
        ((0, 1, 2, 3, 4, 0, 0), {"stored": 5, "duplicated": 2}),
        ((0, 1, 4, 2, 3), {"stored": 5, "reordered": 1}),  # 2 behind 4; 3 has another key
        ((4, 0, 2, 1, 3), {"stored": 5, "reordered": 2}),
        ((1, 0, 3, 2, 4), {"stored": 5}),
        ((2, 0, 2, 1, 3, 4), {"stored": 5, "duplicated": 1, "reordered": 1}),
    ],
)
def test_it_counts_as_a_verdict_does(ledger: Ledger, sequences: Sequence[int], expected: dict[str, int]) -> None:
    records = stored(sequences)
    assert counts(ledger, records) == expected
    verdict = ledger.verify(log(sequences))
    assert {name: verdict.counts[name] for name in opinion(ledger, records).counts if verdict.counts[name]} == expected
    assert disagreements(verdict, opinion(ledger, records)) == []


def test_what_is_not_as_it_was_sent_is_changed(ledger: Ledger) -> None:
    records = stored(IN_ORDER)
    records[1] = records[1]._replace(value="other")
    records[2] = records[2]._replace(key="other")
    assert counts(ledger, records)["changed"] == 2


def test_what_was_not_sent_there_is_foreign(ledger: Ledger) -> None:
    records = stored(IN_ORDER)
    others = [records[0]._replace(name=name) for name in (None, (7, 0), (SESSION, 6))]
    assert counts(ledger, [*records, *others, records[0]._replace(topic="payments")]) == {"stored": 6, "foreign": 4}


def test_a_verdict_on_other_contents_is_contradicted(ledger: Ledger) -> None:
    second = opinion(ledger, stored((0, 1, 2, 3)))
    assert disagreements(ledger.verify(log(IN_ORDER)), second) == [
        "stored: the verdict counts 6, the second reading 4",
        "lost: the verdict counts 0, the second reading 1",
        f"1 records are lost to one of the two only, first [({SESSION}, 4)]",
    ]


def test_as_many_lost_are_not_the_same_lost(ledger: Ledger) -> None:
    second = opinion(ledger, stored((0, 1, 2, 3)))
    wrong = disagreements(ledger.verify(log((0, 1, 2, 4))), second)
    assert wrong == [f"2 records are lost to one of the two only, first [({SESSION}, 3), ({SESSION}, 4)]"]
