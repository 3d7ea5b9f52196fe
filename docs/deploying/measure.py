"""What one seat takes on this machine: ``.venv/bin/python docs/deploying/measure.py`` (Linux; about two minutes).

JupyterLab is started as a learner does, with a folder of its own. All processes whose command line names that folder
are the seat: the server, a kernel, the cluster's supervisor and its brokers. Their memory is the sum of their
proportional set sizes, in which a page shared by several processes counts once. Nothing else should run beside it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from statistics import mean

import nbformat
import psutil
from jupyter_client.manager import start_new_kernel

from kafkalab.courseware.execute import execute
from kafkalab.waiting import wait_until

LESSON = Path(__file__).parents[2] / "notebooks/solutions/04_replication.ipynb"
IDLE_SECONDS = 30.0
IDLE_CELL = "import matplotlib.pyplot, pandas; from kafkalab import Cluster; cluster = Cluster(3).start()"


class Seat:
    """The processes of one seat; what is asked of them is remembered of those that have ended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processor_seconds: dict[tuple[int, float], float] = {}

    def look(self) -> float:
        """Return the memory that all take now, in MB of 1,000,000 bytes, and note their processor time."""
        return sum(self._look_at(process) for process in psutil.process_iter()) / 1_000_000

    def _look_at(self, process: psutil.Process) -> int:
        with suppress(psutil.Error):  # it has ended since it was listed
            if str(self.folder) in " ".join(process.cmdline()):
                times = process.cpu_times()
                self.processor_seconds[process.pid, process.create_time()] = times.user + times.system
                return int(process.memory_full_info().pss)
        return 0

    def watch(self, label: str, is_over: Callable[[], bool]) -> None:
        """Look twice a second until it is over, and print what was seen."""
        self.look()
        began, before = time.monotonic(), sum(self.processor_seconds.values())
        sizes: list[float] = []

        def look() -> bool:
            over = is_over()
            sizes.append(self.look())
            return over

        wait_until(look, what=label, timeout=900, every=0.5)
        seconds, used = time.monotonic() - began, sum(self.processor_seconds.values()) - before
        print(f"{label:<34} {mean(sizes):5.0f} MB, at most {max(sizes):.0f}; {used:.1f} s of a core in {seconds:.0f} s")


def main() -> None:
    """Measure, and print a line for each state."""
    with tempfile.TemporaryDirectory(prefix="seat-") as name:
        folder = Path(name)
        os.environ |= {"TMPDIR": name, "JUPYTER_RUNTIME_DIR": name, "KAFKALAB_PROGRESS_FILE": ":memory:"}
        tempfile.tempdir = name
        seat = Seat(folder)
        lab = start_lab(folder, seat)
        try:
            seat.watch("JupyterLab, idle", after(IDLE_SECONDS))
            watch_idle_cluster(seat)
            watch_lesson(seat, folder)
        finally:
            lab.terminate()
            lab.wait(timeout=30)


def start_lab(folder: Path, seat: Seat) -> subprocess.Popen[bytes]:
    """Start ``kafkalab lab``, and return when it serves."""
    command = ["kafkalab", "lab", "--no-browser", "--port", "0", "--workspace", str(folder / "workspace")]
    lab = subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seat.watch("its start, with a first record", lambda: any(folder.glob("jpserver-*.json")))
    return lab


def watch_idle_cluster(seat: Seat) -> None:
    """A kernel with three brokers, and nobody at work."""
    manager, client = start_new_kernel(extra_arguments=["--log-level=ERROR"])
    try:
        client.execute_interactive(IDLE_CELL, timeout=120)
        seat.watch("and a kernel, three idle brokers", after(IDLE_SECONDS))
    finally:
        client.stop_channels()
        manager.shutdown_kernel()


def watch_lesson(seat: Seat, folder: Path) -> None:
    """A whole lesson, from its first cell to its last, without a pause to read."""
    notebook = nbformat.read(LESSON, as_version=4)  # type: ignore[no-untyped-call]
    with ThreadPoolExecutor(1) as one:
        run = one.submit(execute, notebook, folder)
        seat.watch(f"and {LESSON.stem}, while it runs", run.done)
        run.result()


def after(seconds: float) -> Callable[[], bool]:
    """Return what is true from then on."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


if __name__ == "__main__":
    main()
