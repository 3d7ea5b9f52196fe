"""The identity of a record: which producer session sent it, as its how-manieth.

A consumer is shown no producer id, so the identity travels as a header. It is text of a fixed width, which Kafka's
own console consumer prints as it is, and which numpy reads and writes by the million.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["HEADER", "SESSION_DIGITS", "decode", "encode"]

#: The header's name.
HEADER = "kafkalab"
#: Hexadecimal digits of a session; then a hyphen and the sequence number in twelve decimal digits.
SESSION_DIGITS = 8
_SEQUENCE_DIGITS = 12
_WIDTH = SESSION_DIGITS + 1 + _SEQUENCE_DIGITS
_POWERS = 10 ** np.arange(_SEQUENCE_DIGITS - 1, -1, -1, dtype=np.int64)
_HEX = {character: value for value, character in enumerate(b"0123456789abcdef")}
_HEX_VALUES = np.array([_HEX.get(code, -1) for code in range(256)], dtype=np.int64)
_SESSION_POWERS = 16 ** np.arange(SESSION_DIGITS - 1, -1, -1, dtype=np.int64)


def encode(session: int, first: int, count: int) -> list[bytes]:
    """Return the identities of ``count`` records of ``session`` (0 to 2**32 - 1), numbered from ``first``."""
    text = np.empty((count, _WIDTH), np.uint8)
    text[:, :SESSION_DIGITS] = np.frombuffer(f"{session:0{SESSION_DIGITS}x}".encode(), np.uint8)
    text[:, SESSION_DIGITS] = ord("-")
    sequences = np.arange(first, first + count, dtype=np.int64)
    text[:, SESSION_DIGITS + 1 :] = sequences[:, None] // _POWERS % 10 + ord("0")
    whole = text.tobytes()
    return [whole[at : at + _WIDTH] for at in range(0, len(whole), _WIDTH)]


def decode(identities: Sequence[bytes | None]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the sessions and sequence numbers (int64); both are -1 where it is None or no identity of ours."""
    filler = bytes(_WIDTH)
    whole = b"".join([each if each is not None and len(each) == _WIDTH else filler for each in identities])
    text: npt.NDArray[Any] = np.frombuffer(whole, np.uint8).reshape(-1, _WIDTH)
    session = _HEX_VALUES[text[:, :SESSION_DIGITS]]
    digits = text[:, SESSION_DIGITS + 1 :].astype(np.int64) - ord("0")
    good = (text[:, SESSION_DIGITS] == ord("-")) & (session >= 0).all(axis=1)
    good &= ((digits >= 0) & (digits <= 9)).all(axis=1)
    return np.where(good, session @ _SESSION_POWERS, -1), np.where(good, digits @ _POWERS, -1)
