"""The AOT cache: made once per machine by watching a real broker start and work (JEP 483, 514)."""

from __future__ import annotations

import shutil
from pathlib import Path

from kafkalab.clusters.backends.local import LocalBackend
from kafkalab.clusters.cache import cache_dir, cache_lock, using
from kafkalab.clusters.spec import ClusterSpec
from kafkalab.clusters.startup import Startup
from kafkalab.errors import CacheProblem, EnvironmentProblem

__all__ = ["ensure_aot_cache"]

_READY_SECONDS = 120.0
# The JVM links and writes the cache at its exit.
_WRITE_SECONDS = 180.0
_NEEDED_BYTES = 250 * 1024 * 1024
_WATCHED = 1


def ensure_aot_cache(startup: Startup) -> Path | None:
    """Return the AOT cache for this Java and these jars, made first where it is missing (some 15 s).

    None where this Java is too old to have one.

    Raises:
        CacheProblem: the cache folder cannot be written or is full.
        EnvironmentProblem: the JVM did not write it.
    """
    if not startup.supports_aot:
        return None
    cache = startup.aot_cache
    if not cache.exists():
        with cache_lock(cache_dir(), "aot"):
            if not cache.exists():
                _make(startup, cache)
    return cache


def _make(startup: Startup, cache: Path) -> None:
    with using(cache.parent):
        cache.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(cache.parent).free
    if free < _NEEDED_BYTES:
        raise CacheProblem(f"{cache.parent} has {free // 2**20} MB free, but 250 MB are needed: make room there.")
    partial = cache.with_suffix(".partial")
    backend = LocalBackend(ClusterSpec(brokers=3), startup, flags={_WATCHED: (f"-XX:AOTCacheOutput={partial}",)})
    try:
        backend.start(_READY_SECONDS)
        _work(backend.bootstrap_servers)
        backend.shut_down(_WATCHED, _WRITE_SECONDS)
        log = backend.log(_WATCHED)
    finally:
        backend.close()
    if not partial.exists():
        raise EnvironmentProblem(f"Java did not write its start-up cache: {log.strip()[-400:]}")
    with using(cache.parent):
        partial.replace(cache)
        _remove_outdated(cache)


def _remove_outdated(cache: Path) -> None:
    # The same Java with other jars or flags, 70 MB each; the name begins with a digest of the Java.
    same_java = cache.name[: cache.name.rindex("-") + 1]
    for other in cache.parent.glob(f"{same_java}*.aot"):
        if other != cache:
            other.unlink()


def _work(bootstrap_servers: str) -> None:
    """Do what lessons do first, so that these classes are in the cache as well."""
    from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

    servers = {"bootstrap_servers": bootstrap_servers}
    admin = KafkaAdminClient(**servers)
    admin.create_topics({"warm-up": {"num_partitions": 3, "replication_factor": 3}}, wait_for_metadata=True)
    producer = KafkaProducer(**servers, transactional_id="warm-up")
    producer.init_transactions()
    producer.begin_transaction()
    for number in range(300):
        producer.send("warm-up", key=b"%d" % number, value=b"warm-up")
    producer.commit_transaction()
    producer.close()
    consumer = KafkaConsumer("warm-up", **servers, group_id="warm-up", auto_offset_reset="earliest")
    consumer.poll(timeout_ms=5000)
    consumer.commit()
    consumer.close()
    admin.describe_groups(["warm-up"])
    admin.list_partition_offsets({TopicPartition("warm-up", 0): -1})
    admin.close()
