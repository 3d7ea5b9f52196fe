"""How much memory there is for brokers: the machine's, or the limit of the container around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from kafkalab.errors import NotEnoughMemory

__all__ = ["BROKER_BYTES", "available_bytes", "check_fits"]

# What one broker grows to under load: its heap (-Xmx256m) and some 100 MB beside it. Right after the start it is
# less than half of that (`make bench`), but a cluster that starts and then dies in the lesson is no help.
BROKER_BYTES = 350 * 2**20
_CGROUPS = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")


@dataclass(frozen=True)
class _Version:
    """Where a version of cgroups keeps what: its folder below the mount, its files, and a word in memory.stat."""

    controller: str
    folder: str
    limit: str
    used: str
    reclaimable: str


_VERSIONS = (
    _Version("", ".", "memory.max", "memory.current", "inactive_file"),
    _Version("memory", "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def available_bytes(cgroups: Path = _CGROUPS, own_groups: Path = _OWN_GROUPS) -> int:
    """Return the bytes that new processes can use: the machine's, or those of the tightest cgroup around this one.

    Args:
        cgroups: where control groups are mounted.
        own_groups: the file that says which groups this process is in (``man 7 cgroups``).
    """
    machine: int = psutil.virtual_memory().available
    return min([machine, *_free_in_groups(cgroups, own_groups)])


def _free_in_groups(cgroups: Path, own_groups: Path) -> Iterator[int]:
    for version in _VERSIONS:
        for group in _enclosing(cgroups / version.folder, _own_path(own_groups, version.controller)):
            limit = group / version.limit
            if limit.exists() and (text := limit.read_text().strip()) != "max":
                used = int((group / version.used).read_text())
                yield int(text) - used + _entry((group / "memory.stat").read_text(), version.reclaimable)


def _own_path(own_groups: Path, controller: str) -> str:
    if own_groups.exists():
        for line in own_groups.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controller in controllers.split(","):
                return path
    return "/"


def _enclosing(mount: Path, path: str) -> list[Path]:
    """Return the folders of a group and of all around it; a container sees its own group at the mount itself."""
    own = mount / path.lstrip("/")
    return [own, *(parent for parent in own.parents if parent.is_relative_to(mount))]


def _entry(statistics: str, name: str) -> int:
    values = dict(line.split() for line in statistics.splitlines())
    return int(values.get(name, 0))


def check_fits(nodes: int) -> None:
    """Raise where ``nodes`` brokers would not fit.

    Raises:
        NotEnoughMemory: says what is there, what is needed, and how many would fit.
    """
    available = available_bytes()
    needed = nodes * BROKER_BYTES
    if needed > available:
        raise NotEnoughMemory(
            f"{nodes} brokers need about {needed // 2**20} MB, but {available // 2**20} MB are free: "
            f"ask for at most {available // BROKER_BYTES}, or close other programs."
        )
