"""The lessons and solutions under strict nbval, again and again, two at a time; how long they take."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from benchmarks.soak.outcome import Advance, Outcome, Soak

__all__ = ["NBVAL", "PROJECT", "SOAK", "lesson_files", "run_nbval", "seconds_of", "summary"]

PROJECT = Path(__file__).parents[2]
# As the Makefile has them; a test holds the two together.
NBVAL = (
    "--nbval",
    "--nbval-current-env",
    "--nbval-cell-timeout=120",
    "--nbval-kernel-startup-timeout=120",
    "--nbval-sanitize-with",
    "tests/notebooks/sanitize.cfg",
)
_TIMES = 10
_QUICK_TIMES = 1
_WORKERS = ("-n", "2", "--dist", "loadscope")  # as in `make test`
_SECONDS = 1800.0
_SHOWN_LINES = 5
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def lesson_files(project: Path = PROJECT) -> list[str]:
    """Return the lessons, then the solutions, relative to ``project``."""
    folder = project / "notebooks"
    found = sorted(folder.glob("*.ipynb")) + sorted(folder.glob("solutions/*.ipynb"))
    return [str(path.relative_to(project)) for path in found]


def run_nbval(files: Sequence[str], wrap: Callable[[list[str]], list[str]] = list, options: Sequence[str] = ()) -> str:
    """Run ``files`` under strict nbval; return all that a failed run printed, "" for a passed one.

    Args:
        files: notebooks, relative to the project.
        wrap: turns the command into the one to run.
        options: more of pytest's.

    Raises:
        subprocess.TimeoutExpired: they took longer than half an hour.
    """
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *NBVAL, *options, *files]
    done = subprocess.run(
        wrap(command),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_SECONDS,
        check=False,
    )
    return "" if done.returncode == 0 else _COLOUR.sub("", done.stdout + done.stderr)


def summary(output: str) -> str:
    """Return the lines of a failed pytest run that name what failed and how many, or else its end."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    named = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return "; ".join([*named[:_SHOWN_LINES], *lines[-1:]]) if named else " ".join(lines[-_SHOWN_LINES:])


def seconds_of(report: str) -> dict[str, float]:
    """Return the seconds that each notebook took, by its name with the folder, from pytest's report in JUnit's XML."""
    seconds: dict[str, float] = defaultdict(float)
    for cell in ET.fromstring(report).iter("testcase"):
        seconds[cell.get("classname", "").removesuffix(".ipynb")] += float(cell.get("time", 0))
    return seconds


def _timed(files: Sequence[str]) -> tuple[str, float, dict[str, float]]:
    """Run all once; return what a failed run printed, the seconds it took in all, and for each notebook."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        began = time.monotonic()
        output = run_nbval(files, options=(*_WORKERS, f"--junitxml={report}"))
        return output, time.monotonic() - began, seconds_of(report.read_text()) if report.exists() else {}


def _run(quick: bool, advance: Advance) -> Outcome:
    files = lesson_files()
    if not files:
        return Outcome("failed", "there are no lessons in notebooks/: build them with `make notebooks`.")
    times = _QUICK_TIMES if quick else _TIMES
    failures: dict[str, str] = {}
    longest = 0.0
    slowest: dict[str, float] = {"none": 0.0}
    for number in range(times):
        output, seconds, each = _timed(files)
        if output:
            failures[f"run {number + 1}: {summary(output)}"] = output
        longest = max(longest, seconds)
        slowest = {name: max(each.get(name, 0.0), slowest.get(name, 0.0)) for name in {*slowest, *each}}
        advance((number + 1) / times)
    name = max(slowest, key=lambda name: slowest[name])
    took = f"the longest run took {longest / 60:.1f} min, the slowest notebook {slowest[name]:.0f} s ({name})"
    return Outcome.of(list(failures), f"{len(files)} notebooks, {times} times; {took}", "\n".join(failures.values()))


SOAK = Soak("lessons", "all lessons and solutions under strict nbval ten times in a row", _run)
