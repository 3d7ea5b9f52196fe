"""What the first start on a machine does before: fetch Kafka, make the cache for quick starts."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from kafkalab.clusters.cache import cache_dir, check_writable
from kafkalab.clusters.startup import Startup
from kafkalab.errors import CacheProblem

__all__ = ["prepared_startup", "quick_start_cache"]


def prepared_startup() -> Startup:
    """Return Java and Kafka as brokers are started with; what is missing is fetched and made now, and said.

    Raises:
        EnvironmentProblem: Java or Kafka is missing and cannot be had.
    """
    startup = Startup.find(_tell_first_jar)
    quick_start_cache(startup, _tell, lambda problem: warnings.warn(problem, stacklevel=5))
    return startup


def quick_start_cache(
    startup: Startup, busy: Callable[[str], AbstractContextManager[None]], warn: Callable[[str], None]
) -> Path | None:
    """Return the AOT cache, made first where it is missing; None where there is none, for it only saves time.

    Args:
        startup: whose.
        busy: entered while it is made, with a sentence that says so.
        warn: called with a sentence where it cannot be kept, as in a class that shares a read-only cache folder.

    Raises:
        EnvironmentProblem: the JVM did not write it.
    """
    if not startup.supports_aot:
        return None
    if startup.aot_cache.exists():
        return startup.aot_cache
    # Imported only where it is needed: it brings the Kafka client, which takes longer than all the rest.
    from kafkalab.clusters.warmup import ensure_aot_cache

    try:
        check_writable(cache_dir())
        with busy(f"Preparing quick starts in {cache_dir()} (some 20 s, once)"):
            return ensure_aot_cache(startup)
    except CacheProblem as problem:
        warn(f"brokers start slowly: {problem}")
        return None


def _tell_first_jar(done: int, total: int, name: str) -> None:
    if done == 1:
        print(f"kafkalab: first start on this machine, fetching Apache Kafka ({total} jars, once) ...", file=sys.stderr)


@contextmanager
def _tell(what: str) -> Iterator[None]:
    print(f"kafkalab: {what} ...", file=sys.stderr)
    yield
