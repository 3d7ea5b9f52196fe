"""The machine: its system, its Python, its memory, disk and ports, and whether it has Docker."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from kafkalab.cli.checks.finding import Finding, ok, problem, warning

__all__ = ["check_disk", "check_docker", "check_memory", "check_platform", "check_ports", "check_python"]

_MINIMUM_PYTHON = (3, 11)
_BROKERS = 3
# A cluster of three brokers and what a lesson writes.
_ENOUGH_DISK = 500 * 2**20
_LITTLE_DISK = 100 * 2**20
_DOCKER_SECONDS = 10.0


def check_platform(system: str | None = None, release: str | None = None) -> Finding:
    """Tell Linux and macOS, on which Kafka runs, from Windows, and WSL 2 from WSL 1.

    Args:
        system: as ``sys.platform``, which is the default.
        release: of the kernel, as ``platform.release()``, which is the default.
    """
    system, release = system or sys.platform, release or platform.release()
    name = f"{platform.system()} {release} on {platform.machine()}"
    if system == "win32":
        return problem(f"{name}: Apache Kafka does not run here", "use WSL 2, and install kafkalab in it")
    # WSL 1 calls itself "4.4.0-19041-Microsoft", WSL 2 "5.15.90.1-microsoft-standard-WSL2".
    if "microsoft" not in release.lower():
        return ok(name)
    if "wsl2" not in release.lower():
        return warning(
            f"{name} (WSL 1): slow, and its file system is not quite Linux's",
            "run `wsl --set-version` with 2 for this distribution",
        )
    if _is_on_windows_disk(Path.cwd()):
        return warning(
            f"{name} (WSL 2), in a folder of Windows: files are slow there",
            "work below your Linux home folder",
        )
    return ok(f"{name} (WSL 2)")


def _is_on_windows_disk(folder: Path) -> bool:
    # /mnt/c and so on
    return folder.is_relative_to("/mnt") and len(folder.parts) > 2 and len(folder.parts[2]) == 1


def check_python() -> Finding:
    """Check the version of this Python; say where it is."""
    version = platform.python_version()
    if sys.version_info < _MINIMUM_PYTHON:
        return problem(f"Python {version} at {sys.executable}", "use Python 3.11 or newer")
    return ok(f"Python {version} at {sys.executable}")


def check_memory() -> Finding:
    """Check that the brokers of a lesson fit into what is free, in the machine and in its cgroup."""
    from kafkalab.clusters.memory import BROKER_BYTES, available_bytes

    available = available_bytes()
    message = f"{available // 2**20} MB free, room for {available // BROKER_BYTES} brokers"
    remedy = f"close other programs: the lessons' {_BROKERS} brokers need {_BROKERS * BROKER_BYTES // 2**20} MB"
    if available < BROKER_BYTES:
        return problem(message, remedy)
    return ok(message) if available >= _BROKERS * BROKER_BYTES else warning(message, remedy)


def check_disk() -> Finding:
    """Check that the temporary folder, in which clusters keep their data, has room."""
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    message = f"{free // 2**20} MB free in the temporary folder {folder}"
    remedy = "make room there, or set TMPDIR to a folder that has some"
    if free < _LITTLE_DISK:
        return problem(message, remedy)
    return ok(message) if free >= _ENOUGH_DISK else warning(message, remedy)


def check_ports() -> Finding:
    """Reserve the ports that a cluster of three brokers takes, and give them back."""
    from kafkalab.clusters.ports import LOOPBACK, PortReservation

    reservation = PortReservation()
    try:
        reservation.take_free(2 * _BROKERS)
    finally:
        reservation.close()
    return ok(f"free ports on {LOOPBACK}")


def check_docker() -> Finding:
    """Say whether Docker answers; it is never needed, so this is always well."""
    program = shutil.which("docker")
    if program is None:
        return ok("not installed, and not needed")
    try:
        done = subprocess.run(
            [program, "version", "--format", "{{.Server.Version}}"],
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_DOCKER_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ok(f"{program} does not answer, and is not needed")
    if done.returncode != 0:
        return ok("installed, but its engine does not answer; it is not needed")
    return ok(f"Docker {done.stdout.strip()}, not needed")
