"""What holds for the whole run: nothing is left behind, and no part that must be there is left out.

The run has a temporary folder of its own. What is in it at the end, and which processes name it, were left by
the run itself, whatever else goes on on the machine; lessons under nbval count, too.

``KAFKALAB_REQUIRE=all`` makes a failure of every skipped test, ``KAFKALAB_REQUIRE=docker,chromium`` of those
skipped for one of these parts.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, NoReturn

import hypothesis
import psutil
import pytest
from xdist.scheduler import LoadScopeScheduling

from kafkalab.errors import WaitTimeout
from kafkalab.waiting import wait_until
from tests.kafka_python import close_dropped_sockets
from tests.processes import words

ROOT = pytest.StashKey[Path]()
GRACE = 60.0  # seconds for what is ending to have ended: a net; benchmarks/soak measures the promise, which is two
PLATFORM = "platform: "  # how the reason of a skip begins that no installation could cure

# The same examples in every run, and no deadline that a busy machine could miss.
hypothesis.settings.register_profile("kafkalab", derandomize=True, deadline=None)
hypothesis.settings.load_profile("kafkalab")
close_dropped_sockets()


@pytest.fixture(scope="session")
def require() -> Callable[[str, str], NoReturn]:
    """Call ``require(part, reason)`` where a part is missing: the test is skipped, or fails."""

    def missing(part: str, reason: str) -> NoReturn:
        if _required() & {"all", part}:
            pytest.fail(f"{part} is required here (KAFKALAB_REQUIRE): {reason}", pytrace=False)
        pytest.skip(f"{part}: {reason}")

    return missing


def _required() -> set[str]:
    return set(os.environ.get("KAFKALAB_REQUIRE", "").replace(",", " ").split())


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def pytest_configure(config: pytest.Config) -> None:
    """Give the run its own temporary folder; workers, kernels and brokers inherit it."""
    if _is_worker(config):
        return
    # pytest's own folders stay where they always are: one looks there after a failure.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
    config.stash[ROOT] = root = Path(tempfile.mkdtemp(prefix="kafkalab-tests-"))
    os.environ["TMPDIR"] = tempfile.tempdir = str(root)


@pytest.hookimpl(trylast=True)  # after the workers have ended
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run where a process or a temporary folder of it is left."""
    root = session.config.stash.get(ROOT, None)
    if root is None:
        return
    left = _left_after(root)
    if left:
        text = "left behind by this run:\n" + "\n".join(left)
        report = pytest.TestReport("the whole run", ("the whole run", None, ""), {}, "failed", text, "teardown")
        session.config.hook.pytest_runtest_logreport(report=report)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        for process in _processes_naming(root):
            process.kill()
    tempfile.tempdir = None
    os.environ["TMPDIR"] = str(root.parent)
    shutil.rmtree(root, ignore_errors=True)


def _left_after(root: Path) -> list[str]:
    try:
        return wait_until(lambda: _left(root), lambda left: not left, what="a clean end", timeout=GRACE)
    except WaitTimeout:
        return _left(root)


def _left(root: Path) -> list[str]:
    folders = [f"folder {path.name}" for path in sorted(root.glob("kafkalab-*"))]
    return folders + [f"process {process.pid}: {' '.join(words(process))[:300]}" for process in _processes_naming(root)]


def _processes_naming(root: Path) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if str(root) in " ".join(words(process))]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where all parts are required, a skipped test is a failure."""
    report = yield
    if not hasattr(report, "wasxfail"):
        _forbid_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Where all parts are required, a skipped module is a failure."""
    report = yield
    _forbid_skip(report)
    return report


class _Scopes(LoadScopeScheduling):  # type: ignore[misc]
    """A worker for each module as ever, but for two.

    All that needs a container engine goes to one, for there should be one engine. Lessons on a borrowed cluster go
    where there is room: they take half a minute each, and come last, when the other worker may have nothing left.
    """

    def _split_scope(self, nodeid: str) -> str:
        if "docker" in nodeid:
            return "docker"
        return nodeid if "on_a_borrowed_cluster" in nodeid else str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """Where modules are dealt out to workers, keep the tests of one container engine together."""
    return _Scopes(config, log) if config.getoption("dist") == "loadscope" else None


def _forbid_skip(report: Any) -> None:
    if report.outcome != "skipped" or "all" not in _required():
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not reason.removeprefix("Skipped: ").startswith(PLATFORM):
        report.outcome = "failed"
        report.longrepr = f"skipped, which KAFKALAB_REQUIRE=all does not allow: {reason}"
