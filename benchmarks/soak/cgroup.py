"""A memory limit around a process and all it starts: Linux control groups, version 1 and version 2.

In version 1 the group is made inside the one this process belongs to, so that what limits this process limits
it too; in version 2 it is made in the nearest group upwards that may have limited children.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kafkalab.errors import EnvironmentProblem
from kafkalab.waiting import wait_until

__all__ = ["MemoryGroup", "entry", "group_path", "make_memory_group"]

_ROOT = Path("/sys/fs/cgroup")
_SELF = Path("/proc/self/cgroup")
_GONE_SECONDS = 30.0


@dataclass(frozen=True)
class _Names:
    """What the two versions call the same things; the counter of kills is a line ``oom_kill N`` in a file."""

    limit: str
    peak: str
    kills: str


_NAMES = {
    1: _Names("memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.oom_control"),
    2: _Names("memory.max", "memory.peak", "memory.events"),
}


@dataclass(frozen=True)
class MemoryGroup:
    """A control group with a memory limit.

    Attributes:
        folder: in the control group file system.
        version: 1 or 2.
    """

    folder: Path
    version: int

    def limit(self, limit_bytes: int) -> None:
        """Set the limit; there is no swap beyond it where the kernel lets us say so."""
        (self.folder / _NAMES[self.version].limit).write_text(str(limit_bytes))
        swap = self.folder / "memory.swap.max"
        if swap.exists():
            swap.write_text("0")

    @property
    def peak_bytes(self) -> int:
        """The most that was charged to the group at any time, file cache included."""
        return int((self.folder / _NAMES[self.version].peak).read_text())

    @property
    def kills(self) -> int:
        """How many processes the kernel killed for the limit."""
        return entry((self.folder / _NAMES[self.version].kills).read_text(), "oom_kill")

    def command(self, argv: list[str]) -> list[str]:
        """Return ``argv`` so that it and all it starts run inside the group."""
        return ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self.folder / "cgroup.procs"), *argv]

    def remove(self) -> None:
        """Remove the group when its last process has ended.

        Raises:
            WaitTimeout: some process in it still runs.
        """
        wait_until(self._remove_once, what=f"the end of all processes in {self.folder}", timeout=_GONE_SECONDS)

    def _remove_once(self) -> bool:
        try:
            self.folder.rmdir()
        except OSError:
            return False  # busy: a process in it has not ended yet
        return True


def make_memory_group(name: str, *, root: Path = _ROOT, own: str | None = None) -> MemoryGroup:
    """Make a group called ``name``.

    Args:
        name: of the folder.
        root: where control groups are mounted.
        own: the text of ``/proc/self/cgroup``; by default it is read.

    Raises:
        EnvironmentProblem: this system has no memory control groups, or this user may not make one.
    """
    text = own if own is not None else (_SELF.read_text() if _SELF.exists() else "")
    parent, version = group_path(text, root)
    folder = parent / name
    try:
        folder.mkdir()
    except OSError as error:
        raise EnvironmentProblem(
            f"no memory control group can be made in {parent} ({error.strerror}): "
            "run this as root, outside a container."
        ) from error
    if not (folder / _NAMES[version].limit).exists():
        folder.rmdir()
        raise EnvironmentProblem(f"control groups in {parent} have no memory controller: enable it, and try again.")
    return MemoryGroup(folder, version)


def group_path(own: str, root: Path) -> tuple[Path, int]:
    """Return the folder to make groups in, and the version.

    Args:
        own: the text of ``/proc/self/cgroup``.
        root: where control groups are mounted.

    In version 2 a group with processes cannot have limited children ("no internal processes"), so it is the
    nearest one upwards that hands the memory controller down.

    Raises:
        EnvironmentProblem: there is no memory controller.
    """
    paths = {names: path.lstrip("/") for _, names, path in (line.split(":", 2) for line in own.splitlines())}
    for names, path in paths.items():
        if "memory" in names.split(","):
            return root / "memory" / path, 1
    if "" in paths:
        group = root / paths[""]
        for folder in (group, *group.parents):
            handed_down = folder / "cgroup.subtree_control"
            if handed_down.exists() and "memory" in handed_down.read_text().split():
                return folder, 2
            if folder == root:
                break
    raise EnvironmentProblem("this system has no control groups for memory: run this on Linux, as root.")


def entry(text: str, name: str) -> int:
    """Return the number after ``name`` in a file of lines ``name number``.

    Raises:
        EnvironmentProblem: there is no such line; the kernel is older than 4.13.
    """
    for line in text.splitlines():
        words = line.split()
        if len(words) == 2 and words[0] == name:
            return int(words[1])
    raise EnvironmentProblem(f"the kernel does not tell {name!r} of a control group: use Linux 4.13 or newer.")
