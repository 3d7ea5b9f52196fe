"""Commands in processes of their own, as a user runs them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import psutil
import pytest

from kafkalab import Cluster
from kafkalab.errors import EngineProblem
from kafkalab.waiting import wait_until
from tests.docker_engine import engine_environment

START_SECONDS = 90.0
END_SECONDS = START_SECONDS  # a net as well: nothing is said of how fast it ends


@dataclass
class Running:
    """A command that runs: its process, and the files with what it printed."""

    process: subprocess.Popen[bytes]
    out: Path
    err: Path

    def wait_for_line(self, pattern: str, path: Path) -> re.Match[str]:
        """Return the first match in what was printed to that file, which must come while the command runs."""

        def look() -> re.Match[str] | None:
            ended = self.process.poll() is not None
            found = re.search(pattern, path.read_text(), re.MULTILINE)
            assert found or not ended, f"ended with {self.process.returncode}: {self.err.read_text()}"
            return found

        found = wait_until(look, what=f"{pattern!r} to be printed", timeout=START_SECONDS)
        assert found
        return found

    def bootstrap_servers(self) -> str:
        """Return what ``up`` printed, when it has."""
        return self.wait_for_line(r"^127\.0\.0\.1:\d+.*\n", self.out).group().strip()

    def family(self) -> list[psutil.Process]:
        """Return the process and all that it started."""
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def end(self, number: signal.Signals) -> int:
        """Send a signal and return the exit code; everything it started must go with it."""
        family = self.family()
        self.process.send_signal(number)
        code = self.process.wait(END_SECONDS)
        wait_until(
            lambda: [process for process in family if process.is_running()],
            lambda left: not left,
            what="the end of all processes",
            timeout=END_SECONDS,
        )
        return code


Start = Callable[..., Running]


@pytest.fixture(scope="session")
def engine(require: Callable[[str, str], NoReturn]) -> Iterator[None]:
    """A container engine with an image."""
    with ExitStack() as stack:
        try:
            stack.enter_context(engine_environment())
        except EngineProblem as problem:
            require("docker", str(problem))
        yield


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """A temporary folder of the commands' own; clusters put their data there."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    return folder


@pytest.fixture
def environment(temporary: Path) -> dict[str, str]:
    """What the commands see; without a network, which they must not need."""
    jupyter = {f"JUPYTER_{kind}_DIR": str(temporary.parent / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    return {**os.environ, **jupyter, "TMPDIR": str(temporary), "KAFKALAB_OFFLINE": "1"}


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Where the tests run in the background, SIGINT or SIGHUP may be ignored, and a child would inherit that."""
    usual: dict[int, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def start(tmp_path: Path, environment: Mapping[str, str], interruptible: None) -> Iterator[Start]:
    """Start ``kafkalab`` in the background; ended with the test, whatever becomes of it."""
    started: list[subprocess.Popen[bytes]] = []

    def run(*arguments: str) -> Running:
        out, err = tmp_path / "out.txt", tmp_path / "err.txt"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "kafkalab", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=environment,
                cwd=tmp_path,
            )
        started.append(process)
        return Running(process, out, err)

    yield run
    for process in started:
        process.kill()
        process.wait()


def run(*arguments: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run ``kafkalab`` to its end."""
    command = [sys.executable, "-m", "kafkalab", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=env, timeout=180)


@contextmanager
def meanwhile(thread: threading.Thread) -> Iterator[None]:
    """Run a thread beside the block, from its beginning on: an interrupt that it sends cannot come before."""
    thread.start()
    try:
        yield
    finally:
        thread.join(END_SECONDS)


def wait_until_gone(cluster: Cluster, beginning: str, timeout: float = 30.0) -> None:
    """Wait until no topic and no group is called so: a deletion is decided before every broker knows of it."""
    wait_until(
        lambda: [*cluster.topics()["topic"], *cluster.groups()["group"]],
        lambda names: not any(name.startswith(beginning) for name in names),
        what=f"the end of all that is called {beginning}",
        timeout=timeout,
    )


def left_in(temporary: Path) -> list[str]:
    """Return what lies in the temporary folder, but for the JVM's own (a tool of a test may make it)."""
    return [path.name for path in temporary.iterdir() if not path.name.startswith("hsperfdata")]
