"""Fetching locked jars into the cache.

A jar is downloaded into a staging folder, hashed there, and moved to its place in one step only if it is the
locked one: whatever interrupts a fetch, nothing lies in the cache's ``maven`` folder that was not verified.
"""

from __future__ import annotations

import hashlib
import os
import queue
import shutil
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from kafkalab.clusters.cache import using
from kafkalab.clusters.locks import LockedJar
from kafkalab.clusters.maven import MAVEN_URL_VARIABLE, MavenRepository, maven_url, never_connected
from kafkalab.errors import CorruptJar, DownloadFailed

__all__ = ["OFFLINE_VARIABLE", "Progress", "fetch_jars", "is_offline", "sha256_of"]

OFFLINE_VARIABLE = "KAFKALAB_OFFLINE"

Progress = Callable[[int, int, str], object]
"""Called as ``progress(done, total, name)`` after each jar that arrived, in the thread that asked for it."""

_ATTEMPTS = 2
_PARALLEL = 4
# Seconds for all jars together: 44 MB at 0.6 Mbit/s. What arrived by then is kept for the next try.
_DEADLINE_S = 600.0
_JOIN_S = 1.0


def is_offline() -> bool:
    """Say whether ``KAFKALAB_OFFLINE`` forbids the network (1, true, yes or on)."""
    return os.environ.get(OFFLINE_VARIABLE, "").strip().lower() in {"1", "true", "yes", "on"}


def sha256_of(path: Path) -> str:
    """Return the SHA-256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch_jars(
    jars: Sequence[LockedJar],
    target: Path,
    progress: Progress | None = None,
    deadline: float = _DEADLINE_S,
) -> None:
    """Fetch ``jars`` into the folder ``target``, over what lies there; the caller holds the cache's lock.

    Args:
        jars: what to fetch.
        target: the folder that gets them, laid out as a Maven repository; staging lies beside it.
        progress: told of each jar that arrived.
        deadline: seconds for all of them together.

    Raises:
        DownloadFailed: a jar could not be had, twice.
        CorruptJar: the repository gave, twice, a jar that is not the locked one.
        CacheProblem: the folder cannot be written.
        InvalidArgument: ``KAFKALAB_MAVEN_URL`` is not an address.
    """
    repository = MavenRepository(maven_url(), deadline)
    staging = target.with_name(f"{target.name}-staging")
    with using(target.parent):
        # What a killed process left: its lock is the caller's now, so nobody uses it any more.
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
    try:
        _Fetch(repository, jars, target, staging).run(progress)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


class _Fetch:
    """A few threads that share the jars to fetch, and the thread that waits for them."""

    def __init__(self, repository: MavenRepository, jars: Sequence[LockedJar], target: Path, staging: Path) -> None:
        self.repository = repository
        self.jars = jars
        self.target = target
        self.staging = staging
        self.todo: queue.SimpleQueue[LockedJar] = queue.SimpleQueue()
        self.ended: queue.SimpleQueue[tuple[LockedJar, Exception | None]] = queue.SimpleQueue()

    def run(self, progress: Progress | None) -> None:
        """Fetch all jars; the first failure ends it."""
        for jar in self.jars:
            self.todo.put(jar)
        # Daemons: jgo sleeps as long as a repository's Retry-After says, which must not hold up an exit.
        count = min(_PARALLEL, len(self.jars))
        workers = [threading.Thread(target=self._work, daemon=True) for _ in range(count)]
        for worker in workers:
            worker.start()
        try:
            for done in range(1, len(self.jars) + 1):
                jar = self._next_arrival()
                if progress is not None:
                    progress(done, len(self.jars), jar.file_name)
        finally:
            # After a failure or Ctrl-C, what still runs ends at its next bytes.
            self.repository.stop()
            for worker in workers:
                worker.join(timeout=_JOIN_S)

    def _next_arrival(self) -> LockedJar:
        try:
            jar, error = self.ended.get(timeout=self.repository.seconds_left())
        except queue.Empty:
            raise DownloadFailed(
                f"{self.repository.shown} did not deliver all jars within {self.repository.deadline:g} s: "
                f"try again (what arrived is kept), or set {MAVEN_URL_VARIABLE} to a nearer mirror."
            ) from None
        if error is not None:
            raise error
        return jar

    def _work(self) -> None:
        while not self.repository.is_over():
            try:
                jar = self.todo.get_nowait()
            except queue.Empty:
                return
            try:
                self._fetch_twice(jar)
            except Exception as error:  # noqa: BLE001 - whatever it is, the waiting thread must get it
                self.ended.put((jar, error))
                return
            self.ended.put((jar, None))

    def _fetch_twice(self, jar: LockedJar) -> None:
        """Fetch one jar; the second attempt covers what passes: a cut connection, a proxy's stale copy."""
        for _ in range(_ATTEMPTS - 1):
            try:
                self._fetch(jar)
            except (DownloadFailed, CorruptJar) as problem:
                if self.repository.is_over() or never_connected(problem.__cause__):
                    raise
            else:
                return
        self._fetch(jar)

    def _fetch(self, jar: LockedJar) -> None:
        # A folder of its own for each attempt: jgo takes a file that is there already for a good one.
        with (
            using(self.target.parent),
            tempfile.TemporaryDirectory(dir=self.staging, ignore_cleanup_errors=True) as scratch,
        ):
            found = self.repository.download(jar, Path(scratch))
            self._check(jar, sha256_of(found))
            place = self.target / jar.path
            place.parent.mkdir(parents=True, exist_ok=True)
            found.replace(place)

    def _check(self, jar: LockedJar, actual: str) -> None:
        if actual != jar.sha256:
            raise CorruptJar(
                f"{self.repository.shown} gave a {jar.file_name} whose SHA-256 begins with {actual[:12]}, "
                f"where the lock file has {jar.sha256[:12]}: do not trust that source; check "
                f"{MAVEN_URL_VARIABLE}, and whether a proxy or a login page answers in its place."
            )
