"""What a cluster shows of its log: the files on disk, the batches in them, the records of a topic."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any

import pandas as pd

from kafkalab.clusters import messages, storage
from kafkalab.clusters.lodging import READERS
from kafkalab.clusters.views import Views
from kafkalab.errors import InvalidArgument

__all__ = ["LogViews"]


class LogViews(Views):
    """The tables of a :class:`~kafkalab.clusters.cluster.Cluster` that need more than an admin client."""

    @abstractmethod
    def client_config(self, library: str = "kafka-python") -> dict[str, Any]:
        """Return what a client needs to reach this cluster."""

    def segments(self, topic: str) -> pd.DataFrame:
        """Return one row per file on disk: topic, partition, broker, base_offset, active, file, kind, bytes.

        Files are there whether their broker runs or not. ``active`` marks the segment that is written to, ``kind`` is
        the end of the file's name; see :func:`kafkalab.clusters.storage.segments`.

        Raises:
            InvalidArgument: there are no files of such a topic.
            UnsupportedByBackend: the cluster is borrowed.
        """
        brokers = [node.id for node in self._backend.nodes if node.is_broker]
        return storage.segments({broker: self._backend.data_folder(broker) for broker in brokers}, topic)

    #: The name Kafka's documentation would give it.
    log_segments = segments

    def batches(
        self, topic: str, partition: int = 0, broker: int | None = None, *, timestamps: bool = False
    ) -> pd.DataFrame:
        """Return one row per record batch on one broker's disk, in the order of the log.

        Columns: segment, position, base_offset, last_offset, records, bytes, compression, leader_epoch, idempotent,
        transactional, control; see :func:`kafkalab.clusters.storage.batches`. What the broker has received is there
        although it was killed or is paused: the last ``last_offset`` plus 1 is its log end.

        Args:
            topic: its name.
            partition: its number.
            broker: whose disk; by default the leader's.
            timestamps: show first_timestamp and max_timestamp (ms) as well.

        Raises:
            InvalidArgument: there is no such broker, or it has no files of such a partition.
            UnsupportedByBackend: the cluster is borrowed.
        """
        return storage.batches(self._folder(topic, partition, broker), topic, partition, timestamps=timestamps)

    def log(self, topic: str, partition: int = 0, broker: int | None = None) -> pd.DataFrame:
        """Return one row per segment of a partition's log: segment, end, batches, records, bytes, active.

        ``segment`` is its base offset and ``end`` the offset behind it; a segment that compaction emptied has none of
        the rest. What :func:`kafkalab.observe.plots.segment_map` draws.

        Args:
            topic: its name.
            partition: its number.
            broker: whose disk; by default the leader's.

        Raises:
            InvalidArgument: there is no such broker, or it has no files of such a partition.
            UnsupportedByBackend: the cluster is borrowed.
        """
        return storage.log(self._folder(topic, partition, broker), topic, partition)

    def messages(
        self,
        topic: str,
        partition: int | None = None,
        *,
        limit: int = 1000,
        start: int = 0,
        committed: bool = False,
        timestamps: bool = False,
        timeout: float = 30.0,
    ) -> pd.DataFrame:
        """Return one row per record: partition, offset, key, value, headers; reads to the end, and never waits there.

        Args:
            topic: its name.
            partition: its number; by default all.
            limit: at most so many records of each partition.
            start: the first offset that is wanted, in each partition.
            committed: leave out records of transactions that were aborted or are open (read_committed).
            timestamps: show the time of each record (ms) as well.
            timeout: seconds until everything has to be read.

        Raises:
            InvalidArgument: there is no such topic or partition, or a number that is not possible.
            WaitTimeout: some partition could not be read in time: it has no leader, or its leader is paused.
        """
        messages.check_bounds(limit, start)
        numbers = self._numbers(topic) if partition is None else [self._checked(topic, partition)]
        return messages.read(
            self.client_config("confluent-kafka"),
            self._named(topic),
            numbers,
            group=self._lodging.name(READERS),
            limit=limit,
            start=start,
            committed=committed,
            timestamps=timestamps,
            timeout=timeout,
        )

    def _folder(self, topic: str, partition: int, broker: int | None) -> Path:
        chosen = self._leader(topic, partition) if broker is None else broker
        known = [node.id for node in self._backend.nodes if node.is_broker]
        if chosen not in known:
            raise InvalidArgument(f"there is no broker {chosen!r}: choose from {', '.join(map(str, known))}.")
        return self._backend.data_folder(chosen)

    def _leader(self, topic: str, partition: int) -> int:
        known = self.partitions(topic).set_index("partition")["leader"]
        leader = int(known[self._checked(topic, partition)])
        if leader < 0:
            raise InvalidArgument(
                f"partition {partition} of {topic!r} has no leader now: say with broker= whose disk you mean."
            )
        return leader

    def _checked(self, topic: str, partition: int) -> int:
        known = self._numbers(topic)
        if partition not in known:
            raise InvalidArgument(f"{topic!r} has no partition {partition!r}: it has 0 to {max(known)}.")
        return partition

    def _numbers(self, topic: str) -> list[int]:
        return [int(number) for number in self.partitions(topic)["partition"]]
