from __future__ import annotations

import threading
from collections.abc import Callable
from zlib import crc32

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from benchmarks.memory_log import MemoryLog, Slot
from kafkalab.errors import InvalidArgument
from kafkalab.ledger import Ledger
from kafkalab.ledger.book import CHUNK

parts = st.none() | st.binary(max_size=20)


def test_identities_are_numbered_without_gaps() -> None:
    session = Ledger().session(0xAB)
    assert session.identities(2) == [b"000000ab-000000000000", b"000000ab-000000000001"]
    assert session.identities(0) == []
    assert session.next_sequence == 2
    assert session.identities(1) == [b"000000ab-000000000002"]
    assert repr(session) == "Session(number=171, next_sequence=3)"


def test_a_record_of_its_own() -> None:
    ledger = Ledger()
    session = ledger.session(1)
    first, second = session.enter("t", b"k", b"v", 1.0), session.enter("t", None, None, 2.0)
    assert first.headers == [("kafkalab", b"00000001-000000000000")]
    assert second.sequence == 1
    first.acknowledged(3, 7, 1.5)
    second.failed(2.5, "refused")
    assert ledger.counts == (2, 1, 1)
    assert ledger.acknowledgements().to_dict("records") == [
        {
            "session": 1,
            "sequence": 0,
            "topic": "t",
            "partition": 3,
            "offset": 7,
            "sent_at": 1.0,
            "acknowledged_at": 1.5,
        }
    ]
    assert session.reasons == {"refused": 1}


def test_in_bulk_to_several_topics_over_the_end_of_a_chunk() -> None:
    ledger = Ledger()
    session = ledger.session()
    count = CHUNK + 10
    session.identities(count)
    topics = ["a" if index % 2 else "b" for index in range(count)]
    times = np.arange(count) / 2
    session.sent(0, topics, [None] * count, [b"v"] * count, times)
    session.acknowledged(range(count)[::-1], np.zeros(count, int), list(range(count))[::-1], times[::-1] + 0.25)
    table = ledger.acknowledgements()
    assert table["topic"].tolist() == topics
    assert (table["sequence"] == table["offset"]).all()
    assert (table["sent_at"] == times).all()
    assert (ledger.latencies() == 0.25).all()
    assert (ledger.sent_times() == times).all()
    assert ledger.counts == (count, count, 0)


def test_one_time_for_all() -> None:
    ledger = Ledger()
    session = ledger.session()
    session.identities(3)
    session.sent(0, "t", [b"k"] * 3, [b"v"] * 3, 5.0)
    session.acknowledged([0, 2], [0, 0], [0, 1], 6.0)
    assert ledger.sent_times().tolist() == [5.0] * 3
    assert ledger.latencies().tolist() == [1.0] * 2


def test_told_again_counts_once() -> None:
    ledger = Ledger()
    session = ledger.session()
    entry = session.enter("t", b"k", b"v", 1.0)
    session.sent(0, "t", [b"k"], [b"v"], 1.0)
    entry.failed(2.0)
    entry.acknowledged(0, 0, 3.0)
    entry.acknowledged(0, 0, 3.0)
    assert ledger.counts == (1, 1, 0)


def test_an_outcome_may_be_told_before_the_send() -> None:
    ledger = Ledger()
    session = ledger.session()
    session.identities(1)
    session.acknowledged([0], [0], [4], 2.0)
    assert len(ledger.acknowledgements()) == 0
    session.sent(0, "t", [b"k"], [b"v"], 1.0)
    assert ledger.acknowledgements()["offset"].tolist() == [4]


@pytest.mark.parametrize("sequences", [[2], [-1], [0, 5]])
def test_what_was_not_reserved_is_refused(sequences: list[int]) -> None:
    session = Ledger().session()
    session.identities(2)
    nothing = [0] * len(sequences)
    tell: list[Callable[[], None]] = [
        lambda: session.acknowledged(sequences, nothing, nothing, 1.0),
        lambda: session.failed(sequences, 1.0),
        lambda: session.aborted(sequences),
        lambda: session.sent(sequences[-1], "t", [None], [None], 1.0),
    ]
    for each in tell:
        with pytest.raises(
            InvalidArgument, match=r"sequence number -?\d was not reserved in this session, which has 2"
        ):
            each()


def test_columns_of_different_lengths_are_refused() -> None:
    session = Ledger().session()
    session.identities(2)
    with pytest.raises(InvalidArgument, match="keys has 1 entries for 2 records"):
        session.sent(0, "t", [None], [b"v", b"v"], 1.0)
    with pytest.raises(InvalidArgument, match="topic has 1 entries"):
        session.sent(0, ["t"], [None] * 2, [b"v", b"v"], 1.0)
    with pytest.raises(InvalidArgument, match="at has 3 entries"):
        session.sent(0, "t", [None] * 2, [b"v", b"v"], [1.0] * 3)
    with pytest.raises(InvalidArgument, match="offsets has 1 entries"):
        session.acknowledged([0, 1], [0, 0], [0], 1.0)
    with pytest.raises(InvalidArgument, match="names an offset and no partition"):
        session.acknowledged([0, 1], [-1, 0], [0, 0], 1.0)
    with pytest.raises(InvalidArgument, match="count=-1"):
        session.identities(-1)


def test_nothing_to_tell_is_no_mistake() -> None:
    ledger = Ledger()
    session = ledger.session()
    session.sent(0, "t", [], [], 1.0)
    session.acknowledged([], [], [], 1.0)
    session.failed([], 1.0, "refused")
    session.aborted([])
    assert ledger.counts == (0, 0, 0)
    assert session.reasons == {}
    assert len(ledger.acknowledgements()) == len(ledger.latencies()) == len(ledger.sent_times()) == 0


@given(st.lists(st.tuples(parts, parts), max_size=20))
def test_any_key_and_value_is_found_as_it_was_sent(records: list[tuple[bytes | None, bytes | None]]) -> None:
    ledger = Ledger()
    session = ledger.session()
    identities = session.identities(len(records))
    session.sent(0, "t", [key for key, _ in records], [value for _, value in records], 0.0)
    slots = [Slot(n, identity, *record) for n, (identity, record) in enumerate(zip(identities, records, strict=True))]
    verdict = ledger.verify(MemoryLog({("t", 0): slots}))
    assert verdict.clean
    assert verdict.stored == len(records)
    chunk = session.book.chunks[0] if records else None
    for index, (key, value) in enumerate(records):
        assert chunk is not None
        assert chunk.key[index] == crc32(key or b"")
        assert chunk.value[index] == crc32(value or b"")
        assert chunk.tombstone[index] == (value is None)


def test_outcomes_are_told_by_another_thread_while_records_are_sent() -> None:
    ledger = Ledger()
    session = ledger.session()
    rounds, size = 300, 500
    sent = threading.Semaphore(0)

    def acknowledge() -> None:
        for turn in range(rounds):
            sent.acquire()
            sequences = np.arange(turn * size, (turn + 1) * size)
            session.acknowledged(sequences, sequences % 3, sequences, 1.0)

    thread = threading.Thread(target=acknowledge)
    thread.start()
    seen = []
    for turn in range(rounds):
        session.identities(size)
        session.sent(turn * size, "t", [b"k"] * size, [b"v"] * size, 0.0)
        sent.release()
        seen.append(ledger.counts)
    thread.join()
    assert ledger.counts == (rounds * size, rounds * size, 0)
    assert seen == sorted(seen)
    assert ledger.acknowledgements()["offset"].tolist() == list(range(rounds * size))
