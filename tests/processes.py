"""The processes of this machine, as the tests look at them."""

from __future__ import annotations

import psutil

__all__ = ["is_broker", "words"]


def words(process: psutil.Process) -> list[str]:
    """Return a process's command line; none where it has ended since it was listed, or is not ours to look at."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def is_broker(process: psutil.Process) -> bool:
    """Whether a process is a node of a cluster, and still runs."""
    return "kafka.Kafka" in words(process)
