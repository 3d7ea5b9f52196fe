"""Acknowledged records that were not found: gone by rule, or lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from kafkalab.ledger.anomalies import Detail, Rows
from kafkalab.ledger.pages import Page, Pages, Places, positions
from kafkalab.ledger.stored import StoredBatch

__all__ = ["Missing", "explain_lost"]

Flags = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]


class Missing:
    """Sorts what is missing in pages that a reading was noted in.

    Args:
        pages: all of them.
        places: with the bounds of the reading.
        committed: whether it left out what is not committed.
        others: what is stored in compacted topics, if it is not of these pages only; iterated where it matters.
    """

    def __init__(self, pages: Pages, places: Places, *, committed: bool, others: Iterable[StoredBatch] = ()) -> None:
        self._pages = pages
        self._places = places
        self._committed = committed
        self._others = others
        self._keys, self._latest = self._latest_of_keys()

    def of(self, page: Page) -> dict[str, Integers]:
        """Return the rows of a page that are ``expired``, ``compacted``, ``lost`` and ``undecided``.

        Undecided is, for a reader of what is committed, what lies at or above the last stable offset: the reader
        is not shown it until its transaction ends.
        """
        rows = _missing(page)
        place, offset = self._places.acknowledged(page, rows), page.offset[rows]
        expired = self._places.present[place] & (offset < self._places.start[place])
        compacted = ~expired & self._replaced(page, rows)
        undecided = ~expired & ~compacted & self._committed & self._places.present[place]
        undecided &= offset >= self._places.end[place]
        lost = ~(expired | compacted | undecided)
        flags = {"expired": expired, "compacted": compacted, "lost": lost, "undecided": undecided}
        return {name: rows[flag] for name, flag in flags.items()}

    def _replaced(self, page: Page, rows: Integers) -> Flags:
        """Return which records compaction may have removed: older ones of their key, and tombstones in time."""
        place = self._places.acknowledged(page, rows)
        at = positions(self._keys, self._places.with_keys(place, page.key[rows]))
        later = (at >= 0) & (self._latest[at] > page.offset[rows]) if len(self._keys) else np.zeros(len(rows), np.bool_)
        return self._places.compacts[place] & (page.tombstone[rows] | later)

    def _latest_of_keys(self) -> tuple[Integers, Integers]:
        """Return the places and keys of what is missing in compacted topics, and the highest offset of each."""
        keys = [np.empty(0, np.int64)]
        for page in self._pages if self._places.compacts.any() else ():
            rows = _missing(page)
            place = self._places.acknowledged(page, rows)
            compacts = self._places.compacts[place]
            keys.append(np.unique(self._places.with_keys(place, page.key[rows])[compacts]))
        known = np.unique(np.concatenate(keys))
        latest = np.full(len(known), -1, np.int64)
        for place, key, offset in self._written() if len(known) else ():
            at = positions(known, self._places.with_keys(place, key))
            np.maximum.at(latest, at[at >= 0], offset[at >= 0])
        latest[self._maybe_deleted(known)] = np.iinfo(np.int64).max
        return known, latest

    def _maybe_deleted(self, known: Integers) -> Flags:
        """Return which keys have a tombstone that may have been written, done its work and gone in its turn."""
        places, keys = self._places.without_keys(known)
        keyed = self._places.with_keys(self._places.topic[places], keys)
        deleted = np.zeros(len(known), np.bool_)
        for page in self._pages if len(known) else ():
            rows = np.flatnonzero(page.unknown & page.tombstone & ~page.found)
            # Where it went is not known either: to the partition of its key, as all of that key.
            tombs = self._places.with_keys(page.topic[rows].astype(np.int64), page.key[rows])
            deleted |= np.isin(keyed, tombs)
        return deleted

    def _written(self) -> Iterator[tuple[Integers, npt.NDArray[np.uint32], Integers]]:
        """Iterate all that was acknowledged, all that was found, and what others wrote: places, keys and offsets."""
        # What was aborted replaces nothing: the log cleaner passes it over.
        for page in self._pages:
            rows = np.flatnonzero(page.acknowledged & ~page.aborted)
            yield self._places.acknowledged(page, rows), page.key[rows], page.offset[rows]
            rows = np.flatnonzero(page.found & ~page.aborted)
            yield self._places.found(page, rows), page.key[rows], page.found_offset[rows]
        for batch in self._others:
            place = self._places.of(batch.topic, batch.partition)
            if place is not None:
                yield np.full(len(batch.offsets), place), batch.keys, batch.offsets


def _missing(page: Page) -> Integers:
    return np.flatnonzero(page.acknowledged & ~page.found & ~page.aborted)


def explain_lost(lost: Sequence[Rows], pages: Pages, places: Places) -> Integers:
    """Write into the detail of lost records what became of their places; return these with their offsets, ascending."""
    slots = np.empty(sum(map(len, lost)), np.int64)
    end = 0
    for rows in lost:
        slots[end : end + len(rows)] = places.slots(rows)
        end += len(rows)
    slots.sort()
    taken = _taken(slots, pages, places)
    there = np.unique(places.topic[places.present])
    for rows in lost:
        place = places.index(rows["topic"], rows["partition"])
        rows["detail"][positions(taken, places.slots(rows)) >= 0] = Detail.REPLACED
        rows["detail"][rows["offset"] >= places.end[place]] = Detail.ABOVE_END
        rows["detail"][~places.present[place]] = Detail.PARTITION_GONE
        rows["detail"][~np.isin(rows["topic"], there)] = Detail.TOPIC_GONE
    return slots


def _taken(slots: Integers, pages: Pages, places: Places) -> Integers:
    """Return those of the places with offsets that hold a record of these pages, ascending."""
    taken = [np.empty(0, np.int64)]
    for page in pages if len(slots) else ():
        rows = np.flatnonzero(page.found)
        found = places.with_offsets(places.found(page, rows), page.found_offset[rows])
        taken.append(found[positions(slots, found) >= 0])
    return np.sort(np.concatenate(taken))
