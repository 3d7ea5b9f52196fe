"""The verification: reads the log back, compares it with the books, and draws up the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from kafkalab.errors import BrokerFailed, NotRunning, WaitTimeout
from kafkalab.ledger.anomalies import KINDS, Anomalies, Detail, Rows, make_rows, sorted_rows, unique_places
from kafkalab.ledger.finding import Finder
from kafkalab.ledger.missing import Missing, explain_lost
from kafkalab.ledger.observed import Observations
from kafkalab.ledger.order import reordered
from kafkalab.ledger.pages import Page, Pages, Places, positions
from kafkalab.ledger.processing import Effects, Processor
from kafkalab.ledger.recovery import Event, Recovery, recoveries
from kafkalab.ledger.session import Session
from kafkalab.ledger.stored import Log, PartitionBounds, StoredBatch
from kafkalab.ledger.topics import Topics
from kafkalab.ledger.verdict import Verdict

__all__ = ["Account", "check"]

_UNREADABLE = (BrokerFailed, NotRunning, WaitTimeout)
_NAMED = 3


@dataclass(frozen=True)
class Account:
    """All that a ledger was told."""

    topics: Topics = field(default_factory=Topics)
    sessions: list[Session] = field(default_factory=list)
    processors: list[Processor] = field(default_factory=list)
    observations: Observations = field(default_factory=Observations)
    events: list[Event] = field(default_factory=list)


def check(account: Account, log: Log, *, committed: bool, timeout: float) -> Verdict:
    """Return the verdict on an account; see :meth:`kafkalab.ledger.Ledger.verify`."""
    return _Check(account, log, committed=committed, timeout=timeout).verdict()


class _Check:
    """One verification. Its steps add to the anomalies, and to the doubts that keep it from being one."""

    def __init__(self, account: Account, log: Log, *, committed: bool, timeout: float) -> None:
        self._account = account
        self._log = log
        self._committed = committed
        self._timeout = timeout
        self._pages = Pages([session.book for session in account.sessions])
        self._anomalies = Anomalies(
            [session.number for session in account.sessions],
            account.topics.names,
            [processor.name for processor in account.processors],
        )
        self._doubts: list[str] = []

    def verdict(self) -> Verdict:
        """Take every step."""
        account = self._account
        outputs = {processor.output for processor in account.processors if processor.output is not None}
        finder = Finder(self._pages, account.topics, outputs, account.observations)
        bounds = self._read(finder)
        self._anomalies.add("duplicated", finder.copies())
        effects = [self._effects(processor) for processor in account.processors]
        places = Places(self._pages, account.topics, bounds)
        lost = self._sort_missing(places, finder.foreign)
        self._add_lost_and_changed(lost, finder.changed, places)
        self._add_visible()
        self._add_reordered(places)
        for index, each in enumerate(effects):
            self._add_processing(index, each)
        return self._verdict(finder.foreign, recoveries(self._pages, places, account.events))

    def _read(self, finder: Finder) -> Mapping[tuple[str, int], PartitionBounds]:
        topics = self._account.topics.names
        if topics:
            with self._doubting():
                reading = self._log.read_log(topics, committed=self._committed, timeout=self._timeout)
                finder.take(reading)
                self._doubt_unread(reading.bounds)
                return reading.bounds
        return {}

    def _effects(self, processor: Processor) -> Effects:
        if processor.output is None:
            return processor.told
        effects = Effects()
        with self._doubting():
            # What an aborted transaction has written is no effect.
            reading = self._log.read_log([processor.output], committed=True, timeout=self._timeout)
            for batch in reading:
                effects.add(self._pages.books, batch.identities)
            self._doubt_unread(reading.bounds)
            self._doubt_held_up(reading.bounds)
        return effects

    @contextmanager
    def _doubting(self) -> Iterator[None]:
        """Make a doubt of a reader's error: that a log cannot be read says nothing of what it holds."""
        try:
            yield
        except _UNREADABLE as problem:
            self._doubts.append(f"the log could not be read: {problem}")

    def _doubt_unread(self, bounds: Mapping[tuple[str, int], PartitionBounds]) -> None:
        unread = [f"{topic}-{partition}" for (topic, partition), each in sorted(bounds.items()) if not each.reached]
        if unread:
            self._doubts.append(
                f"{len(unread)} of {len(bounds)} partitions not read to the end ({_listed(unread)}); "
                "verify again when every broker is up."
            )

    def _doubt_held_up(self, bounds: Mapping[tuple[str, int], PartitionBounds]) -> None:
        names = [f"{topic}-{partition}" for (topic, partition), each in sorted(bounds.items()) if each.held_up]
        if names:
            self._doubts.append(
                f"a transaction is open in {_listed(names)}, so that its effects do not count yet; verify again when "
                "it has ended."
            )

    def _sort_missing(self, places: Places, foreign: int) -> list[Rows]:
        """Add what is gone by rule; return what is lost unless there is a doubt."""
        # What others wrote replaces records of ours as well.
        others = self._in_compacted_topics(places) if foreign else ()
        missing = Missing(self._pages, places, committed=self._committed, others=others)
        lost, undecided = [], [np.empty(0, np.int64)]
        for page in self._pages:
            rows = missing.of(page)
            self._anomalies.add("expired", page.anomalies(rows["expired"]))
            self._anomalies.add("compacted", page.anomalies(rows["compacted"]))
            lost.append(page.anomalies(rows["lost"]))
            undecided.append(np.unique(places.acknowledged(page, rows["undecided"])))
        self._doubt_undecided([places.name(place, self._account.topics) for place in np.unique(np.hstack(undecided))])
        return lost

    def _in_compacted_topics(self, places: Places) -> Iterator[StoredBatch]:
        """Read the compacted topics once more, without what was aborted: the log cleaner passes that over."""
        names = [self._account.topics.names[code - 1] for code in np.unique(places.topic[places.compacts])]
        with self._doubting():
            reading = self._log.read_log(names, committed=True, timeout=self._timeout)
            yield from reading
            self._doubt_unread(reading.bounds)

    def _doubt_undecided(self, names: Sequence[str]) -> None:
        if names:
            self._doubts.append(
                f"the last stable offset lies below acknowledged records ({_listed(names)}): a transaction is open, or "
                "the log was cut; verify again when it has ended, or with committed=False."
            )

    def _add_lost_and_changed(self, lost: Sequence[Rows], changed: Sequence[Rows], places: Places) -> None:
        slots = explain_lost(lost, self._pages, places)
        rows = unique_places(np.concatenate([make_rows(0), *changed]))
        if not self._doubts:
            for each in lost:
                self._anomalies.add("lost", each)
            # That another record stands where a lost one stood is told with the lost one.
            told = positions(slots, places.slots(rows)) >= 0
            rows = rows[(rows["detail"] != Detail.NOT_AS_SEEN) | ~told]
        self._anomalies.add("changed", sorted_rows(rows))

    def _add_visible(self) -> None:
        for page in self._pages:
            failed = page.failed & page.found
            aborted = page.aborted & page.found & ~failed & self._committed
            self._anomalies.add("failed_visible", page.anomalies(np.flatnonzero(failed)))
            self._anomalies.add("aborted_visible", page.anomalies(np.flatnonzero(aborted)))

    def _add_reordered(self, places: Places) -> None:
        for pages in self._pages.by_session():
            for rows in reversed(list(reordered(pages, places))):
                self._anomalies.add("reordered", rows)

    def _add_processing(self, index: int, effects: Effects) -> None:
        inputs = [self._account.topics.find(topic) for topic in self._account.processors[index].topics]
        detail = len(Detail) + index
        for page in self._pages:
            mine = page.sent & np.isin(page.topic, inputs)
            counts = np.where(mine, effects.of(page), 0)
            twice = np.flatnonzero(counts > 1)
            self._anomalies.add("processed_twice", page.anomalies(np.repeat(twice, counts[twice] - 1), detail))
            if not self._doubts:
                due = mine & page.acknowledged & page.found & ~page.aborted
                self._anomalies.add("unprocessed", page.anomalies(np.flatnonzero(due & (counts == 0)), detail))

    def _verdict(self, foreign: int, recovered: tuple[Recovery, ...]) -> Verdict:
        sent, acknowledged, failed, stored = (
            sum(int(np.count_nonzero(flags(page))) for page in self._pages) for flags in _COUNTED
        )
        return Verdict(
            sent=sent,
            acknowledged=acknowledged,
            failed=failed,
            unknown=sent - acknowledged - failed,
            stored=stored,
            foreign=foreign,
            unknown_missing=self._unknown_missing(),
            reason=" ".join(self._doubts),
            failures=dict(sum((session.reasons for session in self._account.sessions), Counter())),
            recoveries=recovered,
            anomalies=self._anomalies,
            **{kind: self._anomalies.count(kind) for kind in KINDS},
        )

    def _unknown_missing(self) -> int:
        if self._doubts:
            return 0
        return sum(int(np.count_nonzero(page.unknown & ~page.found & ~page.aborted)) for page in self._pages)


def _listed(names: Sequence[str]) -> str:
    return ", ".join([*names[:_NAMED], *(["..."] if len(names) > _NAMED else [])])


_COUNTED: tuple[Callable[[Page], npt.NDArray[np.bool_]], ...] = (
    lambda page: page.sent,
    lambda page: page.acknowledged,
    lambda page: page.failed,
    lambda page: page.found,
)
