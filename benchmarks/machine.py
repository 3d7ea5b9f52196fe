"""The machine a report was made on."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

import psutil

from kafkalab.clusters.distribution import KAFKA_VERSION, find_java
from kafkalab.clusters.java import Java

__all__ = ["cpu_model", "describe_machine", "java_release"]

_CPU_FILE = Path("/proc/cpuinfo")


def describe_machine() -> dict[str, str]:
    """Return what a reader needs to compare figures: cores, memory, processor, system and versions."""
    cpu_text = _CPU_FILE.read_text() if _CPU_FILE.exists() else ""
    return {
        "cores": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "processor": cpu_model(cpu_text) or platform.processor() or platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "Java": java_release(find_java()),
        "Apache Kafka": KAFKA_VERSION,
    }


def cpu_model(cpuinfo: str) -> str:
    """Return the first model name in the text of Linux's ``/proc/cpuinfo``; "" where there is none."""
    match = re.search(r"^model name\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return match.group(1).strip() if match else ""


def java_release(java: Java) -> str:
    """Return the full version from the ``release`` file of ``java``, or its feature release."""
    release = java.home / "release"
    text = release.read_text(errors="replace") if release.exists() else ""
    match = re.search(r'^JAVA_VERSION="?([^"\n]+)', text, re.MULTILINE)
    return match.group(1) if match else str(java.version)
