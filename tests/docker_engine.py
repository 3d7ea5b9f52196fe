"""A container engine for tests: the one that runs, or, for root, Debian's ``docker.io`` for as long as it is needed.

``python -m tests.docker_engine COMMAND ...`` runs a command with such an engine, as ``make soak`` wants it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import docker

from kafkalab.clusters.backends.docker_engine import IMAGE_VARIABLE, Engine
from kafkalab.clusters.distribution import KAFKA_VERSION
from kafkalab.clusters.processes import SupervisedProcesses
from kafkalab.errors import EngineProblem
from kafkalab.waiting import wait_until
from tests import docker_image

__all__ = ["engine_environment"]

_HOST_VARIABLE = "DOCKER_HOST"
_REPOSITORY = "kafkalab-tests/kafka"
_APT_SECONDS = 300.0
_START_SECONDS = 60.0
_DAEMON = "dockerd"


@contextmanager
def engine_environment() -> Iterator[None]:
    """Let clusters find an engine with an image while the context lasts.

    Raises:
        EngineProblem: there is none, and none can be started.
    """
    before = {name: os.environ.get(name) for name in (_HOST_VARIABLE, IMAGE_VARIABLE)}
    try:
        with _engine() as found:
            os.environ |= found
            yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            os.environ |= {name: value} if value else {}


@contextmanager
def _engine() -> Iterator[dict[str, str]]:
    """Give the variables that name an engine with an image: the one there is, or one for as long as this lasts.

    Raises:
        EngineProblem: there is none, and none can be started.
    """
    if _is_there():
        yield {}
    else:
        with _started() as host:
            yield {_HOST_VARIABLE: host, IMAGE_VARIABLE: _image(host)}


def _is_there() -> bool:
    try:
        with closing(Engine()) as present:
            present.prepare()
    except EngineProblem:
        return False
    return True


@contextmanager
def _started() -> Iterator[str]:
    """Start an engine whose files are all in one folder, and return its address; nothing of it stays."""
    _install()
    processes = SupervisedProcesses()
    try:
        folder = processes.folder
        host = f"unix://{folder / 'docker.sock'}"
        processes.spawn(_DAEMON, _command(folder, host), cwd=folder, log=folder / "dockerd.log")
        wait_until(lambda: _answers(processes, folder, host), what="the container engine", timeout=_START_SECONDS)
        yield host
        processes.signal(_DAEMON, signal.SIGTERM)
        processes.wait(_DAEMON, _START_SECONDS)
    finally:
        processes.close()


def _install() -> None:
    if shutil.which(_DAEMON):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise EngineProblem("no container engine answers, and only root on Debian or Ubuntu can have one for a while.")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    commands = "apt-get update && apt-get install --yes --no-install-recommends docker.io"
    done = subprocess.run(
        ["sh", "-c", commands], check=False, capture_output=True, text=True, env=quiet, timeout=_APT_SECONDS
    )
    if done.returncode != 0:
        raise EngineProblem(f"docker.io could not be installed: {done.stderr.strip()[-400:]}")


def _command(folder: Path, host: str) -> list[str]:
    places = {"data-root": folder / "data", "exec-root": folder / "exec", "pidfile": folder / "pid"}
    return [
        _DAEMON,
        f"--host={host}",
        *(f"--{option}={path}" for option, path in places.items()),
        "--bridge=none",
        "--log-level=warn",
    ]


def _answers(processes: SupervisedProcesses, folder: Path, host: str) -> bool:
    if processes.exit_code(_DAEMON) is not None:
        said = (folder / "dockerd.log").read_text(errors="replace").strip().splitlines()
        raise EngineProblem(f"dockerd ended: {said[-1] if said else 'it said nothing.'}")
    return (folder / "docker.sock").exists()


def _image(host: str) -> str:
    with closing(docker.APIClient(base_url=host, timeout=int(_START_SECONDS))) as client:
        docker_image.build(client, _REPOSITORY, KAFKA_VERSION)
    return f"{_REPOSITORY}:{KAFKA_VERSION}"


def main() -> int:
    """Run the command named on the command line with an engine."""
    with engine_environment():
        return subprocess.run(sys.argv[1:], check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
