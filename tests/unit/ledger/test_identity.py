from __future__ import annotations

import numpy as np
import pytest

from kafkalab.ledger import identity


def test_an_identity_is_text_of_one_width() -> None:
    assert identity.encode(0xAB, 9, 2) == [b"000000ab-000000000009", b"000000ab-000000000010"]
    assert identity.encode(7, 0, 0) == []


@pytest.mark.parametrize("session", [0, 17, 2**32 - 1])
@pytest.mark.parametrize("first", [0, 999_999_999_990])
def test_what_was_encoded_is_decoded(session: int, first: int) -> None:
    sessions, sequences = identity.decode(identity.encode(session, first, 5))
    assert sessions.tolist() == [session] * 5
    assert sequences.tolist() == list(range(first, first + 5))
    assert sessions.dtype == sequences.dtype == np.int64


@pytest.mark.parametrize(
    "other", [None, b"", b"x", b"000000ab_000000000009", b"000000AB-000000000009", b"000000ab-00000000000x", b"0" * 21]
)
def test_what_is_no_identity_is_minus_one(other: bytes | None) -> None:
    sessions, sequences = identity.decode([other, *identity.encode(1, 2, 1)])
    assert sessions.tolist() == [-1, 1]
    assert sequences.tolist() == [-1, 2]


def test_nothing_decodes_to_nothing() -> None:
    sessions, sequences = identity.decode([])
    assert sessions.tolist() == sequences.tolist() == []
