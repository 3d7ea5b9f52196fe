"""Apache Kafka and its Java, locked, verified and cached: what a cluster is started from.

``broker_jars()`` and ``tools_jars()`` return jars whose SHA-256 was checked against the committed lock file.
A stamp file remembers size and modification time of each verified jar, so that later processes compare these
(a few milliseconds) and hash again only what differs.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from kafkalab.clusters.cache import cache_dir, cache_lock, replace_file, using
from kafkalab.clusters.fetching import OFFLINE_VARIABLE, Progress, fetch_jars, is_offline, sha256_of
from kafkalab.clusters.java import Java, find_java
from kafkalab.clusters.locks import JARS_FOLDER, LOCK_NAME, Lock, LockedJar, read_lock
from kafkalab.errors import CacheProblem, CorruptJar, DownloadFailed

__all__ = [
    "KAFKA_VERSION",
    "Jars",
    "Java",
    "Progress",
    "broker_jars",
    "cache_dir",
    "find_java",
    "locked_jars",
    "tools_jars",
]

KAFKA_VERSION = "4.3.1"

_Stamp = dict[str, list[int]]


@dataclass(frozen=True)
class Jars:
    """Verified jars that make one class path.

    Attributes:
        name: ``kafka-broker`` or ``kafka-tools``.
        version: of Apache Kafka.
        files: absolute paths, sorted, since a JVM's AOT cache wants the same class path each time.
        digest: SHA-256 (hex) of the lock file: other jars, another digest.
    """

    name: str
    version: str
    files: tuple[Path, ...]
    digest: str

    @property
    def class_path(self) -> str:
        """The files joined as ``java -cp`` takes them."""
        return os.pathsep.join(map(str, self.files))


def broker_jars(progress: Progress | None = None, *, rehash: bool = False) -> Jars:
    """Return the jars of a broker, fetched first where they are missing or damaged.

    Args:
        progress: called as ``progress(done, total, name)`` after each jar that had to be fetched.
        rehash: read every jar again, although the stamp says that it was not touched since.

    Raises:
        DownloadFailed: jars are missing, and cannot be had or ``KAFKALAB_OFFLINE`` forbids it.
        CorruptJar: a jar is not the locked one, and no better one can be had.
        CacheProblem: jars are missing and the cache folder cannot be written.
    """
    return locked_jars(JARS_FOLDER / "broker" / LOCK_NAME, progress, rehash=rehash)


def tools_jars(progress: Progress | None = None, *, rehash: bool = False) -> Jars:
    """Return the jars of Apache Kafka's command-line tools; otherwise as ``broker_jars``."""
    return locked_jars(JARS_FOLDER / "tools" / LOCK_NAME, progress, rehash=rehash)


def locked_jars(lock_file: Path, progress: Progress | None = None, *, rehash: bool = False) -> Jars:
    """Return the jars of any ``jgo.lock.toml``; otherwise as ``broker_jars``."""
    lock = _cached_lock(lock_file)
    store = _Store(cache_dir(), lock)
    if rehash or not store.is_untouched():
        store.repair(progress, rehash=rehash)
    return Jars(lock.name, KAFKA_VERSION, store.files(), lock.digest)


@lru_cache
def _cached_lock(lock_file: Path) -> Lock:
    return read_lock(lock_file)


class _Store:
    """The jars of one lock in the cache, and the stamp that remembers their verification."""

    def __init__(self, cache: Path, lock: Lock) -> None:
        self.cache = cache
        self.repository = cache / "maven"
        self.lock = lock
        self.stamp_file = cache / "verified" / f"{lock.name}-{lock.digest[:16]}.json"

    def files(self) -> tuple[Path, ...]:
        return tuple(self.repository / jar.path for jar in self.lock.jars)

    def is_untouched(self) -> bool:
        """Say whether the stamp vouches for every jar as it is now."""
        stamp = self._read_stamp()
        with using(self.cache):
            return all(self._is_vouched(jar, stamp) for jar in self.lock.jars)

    def repair(self, progress: Progress | None, *, rehash: bool) -> None:
        """Hash what the stamp does not vouch for, and fetch what is missing or wrong."""
        stamp = {} if rehash else self._read_stamp()
        if wrong := self._suspects(stamp):
            if is_offline():
                raise self._offline_problem(wrong)
            # One process fetches; who waited for it finds the jars there when its turn comes.
            with cache_lock(self.cache, "fetch"):
                wrong = self._suspects(stamp)
                if wrong:
                    fetch_jars(wrong, self.repository, progress)
                stamp |= {jar.path: self._state(jar) for jar in wrong}
        self._write_stamp(stamp)

    def _suspects(self, stamp: _Stamp) -> list[LockedJar]:
        """Return the jars that are missing or wrong; vouch in ``stamp`` for those whose hash is right."""
        with using(self.cache):
            unvouched = [jar for jar in self.lock.jars if not self._is_vouched(jar, stamp)]
            return [jar for jar in unvouched if not self._vouch(jar, stamp)]

    def _vouch(self, jar: LockedJar, stamp: _Stamp) -> bool:
        # Before the hash: a change while it is computed then shows as another state later.
        state = self._state(jar)
        if not state or sha256_of(self.repository / jar.path) != jar.sha256:
            return False
        stamp[jar.path] = state
        return True

    def _offline_problem(self, wrong: list[LockedJar]) -> CorruptJar | DownloadFailed:
        remedy = f"run `kafkalab fetch` once with a network and without {OFFLINE_VARIABLE}."
        if damaged := [jar for jar in wrong if self._state(jar)]:
            path = self.repository / damaged[0].path
            return CorruptJar(f"{path} differs from its locked SHA-256 (altered or cut short): {remedy}")
        return DownloadFailed(
            f"{len(wrong)} of {len(self.lock.jars)} jars of {self.lock.name} are not in {self.repository} "
            f"({wrong[0].file_name} first) and {OFFLINE_VARIABLE} forbids fetching them: {remedy}"
        )

    def _is_vouched(self, jar: LockedJar, stamp: _Stamp) -> bool:
        state = self._state(jar)
        return bool(state) and stamp.get(jar.path) == state

    def _state(self, jar: LockedJar) -> list[int]:
        """Return size (bytes) and modification time (ns), or nothing where there is no such file."""
        try:
            found = (self.repository / jar.path).stat()
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [found.st_size, found.st_mtime_ns]

    def _read_stamp(self) -> _Stamp:
        try:
            stamp = json.loads(self.stamp_file.read_bytes())
        except (OSError, ValueError):
            return {}  # none yet, or not readable: everything is hashed again
        return stamp if isinstance(stamp, dict) else {}

    def _write_stamp(self, stamp: _Stamp) -> None:
        # A full cache that is read-only serves as it is; it is only hashed again next time.
        with suppress(CacheProblem):
            replace_file(self.stamp_file, json.dumps(stamp, indent=0))
