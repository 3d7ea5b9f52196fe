"""Three brokers and lesson 00 inside the 2 GB that a seat on a free notebook host has."""

from __future__ import annotations

import os

from benchmarks.soak.cgroup import MemoryGroup, make_memory_group
from benchmarks.soak.lessons import lesson_files, run_nbval, summary
from benchmarks.soak.outcome import Advance, Outcome, Soak
from kafkalab.errors import EnvironmentProblem

__all__ = ["SOAK"]

_LIMIT_BYTES = 2 * 10**9


def _run(quick: bool, advance: Advance) -> Outcome:
    lesson = [file for file in lesson_files() if file.startswith("notebooks/00_")]
    if not lesson:
        return Outcome("failed", "there is no lesson 00 in notebooks/: build it with `make notebooks`.")
    try:
        group = make_memory_group(f"kafkalab-seat-{os.getpid()}")
    except EnvironmentProblem as problem:
        return Outcome("skipped", str(problem))
    try:
        group.limit(_LIMIT_BYTES)
        return _outcome(group, run_nbval(lesson, group.command))
    finally:
        group.remove()
        advance(1.0)


def _outcome(group: MemoryGroup, output: str) -> Outcome:
    used = f"peak {group.peak_bytes / 10**6:.0f} of {_LIMIT_BYTES / 10**6:.0f} MB, file cache included"
    failures = [f"the kernel killed {group.kills} processes for the limit; {used}"] if group.kills else []
    failures += [f"lesson 00: {summary(output)}; {used}"] if output else []
    return Outcome.of(failures, f"{used}, no process killed (control groups version {group.version})", output)


SOAK = Soak("seat", "three brokers and lesson 00 in 2 GB of memory", _run)
