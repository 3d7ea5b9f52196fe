"""Reading topics back from their log start to their end: quickly, in no group, and never cut short by an idle time-out.

The reader is confluent-kafka's, whose library checks the CRC of every batch and reads ahead in threads of its own.
That library tells when it has come to the end of a partition (``enable.partition.eof``), also where the last offsets
hold no record: markers of transactions, aborted records, or records that compaction took away.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from itertools import groupby
from operator import methodcaller
from typing import Any, TypeVar

import numpy as np
from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, OffsetSpec, ResourceType

from kafkalab.clusters.clientlog import CLIENT_LOGGER
from kafkalab.errors import WaitTimeout
from kafkalab.ledger.book import checksums
from kafkalab.ledger.identity import HEADER
from kafkalab.ledger.stored import PartitionBounds, StoredBatch
from kafkalab.waiting import wait_until

__all__ = ["LOGGER", "QUICK_RECONNECT", "TopicReading"]

T = TypeVar("T")
_Partition = tuple[str, int]

#: confluent-kafka's counterpart of kafka-python's settings in :mod:`kafkalab.clusters.admin`.
QUICK_RECONNECT: dict[str, Any] = {
    "reconnect.backoff.ms": 20,
    "reconnect.backoff.max.ms": 200,
    "retry.backoff.ms": 50,
    "topic.metadata.refresh.interval.ms": 1000,
    "topic.metadata.refresh.fast.interval.ms": 50,
    "socket.connection.setup.timeout.ms": 2000,
    "allow.auto.create.topics": False,
}
_READER = {
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "earliest",  # where retention overtakes the reader, it goes on at the new log start
    "check.crcs": True,
    "fetch.wait.max.ms": 100,
    "fetch.queue.backoff.ms": 5,  # the default, a second, leaves a quick reader waiting: 140,000 instead of 590,000/s
    "fetch.error.backoff.ms": 50,
    "socket.timeout.ms": 5000,  # a paused broker never answers
}
_ISOLATION = {
    False: ("read_uncommitted", IsolationLevel.READ_UNCOMMITTED),
    True: ("read_committed", IsolationLevel.READ_COMMITTED),
}
#: Where confluent-kafka logs; without one the library writes to file descriptor 2, and so into a notebook.
LOGGER = logging.getLogger(f"{CLIENT_LOGGER}.confluent")
_MESSAGES = 5000
_POLL_SECONDS = 0.2
_REQUEST_SECONDS = 2.0
_MARKER_SECONDS = 2.0
_topic_and_partition = methodcaller("topic"), methodcaller("partition")


class TopicReading:
    """One pass over topics (a :class:`kafkalab.ledger.Reading`): iterate it once, then look at :attr:`bounds`.

    Args:
        config: confluent-kafka's settings that reach the cluster.
        topics: their names.
        group: the library wants the name of a group; what is assigned by hand joins none and commits nothing.
        committed: leave out what transactions wrote that were aborted or are open.
        timeout: seconds without any progress after which the partitions that are left count as not reached.
        leaders_ends: returns log end and high watermark of each partition's leader. Records between the two, as
            after acks=1, are shown to nobody yet: they are waited for, and where they stay hidden the partition
            counts as not reached.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        topics: Sequence[str],
        *,
        group: str,
        committed: bool,
        timeout: float,
        leaders_ends: Callable[[], Mapping[_Partition, tuple[int, int] | None]],
    ) -> None:
        self._config = {**config, **QUICK_RECONNECT}
        self._topics = list(dict.fromkeys(topics))
        self._group = group
        self._isolation, self._level = _ISOLATION[committed]
        self._timeout = timeout
        self._leaders_ends = leaders_ends
        self._bounds: dict[_Partition, PartitionBounds] = {}

    @property
    def bounds(self) -> Mapping[_Partition, PartitionBounds]:
        """Of every partition of the topics; complete when the iteration has ended, empty where nobody answered."""
        return self._bounds

    def __iter__(self) -> Iterator[StoredBatch]:
        """Yield batches, each of one partition.

        Raises:
            WaitTimeout: nobody told where the partitions begin and end within ``timeout`` seconds.
        """
        admin = AdminClient(self._config, logger=LOGGER)
        compacts = self._asked(lambda: self._compacting(admin), "the topics' settings")
        partitions = self._asked(lambda: self._partitions(admin, list(compacts)), "the topics' partitions")
        hidden = self._still_hidden()
        starts = self._listed(admin, partitions, OffsetSpec.earliest())
        held_up = self._still_held_up(admin, list(starts))
        ends = self._listed(admin, list(starts), OffsetSpec.latest())
        left = {key: end for key, end in ends.items() if end > starts[key]}
        yield from self._read({key: starts[key] for key in left}, left)
        # Retention may have moved the log starts meanwhile; where there is no leader now, what was so before stands.
        starts |= self._list(admin, list(ends), OffsetSpec.earliest())
        reached = ends.keys() - left.keys() - hidden
        self._bounds = {
            key: PartitionBounds(starts.get(key, 0), ends.get(key, 0), key in reached, compacts[key[0]], key in held_up)
            for key in partitions
        }

    # ---- reading ----------------------------------------------------------------------------------------------

    def _read(self, starts: Mapping[_Partition, int], left: dict[_Partition, int]) -> Iterator[StoredBatch]:
        """Read until nothing is ``left``: a partition is taken out when its end is reached."""
        if not left:
            return
        settings = {**_READER, "group.id": self._group, "isolation.level": self._isolation}
        consumer = Consumer({**self._config, **settings}, logger=LOGGER)
        try:
            consumer.assign([TopicPartition(*key, start) for key, start in starts.items()])
            progress = time.monotonic()
            while left and time.monotonic() - progress < self._timeout:
                messages = consumer.consume(_MESSAGES, _POLL_SECONDS)
                for batch, position in _batches(messages, left):
                    if batch is not None:
                        yield batch
                    _note(consumer, left, position)
                if messages:
                    progress = time.monotonic()  # after the yield: the time the caller takes is not the cluster's
        finally:
            consumer.close()

    def _still_hidden(self) -> set[_Partition]:
        """Wait until what is in the logs now is shown to readers, and return where it is not."""
        first: dict[_Partition, int] = {}

        def hidden() -> set[_Partition]:
            told = self._leaders_ends()
            # A new leader's log may be shorter than that of the one before.
            return {
                place
                for place, ends in told.items()
                if ends is None or ends[1] < min(ends[0], first.setdefault(place, ends[0]))
            }

        return _left_of(hidden, "the high watermarks", self._timeout)

    def _still_held_up(self, admin: Any, partitions: Sequence[_Partition]) -> set[_Partition]:
        """Wait a little until no transaction is open, for what is shown to readers now; return where one is."""
        if self._level == IsolationLevel.READ_UNCOMMITTED:
            return set()

        def held_up() -> set[_Partition]:
            told = self._leaders_ends()
            stable = self._list(admin, partitions, OffsetSpec.latest())
            return {place for place, end in stable.items() if (ends := told.get(place)) and end < ends[1]}

        # A transaction that was ended is open until its markers are written.
        return _left_of(held_up, "open transactions", _MARKER_SECONDS)

    # ---- what the cluster is asked ----------------------------------------------------------------------------

    def _asked(self, question: Callable[[], T], what: str) -> T:
        return wait_until(
            question, lambda _: True, what=what, timeout=self._timeout, every=0.05, retry_on=(KafkaException,)
        )

    def _compacting(self, admin: Any) -> dict[str, bool]:
        """Return, of the topics that are there, whether their cleanup policy has compaction."""
        asked = {ConfigResource(ResourceType.TOPIC, topic): topic for topic in self._topics}
        if not asked:
            return {}
        futures = admin.describe_configs(list(asked), request_timeout=_REQUEST_SECONDS)
        settings = {asked[resource]: _unless_unknown(future) for resource, future in futures.items()}
        return {
            topic: "compact" in found["cleanup.policy"].value for topic, found in settings.items() if found is not None
        }

    @staticmethod
    def _partitions(admin: Any, topics: Sequence[str]) -> list[_Partition]:
        described = admin.list_topics(timeout=_REQUEST_SECONDS).topics
        return [(topic, number) for topic in topics if topic in described for number in described[topic].partitions]

    def _listed(self, admin: Any, partitions: Sequence[_Partition], spec: Any) -> dict[_Partition, int]:
        """Return an offset of each partition, except those that had no leader until the deadline."""
        try:
            return wait_until(
                lambda: self._list(admin, partitions, spec),
                lambda offsets: len(offsets) == len(partitions),
                what="the offsets of all partitions",
                timeout=self._timeout,
            )
        except WaitTimeout as error:
            return error.last if isinstance(error.last, dict) else {}

    def _list(self, admin: Any, partitions: Sequence[_Partition], spec: Any) -> dict[_Partition, int]:
        if not partitions:
            return {}
        futures = admin.list_offsets(
            {TopicPartition(*key): spec for key in partitions},
            isolation_level=self._level,
            request_timeout=_REQUEST_SECONDS,
        )
        answered = {tp: future for tp, future in futures.items() if future.exception() is None}
        return {(tp.topic, tp.partition): future.result().offset for tp, future in answered.items()}


def _left_of(look: Callable[[], set[_Partition]], what: str, timeout: float) -> set[_Partition]:
    """Wait until ``look`` returns no partition, and return those that are left at the deadline."""
    try:
        return wait_until(look, lambda places: not places, what=what, timeout=timeout)
    except WaitTimeout as error:
        return error.last if isinstance(error.last, set) else set()


def _unless_unknown(future: Future[T]) -> T | None:
    try:
        return future.result()
    except KafkaException as error:
        if error.args[0].code() in {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC}:  # noqa: SLF001
            return None
        raise


def _batches(
    messages: Sequence[Any], left: Mapping[_Partition, int]
) -> Iterator[tuple[StoredBatch | None, tuple[_Partition, int]]]:
    """Yield each run of one partition as a batch, if it has one, and the position behind it."""
    topic, partition = _topic_and_partition
    for number, same_number in groupby(messages, partition):
        for name, run in groupby(same_number, topic):
            key = (name, number)
            if key in left:
                yield _batch(key, list(run), left[key])


def _batch(key: _Partition, run: list[Any], end: int) -> tuple[StoredBatch | None, tuple[_Partition, int]]:
    events = [message for message in run if message.error() is not None]
    records = [message for message in run if message.error() is None] if events else run
    offsets = np.array([message.offset() for message in records], np.int64)
    # The event at the end of a partition tells the position, too.
    position = max([int(offsets[-1]) + 1 if records else 0, *(event.offset() for event in events if _is_end(event))])
    count = int(np.searchsorted(offsets, end))  # what was written since the end was asked for is not read
    return (_stored(key, offsets[:count], records[:count]) if count else None), (key, position)


def _is_end(message: Any) -> bool:
    return bool(message.error().code() == KafkaError._PARTITION_EOF)  # noqa: SLF001


def _stored(key: _Partition, offsets: Any, records: Sequence[Any]) -> StoredBatch:
    headers = [message.headers() for message in records]
    return StoredBatch(
        *key,
        offsets,
        # Ours is mostly the first; a call for each record would cost more than all of this.
        [found[0][1] if found and found[0][0] == HEADER else _identity(found) for found in headers],
        checksums([message.key() for message in records]),
        checksums([message.value() for message in records]),
    )


def _identity(headers: list[tuple[str, bytes | None]] | None) -> bytes | None:
    for name, value in headers or ():
        if name == HEADER:
            return value
    return None


def _note(consumer: Any, left: dict[_Partition, int], position: tuple[_Partition, int]) -> None:
    key, reached = position
    if reached >= left[key]:
        del left[key]
        consumer.incremental_unassign([TopicPartition(*key)])
