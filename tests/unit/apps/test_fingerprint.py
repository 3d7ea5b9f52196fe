from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from kafkalab.apps.fingerprint import Fingerprint
from kafkalab.apps.output import Output


@dataclass(frozen=True, slots=True)
class Note(Output):
    key: ClassVar = "text"
    text: str
    level: float | None = None


@dataclass(frozen=True, slots=True)
class Other(Output):
    key: ClassVar = "text"
    text: str
    level: float | None = None


NOTES = [Note(5, "b", 2.5), Note(5, "b", None), Note(5, "a", 2.5), Note(3, "b", 0.0)]


def of(*batches: Sequence[Output]) -> str:
    fingerprint = Fingerprint()
    for batch in batches:
        fingerprint.add(batch)
    return str(fingerprint)


def test_neither_order_nor_batches_matter() -> None:
    whole = of(NOTES)
    assert len(whole) == 12
    assert whole == of(NOTES[::-1]) == of([], NOTES[1:], NOTES[:1])


def test_whatever_differs_is_seen() -> None:
    changed: list[Sequence[Output]] = [
        [],
        NOTES[1:],
        [*NOTES, NOTES[0]],
        [*NOTES[1:], replace(NOTES[0], time_ms=6)],
        [*NOTES[1:], replace(NOTES[0], level=2.6)],
        [*NOTES[1:], Other(5, "b", 2.5)],
    ]
    assert len({of(each) for each in [NOTES, *changed]}) == 7


def test_it_is_the_same_on_every_machine() -> None:
    assert of(NOTES) == "20ede04fa985"
