"""The lock files: which jars, at which version, with which SHA-256.

They are written by jgo (``python -m kafkalab.clusters.relock``) and read here without it, since importing jgo
takes longer than everything else that a start with a full cache needs.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["JARS_FOLDER", "LOCK_NAME", "SPEC_NAME", "Lock", "LockedJar", "read_lock"]

JARS_FOLDER = Path(__file__).parent / "jars"
SPEC_NAME = "jgo.toml"
LOCK_NAME = "jgo.lock.toml"


@dataclass(frozen=True, order=True)
class LockedJar:
    """One jar of a lock file: its Maven coordinates and its SHA-256 (hex)."""

    group: str
    artifact: str
    version: str
    sha256: str
    classifier: str = ""

    @property
    def file_name(self) -> str:
        """The name of its file, such as ``kafka-clients-4.3.1.jar``."""
        suffix = f"-{self.classifier}" if self.classifier else ""
        return f"{self.artifact}-{self.version}{suffix}.jar"

    @property
    def path(self) -> str:
        """Where it lies in a Maven repository, with slashes."""
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.file_name}"


@dataclass(frozen=True)
class Lock:
    """A lock file.

    Attributes:
        name: the environment's name, such as ``kafka-broker``.
        jars: sorted as their paths are, folder by folder.
        digest: SHA-256 (hex) of the file itself: another lock, another digest.
    """

    name: str
    jars: tuple[LockedJar, ...]
    digest: str


def read_lock(path: Path) -> Lock:
    """Read a ``jgo.lock.toml``."""
    content = path.read_bytes()
    data = tomllib.loads(content.decode("utf-8"))
    jars = sorted((_locked_jar(entry) for entry in data["dependencies"]), key=lambda jar: jar.path.split("/"))
    return Lock(data["environment"]["name"], tuple(jars), hashlib.sha256(content).hexdigest())


def _locked_jar(entry: dict[str, Any]) -> LockedJar:
    if entry["packaging"] != "jar":
        raise ValueError(f"only jars can be locked, not {entry!r}")
    # A jar without a checksum must never slip in: KeyError, not a default.
    return LockedJar(
        entry["groupId"], entry["artifactId"], entry["version"], entry["sha256"], entry.get("classifier", "")
    )
