"""The log as it lies on disk: files of a topic's partitions, and the record batches inside.

Kafka's documentation, "Implementation", has the file names ("Log") and the format of a batch ("Message Format"); the
decoder of a batch's header is kafka-python's. Only headers are read, so the size of records and their compression
cost nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import pandas as pd
from kafka.record.default_records import DefaultRecordBatch

from kafkalab.clusters.tables import table
from kafkalab.errors import InvalidArgument

__all__ = ["batches", "log", "segments"]

_SEGMENT_FILE = re.compile(r"(\d{20})\.(.+)")
_NO_SEGMENT = -1
_HEADER_BYTES = DefaultRecordBatch.HEADER_STRUCT.size
_COMPRESSION = ("none", "gzip", "snappy", "lz4", "zstd")
_BATCH_COLUMNS = {
    "segment": "int64",
    "position": "int64",
    "base_offset": "int64",
    "last_offset": "int64",
    "records": "int64",
    "bytes": "int64",
    "compression": "str",
    "leader_epoch": "int64",
    "idempotent": "bool",
    "transactional": "bool",
    "control": "bool",
    "first_timestamp": "int64",
    "max_timestamp": "int64",
}
_TIMES = ["first_timestamp", "max_timestamp"]
_SEGMENT_COLUMNS = {
    "segment": "int64",
    "end": "int64",
    "batches": "int64",
    "records": "int64",
    "bytes": "int64",
    "active": "bool",
}


def segments(folders: Mapping[int, Path], topic: str) -> pd.DataFrame:
    """Return topic (str), partition, broker, base_offset (int64), active (bool), file, kind (str), bytes (int64).

    One row per file of the topic. ``base_offset`` is the first offset of the file's segment, -1 for files that belong
    to the partition as a whole; ``active`` is the segment that is written to. ``kind`` is the end of the file's name:
    log, index, timeindex, txnindex, snapshot, and with ".deleted" what Kafka removes next. ``bytes`` is the size as
    ``ls`` shows it: the two indexes of an active segment have their full size from the start.

    Args:
        folders: each broker's log directory, by its id.
        topic: its name.

    Raises:
        InvalidArgument: no broker has files of such a topic.
    """
    found = [(b, p, path) for b, folder in folders.items() for p, path in _partition_folders(folder, topic)]
    if not found:
        raise InvalidArgument(f"there are no files of a topic {topic!r}: see cluster.topics() for those there are.")
    rows = [(topic, partition, broker, *file) for broker, partition, path in found for file in _files(path)]
    columns = {
        "topic": "str",
        "partition": "int64",
        "broker": "int64",
        "base_offset": "int64",
        "active": "bool",
        "file": "str",
        "kind": "str",
        "bytes": "int64",
    }
    return table(rows, columns, ["topic", "partition", "broker", "base_offset", "file"])


def batches(folder: Path, topic: str, partition: int, *, timestamps: bool = False) -> pd.DataFrame:
    """Return one row per record batch that one broker keeps of one partition, in the order of the log.

    Columns: segment (base offset of the file), position (where in it, bytes), base_offset, last_offset, records, bytes
    (int64), compression (str), leader_epoch (int64), idempotent (it has a producer id), transactional, control (bool:
    a marker that ends a transaction); with ``timestamps`` also first_timestamp, max_timestamp (int64, ms).
    After compaction ``records`` may be fewer than the offsets, and 0.

    Args:
        folder: the broker's log directory.
        topic: its name.
        partition: its number.
        timestamps: show the times, too.

    Raises:
        InvalidArgument: this broker has no files of such a partition.
    """
    found = _batches_in(_logs(folder, topic, partition))
    return found.drop(columns=[] if timestamps else _TIMES)


def log(folder: Path, topic: str, partition: int) -> pd.DataFrame:
    """Return one row per segment that one broker keeps of one partition, those that compaction emptied included.

    Columns: segment (its base offset), end (the offset behind it: where the next one begins), batches, records, bytes
    (int64), active (bool).

    Args:
        folder: the broker's log directory.
        topic: its name.
        partition: its number.

    Raises:
        InvalidArgument: this broker has no files of such a partition.
    """
    logs = _logs(folder, topic, partition)  # listed once: Kafka deletes and renames while we look
    starts, found = [_base_offset(path.name) for path in logs], _batches_in(logs)
    sizes = found.groupby("segment").agg(
        batches=("records", "size"), records=("records", "sum"), bytes=("bytes", "sum")
    )
    # A segment ends where the next one begins: compaction may have taken its last batches, or all of them.
    ends = [*starts[1:], max([*starts[-1:], *(found["last_offset"] + 1)], default=0)]
    rows = [
        (start, end, *size, start == starts[-1])
        for start, end, size in zip(starts, ends, sizes.reindex(starts, fill_value=0).to_numpy().tolist(), strict=False)
    ]
    return table(rows, _SEGMENT_COLUMNS, ["segment"])


def _logs(folder: Path, topic: str, partition: int) -> list[Path]:
    """Return the partition's files of records, oldest first."""
    path = folder / f"{topic}-{partition}"
    if not path.is_dir():
        raise InvalidArgument(
            f"this broker keeps no files of partition {partition} of {topic!r}: "
            "see cluster.segments(topic) for those there are."
        )
    return sorted(path.glob("*.log"))


def _partition_folders(folder: Path, topic: str) -> Iterator[tuple[int, Path]]:
    for path in folder.glob("*-*"):
        # A topic's name may hold dashes and digits, and a deleted one's folder has a longer name.
        name, _, number = path.name.rpartition("-")
        if name == topic and number.isdecimal():
            yield int(number), path


def _files(folder: Path) -> list[tuple[int, bool, str, str, int]]:
    sizes = {entry.name: size for entry in os.scandir(folder) if (size := _size(entry)) is not None}
    active = max((_base_offset(name) for name in sizes if name.endswith(".log")), default=_NO_SEGMENT)
    return [
        (base := _base_offset(name), base == active != _NO_SEGMENT, name, _kind(name), size)
        for name, size in sizes.items()
    ]


def _size(entry: os.DirEntry[str]) -> int | None:
    try:
        return entry.stat().st_size
    except FileNotFoundError:  # Kafka deletes and renames while we look
        return None


def _base_offset(name: str) -> int:
    parts = _SEGMENT_FILE.fullmatch(name)
    return int(parts[1]) if parts else _NO_SEGMENT


def _kind(name: str) -> str:
    parts = _SEGMENT_FILE.fullmatch(name)
    return parts[2] if parts else name


def _batches_in(logs: Iterable[Path]) -> pd.DataFrame:
    return table([row for log in logs for row in _batches_of(log)], _BATCH_COLUMNS, ["segment", "position"])


def _batches_of(log: Path) -> list[tuple[object, ...]]:
    try:
        with log.open("rb") as file:
            return [(_base_offset(log.name), position, *_facts(batch)) for position, batch in _headers(file)]
    except FileNotFoundError:  # deleted since it was listed
        return []


def _headers(file: BinaryIO) -> Iterator[tuple[int, DefaultRecordBatch]]:
    """Yield position and header of every batch that is written completely."""
    end = os.fstat(file.fileno()).st_size
    position = 0
    while position + _HEADER_BYTES <= end:
        file.seek(position)
        batch = DefaultRecordBatch(file.read(_HEADER_BYTES))
        if batch.size_in_bytes < _HEADER_BYTES or position + batch.size_in_bytes > end:
            return
        yield position, batch
        position += batch.size_in_bytes


def _facts(batch: DefaultRecordBatch) -> tuple[object, ...]:
    return (
        batch.base_offset,
        batch.last_offset,
        batch.records_count,
        batch.size_in_bytes,
        _COMPRESSION[batch.compression_type],
        batch.leader_epoch,
        batch.has_producer_id(),
        batch.is_transactional,
        batch.is_control_batch,
        batch.first_timestamp,
        batch.max_timestamp,
    )
