from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from kafkalab.errors import InvalidArgument
from kafkalab.ledger.book import CHUNK, Book, checksums, chunk_keys, grouped, session_indices
from kafkalab.ledger.topics import Topics


@given(st.lists(st.integers(-3, 3), max_size=30))
def test_groups_are_ascending_and_keep_the_order(keys: list[int]) -> None:
    groups = [(key, part.tolist()) for key, part in grouped(np.array(keys, np.int64))]
    assert groups == [(key, [i for i, each in enumerate(keys) if each == key]) for key in sorted(set(keys))]


def test_a_book_grows_by_chunks_and_keeps_what_it_has() -> None:
    book = Book(1)
    assert book.reserve(CHUNK) == 0
    (chunk,) = book.chunks
    assert book.reserve(1) == CHUNK
    assert book.chunks[0] is chunk
    assert len(book.chunks) == 2
    assert book.rows == CHUNK + 1


def test_records_are_found_by_session_and_sequence() -> None:
    books = [Book(9), Book(2)]
    books[0].reserve(CHUNK + 5)
    books[1].reserve(1)
    sessions = np.array([9, 9, 2, 2, 5, -1, 10])
    sequences = np.array([0, CHUNK, 0, 1, 0, -1, 0])
    keys = chunk_keys(books, sessions, sequences)
    assert session_indices(keys).tolist() == [0, 0, 1, -1, -1, -1, -1]
    assert len(set(keys.tolist())) == 4
    assert chunk_keys([], sessions, sequences).tolist() == [-1] * 7


def test_none_and_empty_have_no_checksum() -> None:
    assert checksums([None, b"", b"a"]).tolist() == [0, 0, 3904355907]
    assert checksums([]).dtype == np.uint32


def test_topics_are_numbered_from_one() -> None:
    topics = Topics()
    assert topics.codes("a", 2).tolist() == [1, 1]
    assert sorted(topics.codes(["b", "a", "c"], 3).tolist()) == [1, 2, 3]
    assert [topics.find(name) for name in topics.names] == [1, 2, 3]
    assert topics.find("d") == 0


def test_a_ledger_takes_no_more_topics_than_it_can_number() -> None:
    topics = Topics()
    for number in range(65_535):
        topics.code(str(number))
    assert topics.code("7") == 8
    with pytest.raises(InvalidArgument, match="'one more' would be topic 65536"):
        topics.code("one more")
