"""Clusters started one after the other, and in pairs at the same moment: none fails, nothing is left."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from benchmarks.first_record import acknowledge_first_record
from benchmarks.soak.outcome import Advance, Outcome, Soak
from kafkalab import Cluster
from kafkalab.errors import EnvironmentProblem
from kafkalab.waiting import wait_until

__all__ = ["PAIRS", "ROW", "Starter", "leftovers"]

_TIMES = 20
_QUICK_TIMES = 2
_BROKERS = 3
_START_SECONDS = 180.0
_END_SECONDS = 30.0
_GONE_SECONDS = 2.0  # as promised: two seconds after the end nothing remains


def leftovers(folder: Path) -> list[str]:
    """Return what clusters left behind that had ``folder`` as their temporary folder: files and processes."""
    files = [f"file {path}" for path in sorted(folder.iterdir())]
    running = [p for p in psutil.process_iter(["pid", "cmdline"]) if str(folder) in " ".join(p.info["cmdline"] or [])]
    return files + [f"process {p.info['pid']}" for p in running]


def _serve(pipe: Connection, folder: Path) -> None:
    """In the starter's process: start a cluster on each request, send a record, stop, tell how it went."""
    os.environ["TMPDIR"] = str(folder)  # what the supervisors, which are new processes, make their folders in
    pipe.send("")  # ready: all is imported, so that those told together start together
    while pipe.recv():
        try:
            with Cluster(brokers=_BROKERS) as cluster:
                acknowledge_first_record(cluster.bootstrap_servers, _BROKERS)
            children = psutil.Process().children(recursive=True)
            pipe.send(f"left processes {children}" if children else "")
        except Exception as error:  # noqa: BLE001 - told to the parent, which counts it
            pipe.send(f"{type(error).__name__}: {error}")


class Starter:
    """A process that starts clusters when told to.

    Args:
        folder: the temporary folder of its clusters, so that what they leave is theirs for certain.

    Raises:
        EnvironmentProblem: the process did not come up.
    """

    def __init__(self, folder: Path) -> None:
        # Spawned, not forked: a fork would share this process's connections.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, folder), daemon=True)
        self._process.start()
        theirs.close()
        if problem := self.failure():
            raise EnvironmentProblem(f"clusters cannot be started: {problem}.")

    def go(self) -> None:
        """Let it start a cluster; returns at once."""
        with suppress(BrokenPipeError):  # the process has ended: failure() tells
            self._pipe.send(True)

    def failure(self) -> str:
        """Return what went wrong with the last start, when its cluster is stopped again; "" for nothing."""
        if not self._pipe.poll(_START_SECONDS):
            self._process.kill()  # a late answer would be taken for that of the next start
            return f"no cluster started and stopped in {_START_SECONDS:g} s"
        try:
            return str(self._pipe.recv())
        except (EOFError, ConnectionResetError):
            self._process.join(_END_SECONDS)
            return f"the starting process ended with exit code {self._process.exitcode}"

    def close(self) -> None:
        """End the process; its clusters go with it."""
        try:
            with suppress(BrokenPipeError):  # it has ended already, which failure() told
                self._pipe.send(False)
            self._process.join(_END_SECONDS)
        finally:
            self._process.kill()
            self._process.join()
            self._pipe.close()


@contextmanager
def _starters(count: int, folder: Path) -> Iterator[list[Starter]]:
    with ExitStack() as stack:
        starters = []
        for _ in range(count):
            starter = Starter(folder)
            stack.callback(starter.close)
            starters.append(starter)
        yield starters


def _start_together(starters: list[Starter], folder: Path) -> list[str]:
    """Start one cluster in each starter at the same moment; return what went wrong."""
    for starter in starters:
        starter.go()
    failures = [failure for starter in starters if (failure := starter.failure())]
    return failures or [f"left {what}" for what in _wait_for_nothing(folder)]


def _wait_for_nothing(folder: Path) -> list[str]:
    try:
        return wait_until(lambda: leftovers(folder), lambda left: not left, what="a clean end", timeout=_GONE_SECONDS)
    except TimeoutError:
        return leftovers(folder)


def _run(at_once: int, quick: bool, advance: Advance) -> Outcome:
    times = _QUICK_TIMES if quick else _TIMES
    failures: list[str] = []
    with tempfile.TemporaryDirectory(prefix="soak-") as name, _starters(at_once, Path(name)) as starters:
        for number in range(times):
            failures += [f"start {number + 1}: {what}" for what in _start_together(starters, Path(name))]
            advance((number + 1) / times)
    return Outcome.of(failures, f"{times} times {at_once} at once, {_BROKERS} brokers each, nothing left")


def _run_row(quick: bool, advance: Advance) -> Outcome:
    return _run(1, quick, advance)


def _run_pairs(quick: bool, advance: Advance) -> Outcome:
    return _run(2, quick, advance)


ROW = Soak("row", "20 starts in a row: no failure, nothing left", _run_row)
PAIRS = Soak("pairs", "20 pairs started at the same moment: no failure, nothing left", _run_pairs)
