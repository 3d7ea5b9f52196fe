"""What the first start on a machine does before: fetch Kafka, make the cache for quick starts."""

from __future__ import annotations

import sys
import warnings

from kafkalab.clusters.cache import cache_dir, check_writable
from kafkalab.clusters.startup import Startup
from kafkalab.clusters.warmup import ensure_aot_cache
from kafkalab.errors import CacheProblem

__all__ = ["prepared_startup"]


def _tell_first_jar(done: int, total: int, name: str) -> None:
    if done == 1:
        print(f"kafkalab: first start on this machine, fetching Apache Kafka ({total} jars, once) ...", file=sys.stderr)


def prepared_startup() -> Startup:
    """Return Java and Kafka as brokers are started with; what is missing is fetched and made now, and said.

    Raises:
        EnvironmentProblem: Java or Kafka is missing and cannot be had.
    """
    startup = Startup.find(_tell_first_jar)
    if startup.supports_aot and not startup.aot_cache.exists():
        try:
            check_writable(cache_dir())
            print("kafkalab: first start on this machine, preparing quick starts (some 20 s, once)", file=sys.stderr)
            ensure_aot_cache(startup)
        except CacheProblem as problem:
            # It only makes starts quicker: a read-only cache serves, and says what it costs.
            warnings.warn(f"brokers start slowly: {problem}", stacklevel=3)
    return startup
