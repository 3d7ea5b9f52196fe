"""One small process per cluster: it starts the brokers, and ends them when its owner is gone.

It runs this file with nothing but the standard library, so it is up in some 20 ms. It is the parent of the brokers,
so a process id it signals is always theirs. The owner holds the other end of its standard input: whatever ends the
owner (return, exception, kernel restart, ``kill -9``) closes that pipe. A child that the owner forked may keep the
pipe open, so the parent's id is watched as well.

Protocol: one JSON object a line, one answer a line; see the ``do_*`` functions. The owner's side is
:mod:`kafkalab.clusters.processes`.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["LOCK_NAME", "PREFIX", "Supervisor", "main", "remove_abandoned_folders"]

PREFIX = "kafkalab-"
LOCK_NAME = "supervisor.lock"
_OWNER_CHECK_SECONDS = 0.5
_LAST_SECONDS = 60.0
_PR_SET_PDEATHSIG = 1


class Supervisor:
    """The processes and the folder of one cluster."""

    def __init__(self) -> None:
        self.owner = os.getppid()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        self.lock = _lock(self.folder)
        self.last: list[str] = []

    def do_folder(self) -> str:
        return str(self.folder)

    def do_spawn(self, name: str, argv: list[str], cwd: str, log: str) -> int:
        """Start a process; its output is appended to ``log``. Returns its id."""
        with Path(log).open("ab") as out:
            process = subprocess.Popen(
                argv,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - this process has one thread
            )
        self.processes[name] = process
        return process.pid

    def do_last(self, argv: list[str]) -> None:
        """Keep a command for the end, when the processes are gone and the folder is not."""
        self.last = argv

    def do_signal(self, name: str, number: int) -> bool:
        """Send a signal; False where the process has ended already."""
        process = self.processes[name]
        if process.poll() is not None:
            return False
        process.send_signal(number)
        return True

    def do_status(self) -> dict[str, int | None]:
        """Exit code of each process ever started (negative: a signal's number), None while it runs."""
        return {name: process.poll() for name, process in self.processes.items()}

    def answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            return {"result": getattr(self, "do_" + request.pop("do"))(**request)}
        except Exception as error:  # noqa: BLE001 - told to the owner, who raises it
            return {"error": f"{type(error).__name__}: {error}"}

    def serve(self) -> None:
        """Answer requests until the owner is gone."""
        buffer = b""
        while True:
            readable, _, _ = select.select([0], [], [], _OWNER_CHECK_SECONDS)
            if not readable:
                if os.getppid() != self.owner:
                    return
                continue
            chunk = os.read(0, 65536)
            if not chunk:
                return
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                _write_line(self.answer(line))

    def end(self) -> None:
        """Kill what runs, run the last command, and remove the folder."""
        for process in self.processes.values():
            process.kill()  # SIGKILL also ends a process that SIGSTOP paused
        for process in self.processes.values():
            process.wait()
        if self.last:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(
                    self.last, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=_LAST_SECONDS, check=False
                )
        shutil.rmtree(self.folder, ignore_errors=True)


def _lock(folder: Path) -> int:
    # Held until this process ends, however it ends: a folder whose lock is free belongs to nobody.
    # Locked under another name first: nobody may see the lock file before it is held.
    new = folder / "new.lock"
    fd = os.open(new, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    new.rename(folder / LOCK_NAME)
    return fd


def _write_line(answer: dict[str, Any]) -> None:
    data = json.dumps(answer).encode() + b"\n"
    while data:
        data = data[os.write(1, data) :]


def _die_with_parent() -> None:
    # Second line of defence on Linux: kill -9 of the supervisor itself ends the brokers too.
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


_LIBC = ctypes.CDLL(None)


def remove_abandoned_folders() -> list[Path]:
    """Remove folders of clusters whose supervisor was killed before it could; returns them."""
    abandoned = []
    for folder in Path(tempfile.gettempdir()).glob(PREFIX + "*"):
        with contextlib.suppress(OSError):  # another user's, in use, or gone meanwhile
            if _is_abandoned(folder):
                shutil.rmtree(folder)
                abandoned.append(folder)
    return abandoned


def _is_abandoned(folder: Path) -> bool:
    lock = folder / LOCK_NAME
    if folder.stat().st_uid != os.getuid() or not lock.exists():
        return False
    fd = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True


def _exit_on_signal(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def main() -> None:
    """Serve one owner, then leave nothing behind."""
    signal.signal(signal.SIGTERM, _exit_on_signal)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    remove_abandoned_folders()
    supervisor = Supervisor()
    try:
        supervisor.serve()
    except BrokenPipeError:
        pass  # the owner went away while an answer was under way: the same as its end
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        supervisor.end()


if __name__ == "__main__":
    main()
