"""A process that ends with this one, told and heard by lines; the owner's side of :mod:`kafkalab.traffic.owner`."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

__all__ = ["Child"]

_END_SECONDS = 15.0  # it ends by itself within four, on a machine that is not busy


class Child:
    """A Python module that runs as a process.

    Args:
        module: whose ``main`` calls :func:`kafkalab.traffic.owner.serve`.
        settings: what it is to do, JSON-able.
    """

    def __init__(self, module: str, settings: Any) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is the owner's
        )
        self.tell(settings)

    def tell(self, message: Any) -> None:
        """Say something, JSON-able; one that has ended does not hear it."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ValueError):
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()

    def heard(self) -> Iterator[list[bytes]]:
        """Iterate what it says, some lines at a time, until it ends; a line that was cut is left out."""
        assert self._process.stdout is not None
        rest = b""
        with self._process.stdout as stdout:
            while data := os.read(stdout.fileno(), 1 << 16):
                *lines, rest = (rest + data).split(b"\n")
                yield lines

    def wait(self) -> int:
        """Return its exit code when it has ended; negative for a signal's number."""
        code = self._process.wait()
        self.release()
        return code

    def kill(self) -> None:
        """End it at once, if it lives."""
        if self._process.poll() is None:
            self._process.kill()

    def release(self) -> None:
        """Close its standard input, by which it is told to end."""
        with contextlib.suppress(BrokenPipeError, ValueError):
            self._process.stdin.close()  # type: ignore[union-attr]

    def end(self) -> None:
        """Let it end in good order, and kill it when it does not; returns when it has ended."""
        self.release()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
