"""The owner's side of the supervisor: processes that end with this one, and a folder that goes with them."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psutil

from kafkalab.clusters import supervisor
from kafkalab.errors import BrokerFailed, EnvironmentProblem, NotRunning
from kafkalab.waiting import wait_until

__all__ = ["SupervisedProcesses", "is_frozen"]

_END_SECONDS = 60.0  # as long as a last command may take


class SupervisedProcesses:
    """Named processes under one supervisor, and their folder.

    Safe to use from several threads. When this Python process ends, however it ends, the supervisor kills the
    processes and removes the folder.
    """

    def __init__(self) -> None:
        if sys.platform == "win32":
            raise EnvironmentProblem(
                "Apache Kafka does not run on Windows itself: use WSL2, and install kafkalab there."
            )
        self._lock = threading.Lock()
        # A session of its own: Ctrl-C in the terminal and a kernel interrupt must not reach the brokers.
        self._supervisor = subprocess.Popen(
            [sys.executable, "-I", "-S", supervisor.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.folder = Path(self._ask("folder"))

    def spawn(self, name: str, argv: list[str], *, cwd: Path, log: Path) -> int:
        """Start ``argv`` under ``name``; its output is appended to ``log``. Returns its process id."""
        pid: int = self._ask("spawn", name=name, argv=argv, cwd=str(cwd), log=str(log))
        return pid

    def at_the_end(self, argv: list[str]) -> None:
        """Run a command when the processes have been ended and the folder is still there, whatever ends this one."""
        self._ask("last", argv=argv)

    def signal(self, name: str, number: signal.Signals) -> bool:
        """Send a signal; False where the process has ended already."""
        sent: bool = self._ask("signal", name=name, number=int(number))
        return sent

    def exit_code(self, name: str) -> int | None:
        """Exit code (negative: a signal's number), or None while the process runs."""
        status: dict[str, int | None] = self._ask("status")
        return status[name]

    def wait(self, name: str, timeout: float) -> int:
        """Return the exit code when the process has ended.

        Raises:
            WaitTimeout: it still runs.
        """
        code = wait_until(
            lambda: self.exit_code(name),
            lambda code: code is not None,
            what=f"the end of {name}",
            timeout=timeout,
            every=0.01,
        )
        assert code is not None
        return code

    def close(self) -> None:
        """End all processes and remove the folder; returns when that is done. May be called again."""
        with self._lock:
            if self._supervisor.stdin is None or self._supervisor.stdin.closed:
                return
            with contextlib.suppress(BrokenPipeError):  # it was killed: a request it never read is still buffered
                self._supervisor.stdin.close()
            try:
                self._supervisor.wait(_END_SECONDS)
            except subprocess.TimeoutExpired as error:
                raise BrokerFailed(
                    f"the cluster's processes did not end in {_END_SECONDS:g} s: look for {self.folder} in `ps ax`."
                ) from error
            finally:
                if self._supervisor.stdout is not None:
                    self._supervisor.stdout.close()

    def _ask(self, what: str, **arguments: object) -> Any:
        request = json.dumps({"do": what, **arguments}).encode() + b"\n"
        with self._lock:
            answer = json.loads(self._exchange(request))
        if "error" in answer:
            raise BrokerFailed(f"the cluster's supervisor could not {what}: {answer['error']}.")
        return answer["result"]

    def _exchange(self, request: bytes) -> bytes:
        stdin, stdout = self._supervisor.stdin, self._supervisor.stdout
        if stdin is None or stdout is None or stdin.closed:
            raise NotRunning("the cluster is stopped: start a new one with Cluster().start().")
        try:
            stdin.write(request)
            stdin.flush()
            line = stdout.readline()
        except BrokenPipeError:
            line = b""
        if not line:
            raise NotRunning("the cluster's supervisor was killed, and its brokers with it: start a new cluster.")
        return line


def is_frozen(pid: int) -> bool:
    """Return whether a process that was sent SIGSTOP stands still, all of its threads; one that has ended does."""
    try:
        # SIGSTOP reaches one thread after the other. On Linux each has a state of its own.
        threads = [thread.id for thread in psutil.Process(pid).threads()] if sys.platform == "linux" else [pid]
        states = [psutil.Process(thread).status() for thread in threads]
    except psutil.NoSuchProcess:
        return True
    return all(state in {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE} for state in states)
