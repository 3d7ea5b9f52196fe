"""Apache Kafka: its Java, the cache with its jars, the start-up cache, and a broker that really runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import time

from kafkalab.cli.checks.finding import Finding, ok, problem, warning
from kafkalab.clusters.cache import cache_dir, check_writable
from kafkalab.clusters.fetching import OFFLINE_VARIABLE, is_offline, sha256_of
from kafkalab.clusters.java import JAVA_HOME_VARIABLE, find_java
from kafkalab.clusters.locks import JARS_FOLDER, LOCK_NAME, LockedJar, read_lock
from kafkalab.errors import CacheProblem

__all__ = ["check_aot_cache", "check_broker", "check_cache", "check_jars", "check_java"]

_JAVA_SECONDS = 30.0
# All jars, and the AOT cache while it is written.
_CACHE_BYTES = 350 * 2**20
_FETCH = "run `kafkalab fetch`"


def check_java() -> Finding:
    """Check that there is a Java for the brokers, and that it starts."""
    java = find_java()
    source = (
        f"{JAVA_HOME_VARIABLE}={os.environ[JAVA_HOME_VARIABLE]}" if os.environ.get(JAVA_HOME_VARIABLE) else "built in"
    )
    command = [str(java.executable), "-version"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace", timeout=_JAVA_SECONDS)
    if done.returncode != 0:
        said = (done.stderr + done.stdout).strip() or f"exit code {done.returncode}"
        return problem(
            f"{java.executable} does not start ({said.splitlines()[0]})",
            f"set {JAVA_HOME_VARIABLE} to a Java 17 or newer that does",
        )
    return ok(f"Java {java.version} ({source})")


def check_cache() -> Finding:
    """Check that the cache folder can be written and has room, or is complete without."""
    folder = cache_dir()
    complete = not _wrong_jars()
    try:
        check_writable(folder)
    except CacheProblem as unwritable:
        if not complete:
            raise
        return warning(
            f"{folder} cannot be written, but is complete",
            str(unwritable).rpartition(": ")[2].removesuffix("."),
        )
    free = shutil.disk_usage(folder).free
    message = f"{folder}, {free // 2**20} MB free"
    if free < _CACHE_BYTES and not complete:
        return problem(message, f"make room there: Kafka needs {_CACHE_BYTES // 2**20} MB")
    return ok(message)


def check_jars() -> Finding:
    """Hash every jar and compare it with the lock files."""
    wrong = _wrong_jars()
    if not wrong:
        return ok(f"all {len(_locked_jars())} jars are there, each with its locked SHA-256")
    altered = [jar for jar in wrong if (cache_dir() / "maven" / jar.path).exists()]
    if altered:
        return problem(f"{altered[0].file_name} differs from its locked SHA-256 (altered or cut short)", _FETCH)
    message = f"{len(wrong)} of {len(_locked_jars())} jars are missing ({wrong[0].file_name} first)"
    if is_offline():
        return problem(message, f"{_FETCH} with a network and without {OFFLINE_VARIABLE}")
    return warning(f"{message}; the first start will fetch them", _FETCH)


def check_aot_cache() -> Finding:
    """Check that brokers start with an AOT cache of this Java and these jars."""
    from kafkalab.clusters.startup import Startup

    if _wrong_jars():
        return warning("there is no AOT cache without the jars", _FETCH)
    startup = Startup.find()
    if not startup.supports_aot:
        return warning(
            f"Java {startup.java.version} has no AOT cache: brokers start more slowly",
            f"unset {JAVA_HOME_VARIABLE}, or set it to a Java 25 or newer",
        )
    if not startup.aot_cache.exists():
        return warning("the AOT cache is not made yet: brokers start slowly until it is", _FETCH)
    return ok(f"AOT cache of {startup.aot_cache.stat().st_size // 2**20} MB")


def check_broker() -> Finding:
    """Start one broker, send it a record and read that back."""
    if _wrong_jars():
        return warning("no broker was tried without all jars", f"{_FETCH}, then `kafkalab doctor` again")
    from kafkalab import Cluster
    from kafkalab.cli.proof import first_record
    from kafkalab.clusters.cluster import own_backend

    began = time.monotonic()
    with Cluster(brokers=1, backend=own_backend()) as cluster:
        ready = time.monotonic() - began
        record = first_record(cluster)
    return ok(f"one broker ready in {ready:.1f} s, one record there and back in {record:.1f} s")


def _locked_jars() -> set[LockedJar]:
    return {jar for name in ("broker", "tools") for jar in read_lock(JARS_FOLDER / name / LOCK_NAME).jars}


def _wrong_jars() -> list[LockedJar]:
    """Return the jars that are missing or altered; unlike ``broker_jars``, fetch none."""
    folder = cache_dir() / "maven"
    return sorted(
        jar for jar in _locked_jars() if not (folder / jar.path).is_file() or sha256_of(folder / jar.path) != jar.sha256
    )
