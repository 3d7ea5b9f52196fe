"""The books as they stood when a verification began, and beside each record where a reader found it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from kafkalab.ledger.anomalies import Rows, make_rows
from kafkalab.ledger.book import CHUNK, Book, Outcome, chunk_keys
from kafkalab.ledger.stored import PartitionBounds
from kafkalab.ledger.topics import Topics

__all__ = ["Page", "Pages", "Places", "positions"]

Flags = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]
_CHECKSUM_BITS = 32
_OFFSET_BITS = 44


class Page:
    """One chunk of a book; what was sent or settled after the page was made does not count.

    Attributes:
        chunk_key: the key of its chunk.
        session: the index of its session, in the order of opening.
        first: the sequence number of its first row.
        key, value, tombstone, sent_at, partition, offset, settled_at, aborted: as in the chunk.
        topic, outcome: as they were when the page was made.
        found_partition: int32, of the first copy that was found; -1 where none was.
        found_offset: int64, of that copy.
    """

    def __init__(self, book: Book, chunk_key: int, session: int, number: int) -> None:
        chunk = book.chunks[number]
        rows = min(CHUNK, book.rows - number * CHUNK)
        self.chunk_key = chunk_key
        self.session = session
        self.first = number * CHUNK
        # First, and copied: the other columns of a row are written before its outcome.
        self.outcome = chunk.outcome[:rows].copy()
        self.topic = chunk.topic[:rows].copy()
        self.key = chunk.key[:rows]
        self.value = chunk.value[:rows]
        self.tombstone = chunk.tombstone[:rows]
        self.sent_at = chunk.sent_at[:rows]
        self.partition = chunk.partition[:rows]
        self.offset = chunk.offset[:rows]
        self.settled_at = chunk.settled_at[:rows]
        self.aborted = chunk.aborted[:rows]
        self.found_partition = np.full(rows, -1, np.int32)
        self.found_offset = np.full(rows, -1, np.int64)

    def __len__(self) -> int:
        return len(self.topic)

    @property
    def sent(self) -> Flags:
        """Which records were sent; the others were only reserved."""
        sent: Flags = self.topic > 0
        return sent

    @property
    def acknowledged(self) -> Flags:
        """Which records were sent and acknowledged."""
        return self._ended(Outcome.ACKNOWLEDGED)

    @property
    def failed(self) -> Flags:
        """Which records were sent and certainly not written."""
        return self._ended(Outcome.FAILED)

    @property
    def unknown(self) -> Flags:
        """Which records were sent, and neither acknowledged nor failed."""
        return self._ended(Outcome.UNKNOWN)

    def _ended(self, outcome: Outcome) -> Flags:
        flags: Flags = self.sent & (self.outcome == outcome)
        return flags

    @property
    def found(self) -> Flags:
        """Which records a reader found."""
        found: Flags = self.found_partition >= 0
        return found

    def anomalies(self, rows: Integers, detail: int = 0) -> Rows:
        """Return some of its records, where they were found, or else acknowledged; -1 for a place that is not known."""
        found, acknowledged = self.found[rows], self.acknowledged[rows]
        partition = np.where(acknowledged, self.partition[rows], -1)
        offset = np.where(acknowledged, self.offset[rows], -1)
        return make_rows(
            len(rows),
            session=self.session,
            sequence=self.first + rows,
            topic=self.topic[rows],
            partition=np.where(found, self.found_partition[rows], partition),
            offset=np.where(found, self.found_offset[rows], offset),
            detail=detail,
        )


class Pages:
    """Every page of some books."""

    def __init__(self, books: Sequence[Book]) -> None:
        self.books = list(books)
        self._pages: dict[int, Page] = {}
        for session, book in enumerate(self.books):
            firsts = np.arange(0, book.rows, CHUNK)
            keys = self.keys(np.full(len(firsts), book.session), firsts)
            for number, key in enumerate(keys.tolist()):
                self._pages[key] = Page(book, key, session, number)

    def __iter__(self) -> Iterator[Page]:
        """Iterate in the order of sessions and sequence numbers."""
        return iter(self._pages.values())

    def by_session(self) -> Iterator[list[Page]]:
        """Iterate each session's pages."""
        for session in range(len(self.books)):
            yield [page for page in self if page.session == session]

    def keys(self, sessions: Integers, sequences: Integers) -> Integers:
        """Return a key of each record's page; -1 where it has none."""
        return chunk_keys(self.books, sessions, sequences)

    def get(self, key: int) -> Page | None:
        """Return the page of a key; None where it was begun only after this verification."""
        return self._pages.get(key)


class Places:
    """Every partition that is known of, by an index of its own, and what a reader said of it.

    Attributes:
        topic: int64, the topic's code of each place.
        partition: int64.
        present: bool, the reader found the partition to be there.
        start, end: int64, its bounds; 0 where it is not there.
        reached: bool, read to its end; what is not there counts as read.
        compacts: bool.
    """

    def __init__(self, pages: Pages, topics: Topics, bounds: Mapping[tuple[str, int], PartitionBounds]) -> None:
        known = {(topics.find(topic), partition): each for (topic, partition), each in bounds.items()}
        self._topics = topics
        sizes = _partition_counts(pages, len(topics.names), known)
        self._base = np.cumsum(sizes) - sizes
        self.topic = np.repeat(np.arange(len(sizes)), sizes)
        self.partition = np.arange(len(self.topic)) - self._base[self.topic]
        self.present = np.zeros(len(self.topic), np.bool_)
        self.start, self.end = np.zeros((2, len(self.topic)), np.int64)
        self.reached = np.ones(len(self.topic), np.bool_)
        self.compacts = np.zeros(len(self.topic), np.bool_)
        for (topic, partition), each in known.items():
            place = self._base[topic] + partition
            self.present[place] = True
            self.start[place], self.end[place] = each.start, each.end
            self.reached[place], self.compacts[place] = each.reached, each.compacts

    def __len__(self) -> int:
        return len(self.topic)

    def index(self, topics: npt.NDArray[np.uint16], partitions: npt.NDArray[np.int32]) -> Integers:
        """Return the place of each partition."""
        places: Integers = self._base[topics] + partitions
        return places

    def of(self, topic: str, partition: int) -> int | None:
        """Return the place of a partition, None where it is not known."""
        first = np.flatnonzero((self.topic == self._topics.find(topic)) & (self.partition == partition))
        return int(first[0]) if len(first) else None

    def found(self, page: Page, rows: Integers) -> Integers:
        """Return the places where records of a page were found."""
        return self.index(page.topic[rows], page.found_partition[rows])

    def acknowledged(self, page: Page, rows: Integers) -> Integers:
        """Return the places where records of a page were acknowledged."""
        return self.index(page.topic[rows], page.partition[rows])

    def name(self, place: int, topics: Topics) -> str:
        """Return ``topic-partition``."""
        return f"{topics.names[self.topic[place] - 1]}-{self.partition[place]}"

    @staticmethod
    def with_keys(places: Integers, keys: npt.NDArray[np.uint32]) -> Integers:
        """Return one number for each place and key."""
        return (places << _CHECKSUM_BITS) | keys

    @staticmethod
    def without_keys(numbers: Integers) -> tuple[Integers, npt.NDArray[np.uint32]]:
        """Return the places and the keys that :meth:`with_keys` made numbers of."""
        return numbers >> _CHECKSUM_BITS, numbers.astype(np.uint32)

    @staticmethod
    def with_offsets(places: Integers, offsets: Integers) -> Integers:
        """Return one number for each place and offset."""
        return (places << _OFFSET_BITS) | offsets

    def slots(self, rows: Rows) -> Integers:
        """Return one number for the place and offset of each row."""
        return self.with_offsets(self.index(rows["topic"], rows["partition"]), rows["offset"])


def positions(known: Integers, values: Integers) -> Integers:
    """Return the index of each value among ``known`` (ascending), -1 where it is not there."""
    if not len(known):
        return np.full(len(values), -1, np.int64)
    at = np.searchsorted(known, values).clip(max=len(known) - 1)
    return np.where(known[at] == values, at, -1)


def _partition_counts(pages: Pages, topics: int, bounds: Mapping[tuple[int, int], PartitionBounds]) -> Integers:
    counts = np.zeros(topics + 1, np.int64)
    for page in pages:
        np.maximum.at(counts, page.topic, np.maximum(page.partition, page.found_partition) + 1)
    for topic, partition in bounds:
        counts[topic] = max(counts[topic], partition + 1)
    return counts
