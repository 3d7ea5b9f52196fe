"""The promises of tests/conftest.py, on runs of pytest that break them."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from kafkalab.waiting import wait_until

CONFTEST = Path(__file__).parents[1] / "conftest.py"
TINY_TEST = "def test_it(): pass\n"
SKIPPED = "import pytest\ndef test_it(): pytest.skip({reason!r})\n"
MISSING = "def test_it(require): require('docker', 'no engine answers')\n"
# A process whose command line names a file of the run, as a broker's names its properties.
LEAVES_PROCESS = """
import subprocess, sys, tempfile
def test_it():
    code = "import signal; print('up', flush=True); signal.pause()"
    command = [sys.executable, "-c", code, tempfile.gettempdir() + "/server.properties"]
    global child  # never reaped by this run, as a process that outlives its owner
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert child.stdout.readline()
"""
LEAVES_FOLDER = "import tempfile\ndef test_it(): tempfile.mkdtemp(prefix='kafkalab-')\n"


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    pytester.makeconftest(CONFTEST.read_text(encoding="utf-8").replace("GRACE = 60.0", "GRACE = 0.2"))
    monkeypatch.delenv("KAFKALAB_REQUIRE", raising=False)
    return pytester


def outcome(run: pytest.Pytester, test: str, *arguments: str) -> pytest.RunResult:
    run.makepyfile(test)
    return run.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["one process", "a worker"])
def test_a_left_folder_fails_the_run(run: pytest.Pytester, workers: tuple[str, ...]) -> None:
    result = outcome(run, LEAVES_FOLDER, *workers)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["left behind by this run:", "folder kafkalab-*"])


def test_a_left_process_fails_the_run_and_is_ended(run: pytest.Pytester) -> None:
    result = outcome(run, LEAVES_PROCESS)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["left behind by this run:", "process *server.properties"])
    pid = next(line.split()[1].rstrip(":") for line in result.outlines if line.startswith("process "))
    wait_until(lambda: not _runs(int(pid)), what="the end of the left process", timeout=5)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_clean_run_passes_and_removes_its_folder(run: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(run.path))
    outcome(run, TINY_TEST).assert_outcomes(passed=1)
    assert not list(run.path.glob("kafkalab-*"))


@pytest.mark.parametrize(("required", "failed"), [("", 0), ("chromium", 0), ("docker,chromium", 1), ("all", 1)])
def test_a_missing_part_skips_or_fails(
    run: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, required: str, failed: int
) -> None:
    monkeypatch.setenv("KAFKALAB_REQUIRE", required)
    result = outcome(run, MISSING, "-rs")
    result.assert_outcomes(failed=failed, skipped=1 - failed)
    result.stdout.fnmatch_lines(["*docker*no engine answers*"])


@pytest.mark.parametrize(
    ("test", "counts"),
    [
        (SKIPPED.format(reason="no screen"), {"failed": 1}),
        (SKIPPED.format(reason="platform: macOS only"), {"skipped": 1}),
        ("import pytest\npytest.importorskip('no_such_module')\n", {"errors": 1}),
        ("import pytest\n@pytest.mark.xfail\ndef test_it(): assert False\n", {"xfailed": 1}),
    ],
    ids=["skip", "platform", "module", "xfail"],
)
def test_where_all_is_required_no_skip_passes(
    run: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, test: str, counts: dict[str, int]
) -> None:
    monkeypatch.setenv("KAFKALAB_REQUIRE", "all")
    outcome(run, test).assert_outcomes(**counts)
