"""Reading a log back into the pages: where each record stands first, its further copies, and what is changed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from kafkalab.ledger.anomalies import Detail, Rows, make_rows, sorted_rows
from kafkalab.ledger.book import CHUNK, chunk_keys, grouped, session_indices
from kafkalab.ledger.identity import decode
from kafkalab.ledger.observed import Observations, fingerprints
from kafkalab.ledger.pages import Page, Pages
from kafkalab.ledger.stored import Reading, StoredBatch
from kafkalab.ledger.topics import Topics

__all__ = ["BLOCK", "Finder"]

#: Records that are compared with the pages at once.
BLOCK = CHUNK
Integers = npt.NDArray[np.int64]


class _Block:
    """Batches end to end: one column of each kind."""

    def __init__(self, batches: Sequence[StoredBatch], topics: Topics) -> None:
        self.batches = batches
        self.sizes = [len(batch.offsets) for batch in batches]
        self.topic = np.repeat([topics.find(batch.topic) for batch in batches], self.sizes)
        self.partition = np.repeat([batch.partition for batch in batches], self.sizes)
        self.offset = np.concatenate([batch.offsets for batch in batches])
        self.key = np.concatenate([batch.keys for batch in batches])
        self.value = np.concatenate([batch.values for batch in batches])
        self.session, self.sequence = decode([each for batch in batches for each in batch.identities])

    def __len__(self) -> int:
        return len(self.offset)

    def parts(self) -> Iterator[tuple[StoredBatch, slice]]:
        """Iterate the batches, each with its rows."""
        end = 0
        for batch, size in zip(self.batches, self.sizes, strict=True):
            end += size
            yield batch, slice(end - size, end)

    def rows(self, part: Integers | slice, session: Integers | int, sequence: Integers, detail: int) -> Rows:
        """Return some of its records as rows of anomalies."""
        return make_rows(
            len(sequence),
            session=session,
            sequence=sequence,
            topic=self.topic[part],
            partition=self.partition[part],
            offset=self.offset[part],
            detail=detail,
        )


class Finder:
    """Takes a reading in, block by block.

    Args:
        pages: where to note what is found.
        topics: the topics that were sent to.
        effects: topics whose records may carry the identity of a record of another topic.
        observations: what consumers saw earlier.

    Attributes:
        foreign: how many records have no identity of these pages.
        changed: rows of records that are not what was sent or was seen.
    """

    def __init__(self, pages: Pages, topics: Topics, effects: Collection[str], observations: Observations) -> None:
        self.foreign = 0
        self.changed: list[Rows] = []
        self._copies: list[Rows] = []
        self._pages = pages
        self._topics = topics
        self._effects = [topics.find(topic) for topic in effects]
        self._observations = observations
        self._one = np.empty(CHUNK, np.int64)

    def take(self, reading: Reading) -> None:
        """Read to the end; holds no more than ``BLOCK`` records beside the reader's own batch."""
        for batches in _blocks(reading):
            block = _Block(batches, self._topics)
            self._compare_with_observations(block)
            known = sum(
                self._note(page, block, part)
                for key, part in grouped(self._pages.keys(block.session, block.sequence))
                if (page := self._pages.get(key)) is not None
            )
            self.foreign += len(block) - known

    def _note(self, page: Page, block: _Block, part: Integers) -> int:
        """Note the records of a block that have their row in this page; return how many are of this ledger."""
        rows = block.sequence[part] - page.first
        topics = np.where(rows < len(page), page.topic[rows.clip(max=len(page) - 1)], 0)
        own = topics == block.topic[part]
        effects = ~own & (topics > 0) & np.isin(block.topic[part], self._effects)
        if not own.all():
            rows, part = rows[own], part[own]
        self._note_changed(page, block, rows, part)
        self._note_places(page, block, rows, part)
        return len(rows) + int(np.count_nonzero(effects))

    def _note_changed(self, page: Page, block: _Block, rows: Integers, part: Integers) -> None:
        wrong = (page.key[rows] != block.key[part]) | (page.value[rows] != block.value[part])
        if wrong.any():
            self.changed.append(block.rows(part[wrong], page.session, page.first + rows[wrong], Detail.NOT_AS_SENT))

    def _note_places(self, page: Page, block: _Block, rows: Integers, part: Integers) -> None:
        order = np.arange(len(rows))
        # Of several with the same row, one remains; which of them is the first copy is found out in the end.
        self._one[rows] = order
        new = (self._one[rows] == order) & ~page.found[rows]
        if not new.all():
            self._copies.append(block.rows(part[~new], page.session, page.first + rows[~new], Detail.NONE))
            rows, part = rows[new], part[new]
        page.found_partition[rows] = block.partition[part]
        page.found_offset[rows] = block.offset[part]

    def _compare_with_observations(self, block: _Block) -> None:
        for batch, part in block.parts():
            if (batch.topic, batch.partition) in self._observations:
                sessions, sequences = block.session[part], block.sequence[part]
                prints = fingerprints(sessions, sequences, batch.keys, batch.values)
                wrong = self._observations.contradicted(batch.topic, batch.partition, batch.offsets, prints)
                keys = self._pages.keys(sessions[wrong], sequences[wrong])
                sequences = np.where(keys < 0, -1, sequences[wrong])
                rows = block.rows(part.start + wrong, session_indices(keys), sequences, Detail.NOT_AS_SEEN)
                self.changed.append(rows)

    def copies(self) -> Rows:
        """Return every further copy of a record, sorted; afterwards each page has the place of the first.

        The first copy is the one in the lowest partition, and there at the lowest offset: so it does not hang on
        the order in which a reader goes through the partitions.
        """
        further = np.concatenate([make_rows(0), *self._copies])
        every = sorted_rows(np.concatenate([further, *self._firsts_of(further)]))
        first = np.ones(len(every), np.bool_)
        first[1:] = (np.diff(every["session"]) != 0) | (np.diff(every["sequence"]) != 0)
        for page, rows, part in self._by_page(every[first]):
            page.found_partition[rows] = every[first]["partition"][part]
            page.found_offset[rows] = every[first]["offset"][part]
        return every[~first]

    def _firsts_of(self, further: Rows) -> Iterator[Rows]:
        for page, rows, part in self._by_page(further):
            firsts = further[part]
            firsts["partition"] = page.found_partition[rows]
            firsts["offset"] = page.found_offset[rows]
            yield firsts

    def _by_page(self, rows: Rows) -> Iterator[tuple[Page, Integers, Integers]]:
        """Iterate the pages of some rows: the page, the rows in it, and which of them these are."""
        numbers = np.array([book.session for book in self._pages.books], np.int64)[rows["session"]]
        for key, part in grouped(chunk_keys(self._pages.books, numbers, rows["sequence"])):
            page = self._pages.get(key)
            if page is not None:
                yield page, rows["sequence"][part] - page.first, part


def _blocks(reading: Reading) -> Iterator[list[StoredBatch]]:
    """Iterate batches in lists of at least ``BLOCK`` records, so that a small batch costs little."""
    batches: list[StoredBatch] = []
    size = 0
    for batch in reading:
        if len(batch.offsets):
            batches.append(batch)
            size += len(batch.offsets)
        if size >= BLOCK:
            yield batches
            batches, size = [], 0
    if batches:
        yield batches
