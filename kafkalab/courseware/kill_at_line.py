"""The child's side of :mod:`kafkalab.courseware.crashing`: runs one function, and may kill its own process on the way.

Run as a file, not as a module of kafkalab, so that it starts without all that kafkalab imports. One line of JSON on
its standard input says what to run; when that input ends, whoever started it is gone, and the process ends too.
"""

from __future__ import annotations

import json
import linecache
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from types import CodeType, FrameType
from typing import Any

__all__ = ["FILE", "main"]

FILE = "<program>"
_FAILED = 3


def _killer(code: CodeType, statements: Mapping[int, int], target: int, nth: int) -> Callable[..., Any]:
    """Return a trace function that kills this process when ``code`` comes to a statement for the nth time.

    Args:
        code: of the function that is watched.
        statements: the first line of the statement, by each of its lines.
        target: the first line of the statement that is not to be executed.
        nth: 1 for the first time.
    """
    at, arrivals = 0, 0

    def line(frame: FrameType, event: str, argument: object) -> Callable[..., Any]:
        nonlocal at, arrivals
        if event == "line":
            # Python tells of every line of a statement, and goes back and forth between them.
            before, at = at, statements.get(frame.f_lineno, frame.f_lineno)
            arrivals += before != at == target
            if arrivals == nth:
                os.kill(os.getpid(), signal.SIGKILL)
        return line

    return lambda frame, event, argument: line if frame.f_code is code else None


def _watch_parent() -> None:
    # Not by sys.stdin: a thread that holds its lock would abort the interpreter at its end.
    while os.read(0, 1024):
        pass
    os._exit(_FAILED)


def main() -> None:
    """Read the job, run it, and tell on the standard error stream why it failed."""
    job = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_watch_parent, daemon=True).start()
    text = job["text"]
    linecache.cache[FILE] = (len(text), None, text.splitlines(keepends=True), FILE)  # for tracebacks
    names: dict[str, Any] = {"__name__": FILE}
    try:
        exec(compile(text, FILE, "exec"), names)  # noqa: S102 - the learner's own code
        program = names[job["name"]]
        if job["target"]:
            statements = {int(line): first for line, first in job["statements"].items()}
            sys.settrace(_killer(program.__code__, statements, job["target"], job["nth"]))
        program(*job["arguments"])
    except BaseException as error:  # noqa: BLE001 - told to the parent
        sys.settrace(None)
        sys.stderr.write(_told(error))
        sys.stderr.flush()
        os._exit(_FAILED)  # clients that were left open must not keep the process


def _told(error: BaseException) -> str:
    """Return the error, and the last line of the program that led to it."""
    lines = [frame.line for frame in traceback.extract_tb(error.__traceback__) if frame.filename == FILE]
    return json.dumps({"error": f"{type(error).__name__}: {error}".strip(": "), "line": lines[-1] if lines else ""})


if __name__ == "__main__":
    main()
