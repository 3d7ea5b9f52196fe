"""Partitions merged by event time: one order of records, however their partitions happened to interleave.

A consumer sees the records of each partition in order, and partitions in any order: a broker that dies holds up its
own and lets the others flow. An application that decided on records as they come would decide otherwise on each run.
Here a record waits until every input has passed its time. This is how Kafka Streams chooses the next record of a task
(stream time and ``max.task.idle.ms``, KIP-353 and KIP-695) and how Flink aligns watermarks ("Timely Stream
Processing": the watermark of an operator is the least of its inputs'; Akidau et al., "The Dataflow Model", 2015).

**What waiting costs.** Nothing is decided before the slowest input has spoken: while a partition stalls, the records
of the others are kept in memory; a sparse topic, as news, holds up a busy one until its next record, an hour perhaps;
an input that is always empty, as a partition that no key falls into, holds up all until its end. Three answers, used
here together:

- wait for as little as possible: topics with the same key and the same number of partitions are co-partitioned, so
  that a join waits for the partition of the same number only, see :class:`~kafkalab.apps.task.Task`;
- let who knows promise: :meth:`Merge.advance` says that an input has nothing before a time any more;
- at the end of the input, promise the end of time, and all that is kept comes out.

Waiting for some seconds of real time and then going on without the silent input (Flink's ``withIdleness``, Kafka
Streams' ``max.task.idle.ms``) would keep delays short, but decisions would hang on the wall clock: not offered.

**Several producers to one partition** race, so that its order differs between runs. With ``disorder_ms`` the merge
sorts what is out of order by no more than that (Flink's "bounded out-of-orderness"), at the price of as much delay.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from heapq import heappop, heappush
from typing import Any, NamedTuple

from kafkalab.errors import InvalidArgument

__all__ = ["END_OF_TIME", "Input", "Merge", "Received"]

#: Milliseconds; a promise of it is the end of an input.
END_OF_TIME = 2**62
_BEFORE_TIME = -1
Input = tuple[str, int]


class Received(NamedTuple):
    """A record as a consumer got it, its value decoded.

    Attributes:
        topic: its name without any prefix.
        partition: its number.
        offset: its offset there.
        key: decoded, or None.
        value: the decoded JSON object.
        timestamp_ms: of the record, milliseconds since 1970.
    """

    topic: str
    partition: int
    offset: int
    key: str | None
    value: Mapping[str, Any]
    timestamp_ms: int


class _Lane:
    """What is known of one input.

    Attributes:
        given: how many records were given out.
        received: the highest offset that was added.
        newest: the latest time that was added, in milliseconds.
        promised: nothing earlier comes any more.
        done: offsets above ``received`` that were merged before a restart.
    """

    __slots__ = ("done", "given", "newest", "promised", "received")

    def __init__(self) -> None:
        self.given = 0
        self.received = -1
        self.newest = self.promised = _BEFORE_TIME
        self.done: set[int] = set()


class Merge:
    """Merges inputs by event time.

    The order is by time, topic, key, partition and offset: it hangs on the records alone. A record is given out when
    every input is known to have none before it; one that comes again, by partition and offset, is skipped.

    Args:
        inputs: topic and partition of each; all are waited for.
        disorder_ms: records out of order by no more than this are sorted. One that is later still is given out, too,
            at the earliest time that is left, and counted.

    Attributes:
        late: records given out after their time, which several producers to one partition may bring about.
        redelivered: records skipped, since they had been received before.
    """

    def __init__(self, inputs: Iterable[Input], disorder_ms: int = 0) -> None:
        self._lanes = {given: _Lane() for given in inputs}
        self._disorder = disorder_ms
        self._kept: list[tuple[int, str, str, int, int, int, Received, _Lane]] = []  # a heap
        self.late = 0
        self.redelivered = 0

    def add(self, records: Iterable[Received]) -> None:
        """Take records, those of a partition in its order.

        Raises:
            InvalidArgument: one is of a partition that is no input.
        """
        kept, disorder = self._kept, self._disorder
        for record in records:
            topic, partition, offset, key, _, time = record
            lane = self._lane((topic, partition))
            if offset <= lane.received:
                self.redelivered += 1
                continue
            lane.received = offset
            before = lane.newest
            if time > before:
                lane.newest = time
            if lane.done and offset in lane.done:
                lane.done.discard(offset)
                continue
            effective = max(time, before - disorder, lane.promised)
            heappush(kept, (effective, topic, key or "", partition, offset, before, record, lane))

    def _lane(self, given: Input) -> _Lane:
        try:
            return self._lanes[given]
        except KeyError:
            known = ", ".join(f"{topic}-{partition}" for topic, partition in sorted(self._lanes))
            raise InvalidArgument(
                f"a record of {given[0]}-{given[1]} came, which is no input: name it at the start, beside {known}."
            ) from None

    def advance(self, topic: str, partition: int, time_ms: int) -> None:
        """Promise that this input has nothing before ``time_ms`` beyond what was added.

        The promise is the caller's, who may know it from the producer, and is not part of :meth:`state`.

        Raises:
            InvalidArgument: it is no input.
        """
        lane = self._lane((topic, partition))
        lane.promised = max(lane.promised, time_ms)

    def finish(self) -> None:
        """Promise the end of every input."""
        for topic, partition in self._lanes:
            self.advance(topic, partition, END_OF_TIME)

    @property
    def watermark(self) -> int:
        """Milliseconds: every record before this was given out or can be; the least of the inputs'."""
        return min(max(lane.newest - self._disorder, lane.promised) for lane in self._lanes.values())

    def ready(self) -> list[tuple[int, Received]]:
        """Give out all records before the watermark, in order, each with its time in that order.

        That time never goes back; it is the record's own but for those counted in ``late``.
        """
        kept, watermark = self._kept, self.watermark
        given = []
        while kept and kept[0][0] < watermark:
            entry = heappop(kept)
            given.append((entry[0], entry[6]))
            entry[7].given += 1
            self.late += entry[0] > entry[6].timestamp_ms
        return given

    def progress(self) -> dict[Input, tuple[int, int]]:
        """Return for each input the offset behind the last record that was added, and how many were given out."""
        return {given: (lane.received + 1, lane.given) for given, lane in self._lanes.items()}

    def positions(self) -> dict[Input, int]:
        """Return for each input the offset to go on from after a crash: of the first record not yet given out."""
        return {given: offset for given, (offset, _, _) in self._progress().items()}

    def _progress(self) -> dict[Input, tuple[int, int, list[int]]]:
        """Return the position of each input, the newest time before it, and offsets behind it that are done."""
        waiting: dict[Input, dict[int, int]] = defaultdict(dict)
        for _, topic, _, partition, offset, before, *_ in self._kept:
            waiting[topic, partition][offset] = before
        return {given: _progress(lane, waiting[given]) for given, lane in self._lanes.items()}

    def state(self) -> dict[str, Any]:
        """Return what :meth:`restore` needs, JSON-able: positions and times, but no records; those are read again."""
        lanes = [[*given, *progress] for given, progress in self._progress().items()]
        return {"lanes": lanes, "late": self.late}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state; each input is to be read from its position, or from anywhere before it.

        Raises:
            InvalidArgument: the state is of other inputs.
        """
        if {(topic, partition) for topic, partition, *_ in state["lanes"]} != set(self._lanes):
            raise InvalidArgument(
                f"this state is of other inputs than {sorted(self._lanes)}: restore it with the partitions it was "
                "taken with."
            )
        self._kept.clear()
        self.late = state["late"]
        for topic, partition, position, newest, done in state["lanes"]:
            lane = self._lanes[topic, partition] = _Lane()
            lane.received, lane.newest, lane.done = position - 1, newest, set(done)


def _progress(lane: _Lane, waiting: Mapping[int, int]) -> tuple[int, int, list[int]]:
    if not waiting:
        return lane.received + 1, lane.newest, sorted(lane.done)
    position = min(waiting)
    done = set(range(position, lane.received + 1)) - waiting.keys() | lane.done
    return position, waiting[position], sorted(done)
