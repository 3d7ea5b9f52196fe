"""Keeping a cluster as a file, and taking it up again.

How a snapshot of several brokers is consistent: docs/decisions/0013.
"""

from __future__ import annotations

import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from kafkalab.clusters.admin import PatientAdmin
from kafkalab.clusters.archive import Archive, Manifest, Progress, SavedPartition, has_quorum, write_archive
from kafkalab.clusters.backends.base import Backend
from kafkalab.clusters.distribution import KAFKA_VERSION
from kafkalab.clusters.metadata import View
from kafkalab.clusters.spec import ClusterSpec
from kafkalab.clusters.topics import elect_preferred
from kafkalab.errors import InvalidArgument, NotRunning, WaitTimeout
from kafkalab.waiting import wait_until

__all__ = ["Snapshots", "settle"]

_ASK_SECONDS = 5.0
_SETTLE_SECONDS = 60.0
# From here on a snapshot takes long enough to wonder.
_LARGE_BYTES = 256 * 1024 * 1024
_TOLD_EVERY = 0.25


class Snapshots(ABC):
    """How a :class:`~kafkalab.clusters.cluster.Cluster` is kept and restored."""

    _spec: ClusterSpec
    _admin: PatientAdmin
    _archive: Archive | None = None

    @property
    @abstractmethod
    def _backend(self) -> Backend: ...

    @abstractmethod
    def start(self, timeout: float | None = None) -> Self:
        """Start all nodes."""

    def snapshot(self, path: str | Path, *, overwrite: bool = False, progress: Progress | None = None) -> Path:
        """Keep this cluster's data as one file and return its path; the cluster goes on.

        In it are topics, records, the offsets of groups, the state of transactions, the nodes' logs, and what the
        cluster is: :meth:`restore` takes it up again, here or elsewhere. All nodes are frozen while their files are
        copied, a fraction of a second for small data, so that the file shows one moment. Of a secured cluster it
        holds the key and the password.

        Args:
            path: the file to write, such as ``"step-3.tar.gz"``.
            overwrite: replace a file that is there.
            progress: called with the bytes done and all bytes; by default a large snapshot tells on stderr.

        Raises:
            InvalidArgument: the file is there already, or its folder is not.
            EnvironmentProblem: it could not be written, as on a full disk.
            UnsupportedByBackend: the cluster is borrowed.
            NotRunning: the cluster is not started, or was stopped.
            WaitTimeout: the cluster did not notice that a broker has ended.
        """
        target = _checked_target(Path(path), overwrite=overwrite)
        backend = self._backend
        self._wait_noticed()
        partitions = _partitions(self._admin)
        with tempfile.TemporaryDirectory(prefix="snapshot-", dir=backend.folder) as name:
            folder = Path(name)
            backend.copy_frozen(folder)
            write_archive(target, self._manifest(partitions), folder, progress or _teller("writing", target))
        return target

    def _wait_noticed(self) -> None:
        """Wait until no broker that has ended counts as alive: brokers that come back would leave the ISR to it."""
        backend = self._backend
        ended = {node.id for node in backend.nodes if backend.state(node.id) == "stopped"}
        if ended and has_quorum(backend.nodes, ended):  # else nobody will notice
            wait_until(
                lambda: backend.views([]),
                lambda views: all(isinstance(view, View) and not ended & view.brokers for view in views.values()),
                what=f"the cluster to notice the end of {sorted(ended)}",
            )

    def _manifest(self, partitions: tuple[SavedPartition, ...]) -> Manifest:
        backend, spec = self._backend, self._spec
        return Manifest(
            kafka=KAFKA_VERSION,
            cluster_id=backend.cluster_id,
            spec={
                "brokers": spec.brokers,
                "controllers": spec.controllers,
                "properties": dict(spec.properties),
                "security": spec.security,
                "proxied": spec.proxied,
            },
            nodes=backend.nodes,
            stopped=frozenset(node.id for node in backend.nodes if backend.state(node.id) == "stopped"),
            partitions=partitions,
            password=backend.access.password,
            generation=backend.generation,
        )

    @classmethod
    def restore(cls, path: str | Path, *, port: int | None = None, timeout: float | None = None) -> Self:
        """Start a cluster with the data of a snapshot and return it when it is as it was.

        Ports and folders are new. Brokers that did not run do not run, and ``start()`` brings them with their data;
        paused ones run. In-sync replicas are at least those of then, and who led as the preferred leader leads again.

        Args:
            path: the file that :meth:`snapshot` wrote.
            port: of the first broker, the others follow; by default free ports.
            timeout: seconds until the brokers have to be ready, as for :meth:`start`.

        Raises:
            InvalidArgument: there is no such file.
            SnapshotUnusable: the file is damaged, no snapshot, or newer than this kafkalab.
            WaitTimeout: the cluster did not come to what it was; nothing is left.
        """
        return cls.restored(path, port=port).start(timeout)

    @classmethod
    def restored(cls, path: str | Path, *, port: int | None = None) -> Self:
        """Return the cluster of a snapshot, not started yet: :meth:`restore` in two steps."""
        archive = Archive(Path(path))
        cluster = cls(**{**archive.manifest.spec, "port": port})
        cluster._archive = archive
        return cluster


def _checked_target(path: Path, *, overwrite: bool) -> Path:
    if not path.parent.is_dir():
        raise InvalidArgument(f"there is no folder {path.parent} to write the snapshot to: make it first.")
    if path.is_dir():
        raise InvalidArgument(f"{path} is a folder: give the name of a file, such as {path / 'cluster.tar.gz'}.")
    if path.exists() and not overwrite:
        raise InvalidArgument(f"{path} is there already: choose another name, or give overwrite=True.")
    return path


def _described(admin: PatientAdmin, timeout: float) -> list[dict[str, Any]]:
    topics: list[dict[str, Any]] = admin.ask(lambda client: client.describe_topics(), timeout)
    return topics


def _partitions(admin: PatientAdmin, timeout: float = _ASK_SECONDS) -> tuple[SavedPartition, ...]:
    """Return all partitions; none where nobody can say, for a broken cluster is worth keeping, too."""
    try:
        topics = _described(admin, timeout)
    except (NotRunning, WaitTimeout):
        return ()
    return tuple(
        SavedPartition(
            topic["name"],
            partition["partition_index"],
            partition["leader_id"],
            tuple(partition["replica_nodes"]),
            tuple(sorted(partition["isr_nodes"])),
        )
        for topic in topics
        for partition in topic["partitions"]
    )


def settle(admin: PatientAdmin, manifest: Manifest) -> None:
    """Return when a restored cluster's partitions have the in-sync replicas, and the preferred leaders, of then.

    Raises:
        WaitTimeout: they did not come to that; shows the partitions that did not.
    """
    led = [saved for saved in manifest.partitions if saved.leader >= 0]
    if not led or not manifest.has_quorum:
        return
    _wait(admin, led, lambda now, then: now.leader >= 0 and set(now.isr) >= set(then.isr) - manifest.stopped)
    preferred = {(saved.topic, saved.partition) for saved in led if saved.leader == saved.replicas[0]}

    def moved() -> list[tuple[str, int]]:
        keys = [(now.topic, now.partition) for now in _partitions(admin) if _is_moved(now)]
        left = [key for key in keys if key in preferred]
        if left:
            admin.ask(lambda client: elect_preferred(client, left))
        return left

    wait_until(moved, lambda left: not left, what="the leaders of then", timeout=_SETTLE_SECONDS)


def _is_moved(partition: SavedPartition) -> bool:
    return partition.leader != partition.replicas[0] and partition.replicas[0] in partition.isr


def _wait(
    admin: PatientAdmin, saved: list[SavedPartition], accept: Callable[[SavedPartition, SavedPartition], bool]
) -> None:
    def missing() -> list[str]:
        now = {(seen.topic, seen.partition): seen for seen in _partitions(admin)}
        keys = [(then, now.get((then.topic, then.partition))) for then in saved]
        return [f"{then.topic}-{then.partition}" for then, seen in keys if seen is None or not accept(seen, then)]

    wait_until(missing, lambda left: not left, what="the restored partitions", timeout=_SETTLE_SECONDS)


def _teller(what: str, path: Path) -> Progress:
    told = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal told
        if total >= _LARGE_BYTES and done / total >= told + _TOLD_EVERY:
            told = done / total
            print(f"kafkalab: {what} {path.name}, {done >> 20} of {total >> 20} MB", file=sys.stderr)

    return tell
