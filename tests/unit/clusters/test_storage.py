"""Log folders laid out as Kafka lays them out, with batches that kafka-python encoded."""

from __future__ import annotations

from pathlib import Path

import pytest
from kafka.record.default_records import DefaultRecordBatchBuilder

from kafkalab.clusters.storage import batches, log, segments
from kafkalab.errors import InvalidArgument

NONE, GZIP = 0, 1


def batch(base: int, records: int, *, codec: int = NONE, producer: int = -1, transactional: bool = False) -> bytes:
    """Return an encoded batch whose records are stamped 1000, 1001, ..."""
    builder = DefaultRecordBatchBuilder(2, codec, transactional, producer, 0 if producer >= 0 else -1, 0, 1 << 20)
    for number in range(records):
        assert builder.append(number, 1000 + number, b"key", b"value" * 20, [])
    encoded = bytearray(builder.build())
    encoded[:8] = base.to_bytes(8, "big")  # the base offset is the broker's, and outside of the CRC
    return bytes(encoded)


def partition(folder: Path, name: str = "t-0") -> Path:
    path = folder / name
    path.mkdir(parents=True)
    return path


def test_batches_are_decoded_from_their_headers(tmp_path: Path) -> None:
    path = partition(tmp_path)
    first, second = batch(0, 3), batch(3, 20, codec=GZIP, producer=7, transactional=True)
    (path / f"{0:020}.log").write_bytes(first + second)
    (path / f"{23:020}.log").write_bytes(batch(23, 1))
    frame = batches(tmp_path, "t", 0)
    assert frame.drop(columns=["bytes", "leader_epoch"]).to_numpy().tolist() == [
        [0, 0, 0, 2, 3, "none", False, False, False],
        [0, len(first), 3, 22, 20, "gzip", True, True, False],
        [23, 0, 23, 23, 1, "none", False, False, False],
    ]
    assert frame["bytes"].tolist() == [len(first), len(second), len(batch(23, 1))]
    times = batches(tmp_path, "t", 0, timestamps=True)[["first_timestamp", "max_timestamp"]]
    assert times.to_numpy().tolist() == [[1000, 1002], [1000, 1019], [1000, 1000]]


@pytest.mark.parametrize("left", [1, 30, 61, 100])
def test_a_batch_that_is_being_written_is_left_out(tmp_path: Path, left: int) -> None:
    (partition(tmp_path) / f"{0:020}.log").write_bytes(batch(0, 3) + batch(3, 3)[:left])
    assert batches(tmp_path, "t", 0)["base_offset"].tolist() == [0]


@pytest.mark.parametrize("rest", [b"", bytes(4096)])
def test_an_empty_log_has_the_same_columns(tmp_path: Path, rest: bytes) -> None:
    (partition(tmp_path) / f"{0:020}.log").write_bytes(rest)
    frame = batches(tmp_path, "t", 0)
    assert len(frame) == 0
    (tmp_path / "t-0" / f"{0:020}.log").write_bytes(batch(0, 1))
    assert frame.dtypes.to_dict() == batches(tmp_path, "t", 0).dtypes.to_dict()


def test_a_log_has_its_segments_also_those_that_compaction_emptied(tmp_path: Path) -> None:
    path = partition(tmp_path)
    for base, content in {0: b"", 5: batch(7, 1) + batch(8, 2), 20: batch(20, 3)}.items():
        (path / f"{base:020}.log").write_bytes(content)
    (path / f"{0:020}.log.deleted").write_bytes(batch(0, 5))
    sizes = [len(batch(7, 1) + batch(8, 2)), len(batch(20, 3))]
    assert log(tmp_path, "t", 0).to_numpy().tolist() == [
        [0, 5, 0, 0, 0, False],
        [5, 20, 2, 3, sizes[0], False],
        [20, 23, 1, 3, sizes[1], True],
    ]


def test_a_segment_that_was_just_begun_ends_where_it_begins(tmp_path: Path) -> None:
    path = partition(tmp_path)
    (path / f"{0:020}.log").write_bytes(batch(0, 5))
    (path / f"{5:020}.log").write_bytes(b"")
    assert log(tmp_path, "t", 0)[["segment", "end", "active"]].to_numpy().tolist() == [[0, 5, False], [5, 5, True]]


def test_segments_lists_every_file_of_the_topic_and_no_other(tmp_path: Path) -> None:
    for broker in (1, 2):
        path = partition(tmp_path / str(broker))
        for name in (
            f"{0:020}.log",
            f"{0:020}.index.deleted",
            f"{9:020}.log",
            f"{9:020}.snapshot",
            "partition.metadata",
        ):
            (path / name).write_bytes(b"x" * broker)
    for name in ("t-1-0", "other-0", "t-0.0f0-delete", "t-x"):
        (partition(tmp_path / "1", name) / f"{0:020}.log").write_bytes(b"")
    frame = segments({1: tmp_path / "1", 2: tmp_path / "2"}, "t")
    assert frame[frame["broker"] == 2].drop(columns=["topic", "broker", "file"]).to_numpy().tolist() == [
        [0, -1, False, "partition.metadata", 2],
        [0, 0, False, "index.deleted", 2],
        [0, 0, False, "log", 2],
        [0, 9, True, "log", 2],
        [0, 9, True, "snapshot", 2],
    ]
    assert len(frame) == 10


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"there are no files of a topic 'none': see cluster\.topics"):
        segments({1: tmp_path}, "none")
    with pytest.raises(InvalidArgument, match=r"keeps no files of partition 3 of 't': see cluster\.segments"):
        batches(tmp_path, "t", 3)
