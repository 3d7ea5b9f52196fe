from __future__ import annotations

import numpy as np

from benchmarks.memory_log import Slot, as_batch
from kafkalab.ledger import identity
from kafkalab.ledger.observed import Observations, fingerprints
from kafkalab.ledger.stored import StoredBatch

PLACE = ("t", 0)


def slots(*values: bytes) -> list[Slot]:
    return [Slot(offset, None, b"k", value) for offset, value in enumerate(values)]


def prints(batch: StoredBatch) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    return fingerprints(*identity.decode(batch.identities), batch.keys, batch.values)


def contradicted(seen: Observations, now: list[Slot]) -> list[int]:
    batch = as_batch(PLACE, now)
    found: list[int] = seen.contradicted(*PLACE, batch.offsets, prints(batch)).tolist()
    return found


def test_only_what_differs_is_contradicted() -> None:
    seen = Observations()
    seen.add([as_batch(PLACE, slots(b"a", b"b", b"c"))])
    assert contradicted(seen, slots(b"a", b"b", b"c")) == []
    assert contradicted(seen, slots(b"a", b"x", b"c")) == [1]
    assert contradicted(seen, slots(b"x", b"b", b"x")[1:]) == [1]
    assert contradicted(seen, [Slot(7, None, b"k", b"new")]) == []


def test_another_identity_is_other_contents() -> None:
    one, two = identity.encode(1, 0, 2)
    seen = Observations()
    seen.add([as_batch(PLACE, [Slot(0, one, b"k", b"v")])])
    assert contradicted(seen, [Slot(0, two, b"k", b"v")]) == [0]
    assert contradicted(seen, [Slot(0, one, b"k", b"v")]) == []


def test_two_observations_that_differ_are_both_kept() -> None:
    seen = Observations()
    for value in (b"a", b"b"):
        seen.add([as_batch(PLACE, slots(value))])
    assert [contradicted(seen, slots(value)) for value in (b"a", b"b", b"c")] == [[0], [0], [0]]


def test_places_are_told_apart() -> None:
    seen = Observations()
    seen.add([as_batch(PLACE, slots(b"a"))])
    assert PLACE in seen
    assert ("t", 1) not in seen
    assert ("u", 0) not in seen


def test_what_is_seen_often_is_kept_once() -> None:
    seen = Observations()
    batch = as_batch(PLACE, [Slot(offset, None, b"k", b"v") for offset in range(1000)])
    for _ in range(50):
        seen.add([batch])
    # What came last may not be sorted in yet.
    kept = len(seen._seen[PLACE]) + sum(map(len, seen._new.get(PLACE, [])))
    assert 1000 <= kept <= 1000 + 4096
    assert len(seen._seen[PLACE]) == 1000


def test_each_part_of_a_record_changes_its_fingerprint() -> None:
    columns = [np.array([1, 2, 1, 1, 1]), np.array([1, 1, 2, 1, 1])]
    checksums = [np.array([1, 1, 1, 2, 1], np.uint32), np.array([1, 1, 1, 1, 2], np.uint32)]
    assert len(set(fingerprints(columns[0], columns[1], checksums[0], checksums[1]).tolist())) == 5
