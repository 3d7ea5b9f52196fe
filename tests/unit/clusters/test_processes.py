"""The supervisor and its owner's side, with small processes in place of brokers."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from kafkalab.clusters import supervisor
from kafkalab.clusters.processes import SupervisedProcesses, is_frozen
from kafkalab.errors import BrokerFailed, NotRunning, WaitTimeout
from kafkalab.waiting import wait_until

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
LOOKS, EVERY = 40, 0.05  # so many looks, so many seconds apart, make the promised two seconds


@pytest.fixture
def processes() -> Iterator[SupervisedProcesses]:
    supervised = SupervisedProcesses()
    yield supervised
    supervised.close()


def _spawn(processes: SupervisedProcesses, name: str = "sleeper", argv: list[str] = SLEEPER) -> int:
    return processes.spawn(name, argv, cwd=processes.folder, log=processes.folder / "log")


def test_output_goes_to_the_log_and_the_exit_code_is_seen(processes: SupervisedProcesses) -> None:
    _spawn(processes, "talker", [sys.executable, "-c", "print('hello'); raise SystemExit(3)"])
    assert processes.wait("talker", 20) == 3
    assert (processes.folder / "log").read_text() == "hello\n"


def test_a_killed_process_shows_its_signal_and_may_be_started_again(processes: SupervisedProcesses) -> None:
    _spawn(processes)
    assert processes.signal("sleeper", signal.SIGKILL)
    assert processes.wait("sleeper", 20) == -signal.SIGKILL
    assert not processes.signal("sleeper", signal.SIGKILL)
    _spawn(processes)
    assert processes.exit_code("sleeper") is None


def test_a_stopped_process_is_frozen_until_it_goes_on(processes: SupervisedProcesses) -> None:
    start = "import threading\nfor _ in range(8): threading.Thread(target=threading.Event().wait).start()"
    pid = _spawn(processes, argv=[sys.executable, "-c", f"{start}\nwhile True: pass"])
    wait_until(lambda: psutil.Process(pid).num_threads() > 8, what="all threads", timeout=30)
    assert not is_frozen(pid)
    processes.signal("sleeper", signal.SIGSTOP)
    wait_until(lambda: is_frozen(pid), what="a frozen process", timeout=30)
    before = psutil.Process(pid).cpu_times()
    processes.signal("sleeper", signal.SIGCONT)
    wait_until(lambda: not is_frozen(pid), what="a process that goes on", timeout=30)
    wait_until(lambda: psutil.Process(pid).cpu_times() != before, what="work", timeout=30)
    processes.signal("sleeper", signal.SIGKILL)
    processes.wait("sleeper", 20)
    assert is_frozen(pid)


def test_waiting_for_the_end_has_a_deadline(processes: SupervisedProcesses) -> None:
    _spawn(processes)
    with pytest.raises(WaitTimeout, match="the end of sleeper"):
        processes.wait("sleeper", 0.05)


def test_a_program_that_is_not_there_is_an_error_with_its_name(processes: SupervisedProcesses) -> None:
    with pytest.raises(BrokerFailed, match="no/such/java"):
        _spawn(processes, "ghost", ["no/such/java"])


def test_close_ends_all_even_paused_ones_and_removes_the_folder() -> None:
    processes = SupervisedProcesses()
    pids = [_spawn(processes, name) for name in ("one", "two")]
    processes.signal("two", signal.SIGSTOP)
    folder = processes.folder
    processes.close()
    processes.close()
    assert not folder.exists()
    assert not any(psutil.pid_exists(pid) for pid in pids)
    with pytest.raises(NotRunning, match="stopped"):
        _spawn(processes)


def test_a_kill_of_the_supervisor_ends_its_processes_and_is_reported() -> None:
    if sys.platform != "linux":
        pytest.skip("the parent-death signal is Linux's")
    processes = SupervisedProcesses()
    pid = _spawn(processes)
    os.kill(processes._supervisor.pid, signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(pid), what="the end of the sleeper", timeout=10)
    with pytest.raises(NotRunning, match="supervisor was killed"):
        processes.exit_code("sleeper")
    folder = processes.folder
    processes.close()
    supervisor.remove_abandoned_folders()  # as every later supervisor does; another test's may be at it just now
    wait_until(lambda: not folder.exists(), what="the end of the folder", timeout=10)


def test_folders_in_use_are_not_abandoned(processes: SupervisedProcesses) -> None:
    assert processes.folder not in supervisor.remove_abandoned_folders()
    assert processes.folder.exists()


def test_termination_of_the_supervisor_leaves_nothing() -> None:
    processes = SupervisedProcesses()
    pid = _spawn(processes)
    processes._supervisor.send_signal(signal.SIGTERM)
    processes._supervisor.wait(10)
    assert not processes.folder.exists()
    assert not psutil.pid_exists(pid)
    processes.close()


OWNER = """
import os, signal, sys, threading, multiprocessing, time
from pathlib import Path
from kafkalab.clusters.processes import SupervisedProcesses

def own():
    global kept
    kept = SupervisedProcesses()
    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
    pid = kept.spawn("sleeper", sleeper, cwd=kept.folder, log=kept.folder / "log")
    print(pid, kept.folder, flush=True)

{body}
"""
ENDINGS = {
    "return": "own()",
    "exception": "own(); raise RuntimeError('on purpose')",
    "kill -9": "own(); os.kill(os.getpid(), signal.SIGKILL)",
    "os._exit": "own(); os._exit(3)",
    "termination": "own(); os.kill(os.getpid(), signal.SIGTERM)",
    "kill -9 after a thread started it": (
        "t = threading.Thread(target=own); t.start(); t.join(); os.kill(os.getpid(), signal.SIGKILL)"
    ),
    "kill -9 while a forked child keeps the pipe open": (
        "own()\nif os.fork() == 0:\n    time.sleep(60); os._exit(0)\nos.kill(os.getpid(), signal.SIGKILL)"
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_two_seconds_after_its_owner_ended_nothing_is_left(ending: str, tmp_path: Path) -> None:
    said = tmp_path / "said"
    with said.open("w") as out:
        owner = subprocess.Popen(
            [sys.executable, "-c", OWNER.format(body=ENDINGS[ending])],
            stdout=out, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        owner.wait(60)
    pid, folder = said.read_text().split()
    # Counted in looks and not by the clock: while the machine stands still, nobody can tidy up, and nobody looks.
    looks = itertools.count(1)
    _, *left = wait_until(
        lambda: (next(looks), psutil.pid_exists(int(pid)), Path(folder).exists()),
        lambda seen: seen[1:] == (False, False) or seen[0] == LOOKS,
        what="an empty stage",
        every=EVERY,
    )
    assert left == [False, False]
    _end_session(owner.pid)


def test_a_thread_that_ends_does_not_end_its_cluster(tmp_path: Path) -> None:
    body = "t = threading.Thread(target=own); t.start(); t.join()\nprint(kept.exit_code('sleeper'), flush=True)"
    done = subprocess.run(
        [sys.executable, "-c", OWNER.format(body=body)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines()[1] == "None"


def _end_session(session: int) -> None:
    """End what the owner forked on purpose."""
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session:
                process.kill()
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue


@pytest.mark.parametrize("ending", ["close", "kill -9"])
def test_a_last_command_runs_when_the_processes_have_ended_and_the_folder_is_there(tmp_path: Path, ending: str) -> None:
    said = tmp_path / "said"
    look = "import os, sys; print(os.path.isdir(sys.argv[1]), file=open(sys.argv[2], 'w'))"
    code = f"""
import os, sys
from kafkalab.clusters.processes import SupervisedProcesses
processes = SupervisedProcesses()
processes.at_the_end([sys.executable, "-c", {look!r}, str(processes.folder), {str(said)!r}])
processes.close() if {ending!r} == "close" else os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", code], timeout=60, check=False)
    assert wait_until(lambda: said.exists() and said.read_text(), what="the last command", timeout=10) == "True\n"
