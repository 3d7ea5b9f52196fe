from __future__ import annotations

import io
import json
import os
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from kafkalab.clusters.archive import FORMAT, Archive, Manifest, SavedPartition, write_archive
from kafkalab.clusters.distribution import KAFKA_VERSION
from kafkalab.clusters.spec import NodeSpec
from kafkalab.errors import EnvironmentProblem, InvalidArgument, SnapshotUnusable

MANIFEST = Manifest(
    kafka=KAFKA_VERSION,
    cluster_id="AAAAAAAAAAAAAAAAAAAAAA",
    spec={"brokers": 1, "controllers": 1, "properties": {"num.io.threads": "3"}, "security": None, "proxied": False},
    nodes=(NodeSpec(1, ("broker",)), NodeSpec(101, ("controller",))),
    stopped=frozenset({1}),
    partitions=(SavedPartition("orders", 0, 1, (1, 2), (1,)),),
)
DATA = os.urandom(300_000)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = tmp_path / "folder" / "node-1" / "data" / "orders-0"
    data.mkdir(parents=True)
    (data / "0.log").write_bytes(DATA)
    (tmp_path / "folder" / "node-1" / "broker.log").write_text("log")
    return tmp_path / "folder"


@pytest.fixture
def path(tmp_path: Path, folder: Path) -> Path:
    write_archive(tmp_path / "kept.tar.gz", MANIFEST, folder)
    return tmp_path / "kept.tar.gz"


def test_all_comes_back(path: Path, tmp_path: Path) -> None:
    archive = Archive(path)
    assert archive.manifest == MANIFEST
    archive.unpack(tmp_path / "new")
    assert (tmp_path / "new" / "node-1" / "data" / "orders-0" / "0.log").read_bytes() == DATA
    assert (tmp_path / "new" / "node-1" / "broker.log").read_text() == "log"
    assert not (tmp_path / "new" / "manifest.json").exists()


def test_only_its_owner_reads_it(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600


def test_progress_counts_bytes_to_the_last(tmp_path: Path, folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_archive(tmp_path / "a", MANIFEST, folder, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(DATA) + 3, len(DATA) + 3)
    assert sorted(seen) == seen


def test_an_end_in_the_middle_leaves_what_was_there(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "a"
    path.write_text("before")

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_archive(path, MANIFEST, folder, interrupt)
    assert path.read_text() == "before"
    assert sorted(tmp_path.iterdir()) == [path, folder]


def test_what_a_killed_process_left_is_no_hindrance(path: Path, tmp_path: Path, folder: Path) -> None:
    (tmp_path / ".kept.tar.gz.partial").write_text("half")
    write_archive(path, MANIFEST, folder)
    assert Archive(path).manifest == MANIFEST
    assert sorted(tmp_path.iterdir()) == [folder, path]


def test_where_it_cannot_be_written_it_says_so(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(EnvironmentProblem, match=r"the snapshot .* could not be written: "):
        write_archive(tmp_path / "nowhere" / "a", MANIFEST, folder)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"there is no snapshot .*/none: give the file"):
        Archive(tmp_path / "none")


@pytest.mark.parametrize("kept", [0, 10, 200, 1000, 150_000, -9])
def test_a_file_that_was_cut_off_is_damaged(path: Path, tmp_path: Path, kept: int) -> None:
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(SnapshotUnusable, match="damaged"):
        Archive(path).unpack(tmp_path / "new")


@pytest.mark.parametrize("place", [0, 3, 30, 1000, 100_000, 200_000])
def test_a_changed_byte_is_noticed(path: Path, tmp_path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(SnapshotUnusable):
        Archive(path).unpack(tmp_path / "new")


def archive_of(path: Path, *files: tuple[str, bytes], link: str = "") -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        if link:
            member = tarfile.TarInfo("node-1/data/link")
            member.type, member.linkname = tarfile.SYMTYPE, link
            tar.addfile(member)
    return path


@pytest.mark.parametrize(
    "text",
    [b"", b"{}", b"[]", b"null", b'{"format": "x"}', b"\xff\xfe", json.dumps({"format": 1, "kafka": "4"}).encode()],
)
def test_a_foreign_archive_is_no_snapshot(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(SnapshotUnusable, match="is no snapshot of a cluster"):
        Archive(archive_of(tmp_path / "a", ("manifest.json", text)))
    with pytest.raises(SnapshotUnusable, match="is no snapshot of a cluster"):
        Archive(archive_of(tmp_path / "a", ("readme.txt", text)))


def test_a_text_is_no_snapshot(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("hello")
    with pytest.raises(SnapshotUnusable, match="is no snapshot of a cluster"):
        Archive(tmp_path / "a")


def test_a_newer_format_asks_for_a_newer_kafkalab(tmp_path: Path) -> None:
    fields = {**json.loads(MANIFEST.to_json()), "format": FORMAT + 1}
    with pytest.raises(SnapshotUnusable, match="newer kafkalab: update kafkalab"):
        Archive(archive_of(tmp_path / "a", ("manifest.json", json.dumps(fields).encode())))


@pytest.mark.parametrize(("version", "refused"), [("4.10.0", True), ("99.0", True), ("4.3.0", False), ("3.9.2", False)])
def test_data_of_a_newer_kafka_are_refused(tmp_path: Path, folder: Path, version: str, refused: bool) -> None:
    write_archive(tmp_path / "a", replace(MANIFEST, kafka=version), folder)
    if refused:
        with pytest.raises(SnapshotUnusable, match=rf"Apache Kafka {version}, newer than this kafkalab's"):
            Archive(tmp_path / "a")
    else:
        assert Archive(tmp_path / "a").manifest.kafka == version


@pytest.mark.parametrize("name", ["../outside", "node-1/../../outside", "/outside"])
def test_nothing_is_written_outside(tmp_path: Path, name: str) -> None:
    path = archive_of(tmp_path / "a", ("manifest.json", MANIFEST.to_json()), (name, b"x"))
    with pytest.raises(SnapshotUnusable):
        Archive(path).unpack(tmp_path / "new" / "deep")
    assert not list(tmp_path.rglob("outside"))


def test_links_are_refused(tmp_path: Path) -> None:
    path = archive_of(tmp_path / "a", ("manifest.json", MANIFEST.to_json()), link=str(tmp_path))
    with pytest.raises(SnapshotUnusable):
        Archive(path).unpack(tmp_path / "new")
    assert not (tmp_path / "new").exists()
