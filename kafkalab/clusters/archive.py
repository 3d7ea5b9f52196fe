"""The file that keeps a cluster: a gzipped tar of a manifest, then each node's folder.

.. code-block:: text

    manifest.json          what the cluster was: see Manifest
    ca.pem, broker.pem     of a secured cluster only
    node-1/broker.log      what the node logged
    node-1/data/...        Kafka's log.dirs, without offset and time indexes, which Kafka builds anew from the log

gzip rather than zstd, which the standard library has from Python 3.14 on only.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import tarfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Self

from kafkalab.clusters.distribution import KAFKA_VERSION
from kafkalab.clusters.spec import NodeSpec
from kafkalab.errors import EnvironmentProblem, InvalidArgument, SnapshotUnusable

__all__ = ["FORMAT", "Archive", "Manifest", "SavedPartition", "has_quorum", "write_archive"]

FORMAT = 1
_MANIFEST = "manifest.json"
_LARGEST_MANIFEST = 64 * 1024 * 1024
# Level 1: twice as quick as the default for a tenth more bytes.
_LEVEL = 1
_CHUNK = 1024 * 1024
_BROKEN = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile)

Progress = Callable[[int, int], object]
"""Called with the bytes done and the bytes there are, before compression."""


@dataclass(frozen=True)
class SavedPartition:
    """A partition at the time of a snapshot: the ids of its leader (-1 for none), replicas and in-sync replicas."""

    topic: str
    partition: int
    leader: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]


@dataclass(frozen=True)
class Manifest:
    """What a kept cluster was.

    Attributes:
        kafka: the version of Apache Kafka that wrote the data.
        cluster_id: Kafka's.
        spec: arguments of :class:`~kafkalab.Cluster`, without the port.
        nodes: all nodes, brokers that were added later included.
        stopped: ids of those that did not run.
        partitions: as the cluster saw them, internal topics included; empty where nobody could say.
        password: of the one user of a secured cluster, else None.
        generation: how many times the data had been restored before.
    """

    kafka: str
    cluster_id: str
    spec: Mapping[str, Any]
    nodes: tuple[NodeSpec, ...]
    stopped: frozenset[int]
    partitions: tuple[SavedPartition, ...]
    password: str | None = None
    generation: int = 0

    @property
    def has_quorum(self) -> bool:
        """Whether a majority of the controllers ran; without one nothing can change."""
        return has_quorum(self.nodes, self.stopped)

    def to_json(self) -> bytes:
        """Return the text of the manifest."""
        return json.dumps({"format": FORMAT, **asdict(self), "stopped": sorted(self.stopped)}, indent=1).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Return what :meth:`to_json` wrote.

        Raises:
            ValueError, TypeError, KeyError: the text is something else.
            SnapshotUnusable: a newer kafkalab wrote it.
        """
        fields = json.loads(text)
        if fields.pop("format") > FORMAT:
            raise SnapshotUnusable("it was written by a newer kafkalab: update kafkalab to restore it.")
        if _numbers(fields["kafka"]) > _numbers(KAFKA_VERSION):
            raise SnapshotUnusable(
                f"its data is of Apache Kafka {fields['kafka']}, newer than this kafkalab's {KAFKA_VERSION}: "
                "update kafkalab to restore it."
            )
        nodes = tuple(NodeSpec(int(node["id"]), tuple(node["roles"])) for node in fields.pop("nodes"))
        partitions = tuple(
            SavedPartition(**{**saved, "replicas": tuple(saved["replicas"]), "isr": tuple(saved["isr"])})
            for saved in fields.pop("partitions")
        )
        return cls(**{**fields, "nodes": nodes, "stopped": frozenset(fields["stopped"]), "partitions": partitions})


def has_quorum(nodes: Iterable[NodeSpec], stopped: Collection[int]) -> bool:
    """Return whether a majority of the voters among ``nodes`` is not ``stopped``."""
    runs = [node.id not in stopped for node in nodes if node.is_voter]
    return 2 * sum(runs) > len(runs)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def write_archive(path: Path, manifest: Manifest, folder: Path, progress: Progress | None = None) -> None:
    """Write ``manifest`` and all files of ``folder`` to ``path``: whole or, whatever ends this process, not at all.

    Raises:
        EnvironmentProblem: the disk is full, or the folder cannot be written; nothing is left.
    """
    partial = path.with_name(f".{path.name}.partial")
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    counted = _Counted(sum(file.stat().st_size for file in files), progress)
    try:
        # Only for its owner: a secured cluster's key and password are inside.
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600)
        with tarfile.open(partial, "w:gz", compresslevel=_LEVEL) as tar:
            _add(tar, _MANIFEST, io.BytesIO(text := manifest.to_json()), len(text))
            for file in files:
                with file.open("rb") as data:
                    _add(tar, str(file.relative_to(folder)), counted.reading(data), file.stat().st_size)
        partial.replace(path)
    except OSError as error:
        raise EnvironmentProblem(f"the snapshot {path} could not be written: {error.strerror or error}.") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _add(tar: tarfile.TarFile, name: str, data: Any, size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o600
    tar.addfile(member, data)


class _Counted:
    """Tells how far the reading of many files has come."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total = total
        self._done = 0
        self._progress = progress

    def add(self, count: int) -> None:
        self._done += count
        if self._progress:
            self._progress(self._done, self._total)

    def reading(self, data: IO[bytes]) -> _Reading:
        return _Reading(data, self)


class _Reading:
    def __init__(self, data: IO[bytes], counted: _Counted) -> None:
        self._data = data
        self._counted = counted

    def read(self, size: int) -> bytes:
        chunk = self._data.read(size)
        self._counted.add(len(chunk))
        return chunk


class Archive:
    """A file that :func:`write_archive` made.

    Args:
        path: the file.

    Raises:
        InvalidArgument: there is no such file.
        SnapshotUnusable: it is something else, damaged, or newer than this kafkalab.
        EnvironmentProblem: it may not be read.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise InvalidArgument(f"there is no snapshot {path}: give the file that cluster.snapshot() wrote.")
        self.path = path
        with self._open() as tar:
            self.manifest = self._manifest(tar)

    @contextlib.contextmanager
    def _open(self) -> Iterator[tarfile.TarFile]:
        try:
            with gzip.open(self.path) as data, tarfile.open(fileobj=data, mode="r:") as tar:
                yield tar
        except _BROKEN as error:
            raise SnapshotUnusable(
                f"{self.path} is no snapshot of a cluster, or is damaged ({error}): "
                "give the file that cluster.snapshot() wrote."
            ) from error
        except OSError as error:
            raise EnvironmentProblem(
                f"the snapshot {self.path} could not be unpacked: {error.strerror or error}."
            ) from error

    def _manifest(self, tar: tarfile.TarFile) -> Manifest:
        member = tar.next()
        if member is None or member.name != _MANIFEST or not member.isreg() or member.size > _LARGEST_MANIFEST:
            raise tarfile.ReadError("no manifest")
        data = tar.extractfile(member)
        assert data is not None
        try:
            return Manifest.from_json(data.read())
        except SnapshotUnusable as problem:
            raise SnapshotUnusable(f"the snapshot {self.path} cannot be restored: {problem}") from None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise tarfile.ReadError(f"its manifest is not one: {error!r}") from error

    def unpack(self, folder: Path) -> None:
        """Write all files into ``folder``, and nothing anywhere else.

        Raises:
            SnapshotUnusable: it is damaged, or has what no snapshot has.
            EnvironmentProblem: the disk is full.
        """
        with self._open() as tar:
            for member in tar:
                # Names are not believed: only plain files, and only below the folder.
                parts = PurePosixPath(member.name).parts
                if not member.isreg() or not parts or ".." in parts or parts[0] == "/":
                    raise tarfile.ReadError(f"it has {member.name!r}")
                if member.name != _MANIFEST:
                    _unpack(tar, member, folder.joinpath(*parts))
            _read_to_end(tar)


def _read_to_end(tar: tarfile.TarFile) -> None:
    # tar has an end of its own; the checksum of all stands behind it, and gzip compares it when it is read.
    assert tar.fileobj is not None
    while tar.fileobj.read(_CHUNK):
        pass


def _unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    data = tar.extractfile(member)
    assert data is not None
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as out:
        while chunk := data.read(_CHUNK):
            out.write(chunk)
    target.chmod(0o600)
