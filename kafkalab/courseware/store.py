"""Which exercises are done, kept between sittings in one small file of the learner's own.

Never in ``KAFKALAB_CACHE_DIR``: a class may share that folder, and it may be read-only.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Protocol

import platformdirs
from filelock import FileLock, Timeout

from kafkalab.courseware.files import write_atomically
from kafkalab.errors import EnvironmentProblem

__all__ = ["PROGRESS_FILE_VARIABLE", "FileStore", "MemoryStore", "Store", "default_store"]

PROGRESS_FILE_VARIABLE = "KAFKALAB_PROGRESS_FILE"
LOCK_TIMEOUT = 10.0
"""Seconds to wait for another notebook that is writing; it holds the lock for a few milliseconds."""


class Store(Protocol):
    """Where the names of finished exercises are kept."""

    def done(self) -> frozenset[str]:
        """Return the names of the finished exercises."""

    def add(self, name: str) -> bool:
        """Keep one more name; return whether it is new."""


class MemoryStore:
    """Progress that ends with the kernel: for builds and tests, which must not touch a learner's own."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def done(self) -> frozenset[str]:
        """Return the names of the finished exercises."""
        return frozenset(self._names)

    def add(self, name: str) -> bool:
        """Keep one more name; return whether it is new."""
        new = name not in self._names
        self._names.add(name)
        return new


class FileStore:
    """Progress in a JSON file, ``{"done": [names, sorted]}``; several notebooks may use it at once.

    Raises:
        EnvironmentProblem: the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(f"{path}.lock", timeout=LOCK_TIMEOUT)

    def done(self) -> frozenset[str]:
        """Return the names of the finished exercises; a file that is no progress file is set aside first."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return frozenset()
        except UnicodeDecodeError:
            return self._set_aside()
        except OSError as error:
            raise self._problem("read", error) from error
        names = _names_in(text)
        return self._set_aside() if names is None else names

    def add(self, name: str) -> bool:
        """Keep one more name, beside those that other notebooks wrote meanwhile; return whether it is new."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock:
                done = self.done()
                if name not in done:
                    write_atomically(self.path, json.dumps({"done": sorted(done | {name})}, indent=1) + "\n")
        except (OSError, Timeout) as error:
            raise self._problem("written", error) from error
        return name not in done

    def _set_aside(self) -> frozenset[str]:
        number = 1
        while (aside := self.path.with_name(f"{self.path.stem}.unreadable-{number}.json")).exists():
            number += 1
        try:
            self.path.replace(aside)
        except FileNotFoundError:
            return frozenset()  # another notebook was quicker, and told its learner
        print(f"Your progress file was not readable. It is kept as {aside.name}, and a new one is begun.")
        return frozenset()

    def _problem(self, what: str, error: BaseException) -> EnvironmentProblem:
        return EnvironmentProblem(
            f"the progress file {self.path} cannot be {what} ({error}): set {PROGRESS_FILE_VARIABLE} to a file "
            f"that you can write."
        )


def _names_in(text: str) -> frozenset[str] | None:
    try:
        content = json.loads(text)
    except ValueError:
        return None
    names = content.get("done") if isinstance(content, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    return frozenset(names)


def default_store() -> Store:
    """Return the store that ``KAFKALAB_PROGRESS_FILE`` names, else one in the user's own cache folder.

    The value ``:memory:`` stands for progress that ends with the kernel. ``kafkalab lab`` names a file in the
    workspace.
    """
    named = os.environ.get(PROGRESS_FILE_VARIABLE)
    if named == ":memory:":
        return MemoryStore()
    own = Path(platformdirs.user_cache_dir("kafkalab")) / "progress.json"
    return FileStore(Path(named).expanduser() if named else own)
