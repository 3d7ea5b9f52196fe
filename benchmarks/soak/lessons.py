"""The lessons and solutions under strict nbval, again and again."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.soak.outcome import Advance, Outcome, Soak

__all__ = ["NBVAL", "PROJECT", "SOAK", "lesson_files", "run_nbval", "summary"]

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
_SECONDS = 1800.0
_SHOWN_LINES = 5
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def lesson_files(project: Path = PROJECT) -> list[str]:
    """Return the lessons, then the solutions, relative to ``project``."""
    folder = project / "notebooks"
    found = sorted(folder.glob("*.ipynb")) + sorted(folder.glob("solutions/*.ipynb"))
    return [str(path.relative_to(project)) for path in found]


def run_nbval(files: Sequence[str], wrap: Callable[[list[str]], list[str]] = list) -> str:
    """Run ``files`` under strict nbval, one after the other; return what failed, "" for nothing.

    Args:
        files: notebooks, relative to the project.
        wrap: turns the command into the one to run.

    Raises:
        subprocess.TimeoutExpired: they took longer than half an hour.
    """
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *NBVAL, *files]
    done = subprocess.run(
        wrap(command),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_SECONDS,
        check=False,
    )
    return "" if done.returncode == 0 else summary(done.stdout + done.stderr)


def summary(output: str) -> str:
    """Return the lines of a failed pytest run that name what failed and how many, or else its end."""
    lines = [line.strip() for line in _COLOUR.sub("", output).splitlines() if line.strip()]
    named = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return "; ".join([*named[:_SHOWN_LINES], *lines[-1:]]) if named else " ".join(lines[-_SHOWN_LINES:])


def _run(quick: bool, advance: Advance) -> Outcome:
    files = lesson_files()
    if not files:
        return Outcome("failed", "there are no lessons in notebooks/: build them with `make notebooks`.")
    times = _QUICK_TIMES if quick else _TIMES
    failures: list[str] = []
    for number in range(times):
        if failure := run_nbval(files):
            failures.append(f"run {number + 1}: {failure}")
        advance((number + 1) / times)
    return Outcome.of(failures, f"{len(files)} notebooks, {times} times")


SOAK = Soak("lessons", "all lessons and solutions under strict nbval ten times in a row", _run)
