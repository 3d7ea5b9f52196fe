"""An application at work: what it was given, what it decided, and how far it is; still without Kafka."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from kafkalab.apps.application import Application
from kafkalab.apps.fingerprint import Fingerprint
from kafkalab.apps.merge import END_OF_TIME, Input, Received
from kafkalab.apps.output import Output
from kafkalab.apps.promises import Promises
from kafkalab.apps.task import Task
from kafkalab.simulation.source import Record

__all__ = ["Working"]


class Working:
    """Runs a task over all its partitions, from offsets to offsets, and keeps account of it.

    With ``ordered`` a partition's own records tell how far its time is, and a promise does where it gets none. Else
    several producers race, and promises alone count: what is out of order is sorted, however far, so that the decisions
    are the same as with one producer.

    Args:
        task: what runs.
        starts: of each topic and partition the first offset to read.
        derived: those topics that one application writes, so that their partitions are in order in any case.
        ordered: whether one producer writes the partitions of the other topics.
        clock: seconds.
    """

    def __init__(
        self,
        task: type[Task],
        starts: Mapping[Input, int],
        derived: Collection[str] = (),
        *,
        ordered: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        numbers: dict[str, list[int]] = defaultdict(list)
        for topic, partition in starts:
            numbers[topic].append(partition)
        self._application = Application(task, numbers, 0 if ordered else END_OF_TIME)
        self._starts = starts
        self._in_order = frozenset() if ordered else frozenset(derived)
        self._clock = clock
        self._promises = Promises()
        self._fingerprint = Fingerprint()
        self._decisions: Counter[str] = Counter()
        self._counts = [0] * len(starts)
        self._steps: list[tuple[int, int, float]] = []

    def promise(self, time_ms: int, ends: Iterable[tuple[str, int, int]]) -> None:
        """Take a promise, see :meth:`kafkalab.apps.promises.Promises.add`; it counts from the next records on."""
        self._promises.add(time_ms, ends)

    def take(self, records: list[Received]) -> list[Record]:
        """Work on the next records, those of a partition in its order; return what is to be sent."""
        outputs = self._application.process(records) if records else []
        promises = [*self._promises.due(self.reached), *self._own_promises(records)]
        outputs += [output for promise in promises for output in self._application.advance(*promise)]
        return self._noted(outputs)

    def _own_promises(self, records: Iterable[Received]) -> Iterable[tuple[str, int, int]]:
        if not self._in_order:
            return []
        newest = {(each.topic, each.partition): each.timestamp_ms for each in records if each.topic in self._in_order}
        return [(*given, time_ms) for given, time_ms in newest.items()]

    def finish(self) -> list[Record]:
        """Take it that nothing comes any more; return what is still to be sent."""
        return self._noted(self._application.finish())

    def _noted(self, outputs: list[Output]) -> list[Record]:
        at = self._clock()
        for index, (_, count) in enumerate(map(self._application.progress().__getitem__, self._starts)):
            if count != self._counts[index]:
                self._counts[index] = count
                self._steps.append((index, count, at))
        self._fingerprint.add(outputs)
        self._decisions.update(type(output).__name__ for output in outputs)
        return [output.record() for output in outputs if output.topic is not None]

    @property
    def reached(self) -> dict[Input, int]:
        """Of each topic and partition the offset to be read next."""
        progress = self._application.progress()
        return {given: max(start, progress[given][0]) for given, start in self._starts.items()}

    @property
    def processed(self) -> dict[Input, int]:
        """Of each topic and partition how many records were worked on."""
        return {given: count for given, (_, count) in self._application.progress().items()}

    def positions(self) -> dict[Input, int]:
        """Return of each topic and partition the offset to commit."""
        positions = self._application.positions()
        return {given: max(start, positions[given]) for given, start in self._starts.items()}

    def report(self) -> dict[str, Any]:
        """Return what is new, JSON-able.

        Keys: ``steps`` since the last report, each the place of an input among ``starts``, how many of its records were
        worked on, and when; ``read``, the number of records; ``decisions``, how many outputs of each kind;
        ``fingerprint``; and those of :attr:`Application.counts <kafkalab.apps.application.Application.counts>`.
        """
        steps, self._steps = self._steps, []
        return {
            "steps": steps,
            "read": sum(self.reached.values()) - sum(self._starts.values()),
            "decisions": dict(self._decisions),
            "fingerprint": str(self._fingerprint),
            **self._application.counts,
        }
