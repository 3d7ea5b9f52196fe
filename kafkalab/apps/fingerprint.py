"""A short name for what was decided: the same for the same outputs, in whatever order they came."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import orjson

from kafkalab.apps.output import Output

__all__ = ["Fingerprint"]

_MODULUS = 1 << 256
_DIGITS = 12


class Fingerprint:
    """Adds outputs up, and keeps none of them.

    The SHA-256 of each output's kind and row, as numbers added modulo 2**256: a hash of the sorted table would say the
    same, and need all of it (Bellare and Micciancio, "A new paradigm for collision-free hashing", 1997: AdHash). An
    output that comes twice counts twice.
    """

    def __init__(self) -> None:
        self._sum = 0

    def add(self, outputs: Iterable[Output]) -> None:
        """Take further outputs."""
        total = self._sum
        for output in outputs:
            row = hashlib.sha256(type(output).__name__.encode() + orjson.dumps(output))
            total += int.from_bytes(row.digest())
        self._sum = total % _MODULUS

    def __str__(self) -> str:
        """Return its first twelve hexadecimal digits."""
        return f"{self._sum:064x}"[:_DIGITS]
