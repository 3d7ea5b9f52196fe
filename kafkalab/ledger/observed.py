"""What consumers saw under each offset while a run went on, kept as fingerprints of 8 bytes."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from kafkalab.ledger.identity import decode
from kafkalab.ledger.stored import StoredBatch

__all__ = ["Observations", "fingerprints"]

_OBSERVATION = np.dtype([("offset", "i8"), ("print", "u8")])
_FEW = 4096
Integers = npt.NDArray[np.int64]


def fingerprints(
    sessions: Integers, sequences: Integers, keys: npt.NDArray[np.uint32], values: npt.NDArray[np.uint32]
) -> npt.NDArray[np.uint64]:
    """Return 64 bits for each record, which differ, as good as always, where any of these differ."""
    contents = (keys.astype(np.uint64) << np.uint64(32)) | values
    mixed = np.zeros(len(contents), np.uint64)
    for part in (contents, sessions.astype(np.uint64), sequences.astype(np.uint64)):
        mixed = _mix(mixed ^ part)
    return mixed


def _mix(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return what the finalizer of MurmurHash3 makes of them: each bit changes about half of the result's."""
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        bits = (bits ^ (bits >> np.uint64(33))) * np.uint64(factor)
    return bits ^ (bits >> np.uint64(33))


class Observations:
    """Observed contents by topic and partition; any thread may add. Seen twice is kept once."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], npt.NDArray[np.void]] = {}
        self._new: dict[tuple[str, int], list[npt.NDArray[np.void]]] = {}
        self._lock = threading.Lock()

    def add(self, batches: Iterable[StoredBatch]) -> None:
        """Keep what a consumer saw."""
        for batch in batches:
            observed = np.empty(len(batch.offsets), _OBSERVATION)
            observed["offset"] = batch.offsets
            observed["print"] = fingerprints(*decode(batch.identities), batch.keys, batch.values)
            with self._lock:
                self._keep((batch.topic, batch.partition), observed)

    def _keep(self, place: tuple[str, int], observed: npt.NDArray[np.void]) -> None:
        new = self._new.setdefault(place, [])
        new.append(observed)
        # Sorted in only when it has doubled: each observation then moves a few times, not at every batch.
        if sum(map(len, new)) > max(_FEW, len(self._seen.get(place, ()))):
            self._sort_in(place)

    def _sort_in(self, place: tuple[str, int]) -> npt.NDArray[np.void]:
        new = self._new.pop(place, [])
        seen = self._seen.get(place, np.empty(0, _OBSERVATION))
        if new:
            whole = np.concatenate([seen, *new])
            whole = whole[np.lexsort((whole["print"], whole["offset"]))]
            differs = np.ones(len(whole), np.bool_)
            differs[1:] = (np.diff(whole["offset"]) != 0) | (np.diff(whole["print"]) != 0)
            self._seen[place] = seen = whole[differs]
        return seen

    def contradicted(self, topic: str, partition: int, offsets: Integers, prints: npt.NDArray[np.uint64]) -> Integers:
        """Return the indices of records that showed other contents when they were observed, ascending.

        Args:
            topic: of the records.
            partition: of the records.
            offsets: int64, increasing.
            prints: the :func:`fingerprints` of what is there now.
        """
        with self._lock:
            seen = self._sort_in((topic, partition))
        low, high = np.searchsorted(seen["offset"], [offsets[0], offsets[-1] + 1])
        seen = seen[low:high]
        at = np.searchsorted(offsets, seen["offset"])
        wrong = (offsets[at] == seen["offset"]) & (prints[at] != seen["print"])
        return np.unique(at[wrong]).astype(np.int64)

    def __contains__(self, place: tuple[str, int]) -> bool:
        return place in self._seen or place in self._new
