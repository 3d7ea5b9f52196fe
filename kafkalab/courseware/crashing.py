"""A notebook's function in a process of its own, which may be killed before a line that is named.

So a lesson shows what a crash at a certain point leaves behind: the function is ordinary code, with no marks in it,
and the crash is a real one. The process sends itself SIGKILL (``kill -9``): nothing is closed, flushed or committed
on the way, and no ``except`` or ``finally`` runs.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kafkalab.courseware import kill_at_line
from kafkalab.courseware.program import Program, Step
from kafkalab.errors import InvalidArgument, WaitTimeout

__all__ = ["Ending", "run_process"]

_SECONDS = 60.0
_LONGEST = 60  # characters of a line in a sentence


@dataclass(frozen=True, repr=False)
class Ending:
    """How a process ended; a notebook shows it as a sentence.

    Attributes:
        program: the function's name.
        killed_before: the line that was not executed any more; empty where the process was not killed.
        nth: which time it came to that line.
        error: what ended it, and at which line; empty where it ran to its end or was killed.
    """

    program: str
    killed_before: str = ""
    nth: int = 0
    error: str = ""

    def __repr__(self) -> str:
        if self.killed_before:
            return f"{self.program}: killed before `{_short(self.killed_before)}`, the {_ordinal(self.nth)} time"
        return f"{self.program}: failed with {self.error}" if self.error else f"{self.program}: ran to its end"


def run_process(
    function: Callable[..., Any],
    *arguments: object,
    kill_before: str | Step = "",
    nth: int = 1,
    timeout: float = _SECONDS,
) -> Ending:
    """Run a function in a process of its own, and return how that ended; what it prints is printed then.

    Args:
        function: written in Python; see :class:`kafkalab.courseware.program.Program` for what it may use.
        arguments: what to call it with: numbers, text, and lists or dicts of them.
        kill_before: some text of the one line before which the process is to be killed (SIGKILL), or the step
            itself. Empty: it is not killed.
        nth: which time it comes to that line, from 1; where it never does, it is not killed.
        timeout: seconds until it has to have ended.

    Raises:
        InvalidArgument: no line has that text, or several have; or the function needs what cannot be handed over.
        WaitTimeout: it did not end in time; it was killed then.
    """
    program = Program(function)
    target = program.find(kill_before) if isinstance(kill_before, str) and kill_before else kill_before
    job = {
        "text": program.text,
        "name": program.name,
        "arguments": arguments,
        "target": target.line if isinstance(target, Step) else 0,
        "nth": nth,
        "statements": {line: step.line for step in program.steps for line in range(step.line, step.end + 1)},
    }
    code, printed, said = _run(_as_json(job), program.name, timeout)
    print(printed, end="")
    if code == -signal.SIGKILL and isinstance(target, Step):
        return Ending(program.name, killed_before=target.text, nth=nth)
    return Ending(program.name, error=_error(code, said))


def _as_json(job: dict[str, Any]) -> str:
    try:
        return json.dumps(job)
    except TypeError as error:
        raise InvalidArgument(f"an argument cannot be handed to another process ({error}): give its text.") from None


def _run(job: str, name: str, timeout: float) -> tuple[int, str, str]:
    """Return the exit code, what was printed, and what was told on the standard error stream."""
    with tempfile.TemporaryFile("w+") as printed, tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [sys.executable, "-P", "-u", kill_at_line.__file__],
            stdin=subprocess.PIPE,  # stays open: where it ends, the child knows that its parent is gone
            stdout=printed,
            stderr=said,
            text=True,
            start_new_session=True,  # Ctrl-C is the notebook's
        )
        try:
            _hand_over(process, job, name, timeout)
        finally:
            process.kill()
            process.wait()
        for file in (printed, said):
            file.seek(0)
        return process.returncode, printed.read(), said.read()


def _hand_over(process: subprocess.Popen[str], job: str, name: str, timeout: float) -> None:
    """Give a process its job, and return when it has ended."""
    assert process.stdin is not None
    with process.stdin as pipe:
        pipe.write(job + "\n")
        pipe.flush()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise WaitTimeout(f"{name} did not end within {timeout:g} s: see that each of its loops ends.") from None


def _error(code: int, said: str) -> str:
    if code == 0:
        return ""
    try:
        told = json.loads(said.splitlines()[-1])
    except (IndexError, ValueError):
        return f"exit code {code}"
    return f"{told['error']}, at `{told['line']}`" if told["line"] else str(told["error"])


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
