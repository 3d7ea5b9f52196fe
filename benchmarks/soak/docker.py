"""Clusters in containers: nothing left of thirty, and how long a start takes.

They need an engine: ``python -m tests.docker_engine python -m benchmarks.soak --only docker-leaks`` brings one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from statistics import median

from docker import APIClient

from benchmarks.first_record import acknowledge_first_record
from benchmarks.soak.outcome import Advance, Outcome, Soak
from kafkalab import Cluster
from kafkalab.clusters.backends import docker_reaper
from kafkalab.clusters.backends.docker_engine import Engine
from kafkalab.errors import EngineProblem

__all__ = ["LEAKS", "STARTS", "everything"]

_BROKERS = 3
_CLUSTERS = 30
_QUICK_CLUSTERS = 2
_PAIRS = 5
_QUICK_PAIRS = 1
_SHARE = 0.35  # of a docker start, at most


def _with_engine(run: Callable[[bool, Advance], Outcome]) -> Callable[[bool, Advance], Outcome]:
    def run_or_skip(quick: bool, advance: Advance) -> Outcome:
        try:
            with closing(Engine()) as engine:
                engine.prepare()
        except EngineProblem as problem:
            return Outcome("skipped", str(problem))
        return run(quick, advance)

    return run_or_skip


def everything(api: APIClient) -> set[str]:
    """Return what there is of anybody's clusters: containers, networks, and volumes, which have no label."""
    labelled = {"label": docker_reaper.FOLDER_LABEL}
    found = [*api.containers(all=True, filters=labelled), *api.networks(filters=labelled)]
    return {each["Id"] for each in found} | {each["Name"] for each in api.volumes()["Volumes"] or []}


def _run_leaks(quick: bool, advance: Advance) -> Outcome:
    count = _QUICK_CLUSTERS if quick else _CLUSTERS
    failures = []
    with closing(Engine()) as engine:
        before = everything(engine.api)
        for number in range(1, count + 1):
            with Cluster(_BROKERS, backend="docker") as cluster:
                folder = cluster.folder
            left = [*sorted(everything(engine.api) - before), *([str(folder)] if folder.exists() else [])]
            failures += [f"cluster {number} left {what}" for what in left]
            advance(number / count)
    return Outcome.of(failures, f"{count} clusters of {_BROKERS} brokers: no container, network, volume or folder left")


def _seconds(backend: str) -> float:
    """Return the seconds until a new cluster has acknowledged its first record."""
    began = time.monotonic()
    with Cluster(_BROKERS, backend=backend) as cluster:
        acknowledge_first_record(cluster.bootstrap_servers, _BROKERS)
        return time.monotonic() - began


def _run_starts(quick: bool, advance: Advance) -> Outcome:
    pairs = _QUICK_PAIRS if quick else _PAIRS
    seen: dict[str, list[float]] = {"local": [], "docker": []}
    for number in range(1, pairs + 1):
        for backend, seconds in seen.items():
            seconds.append(_seconds(backend))
        advance(number / pairs)
    local, docker = (median(seconds) for seconds in seen.values())
    with closing(Engine()) as engine:
        image = engine.prepare()
    detail = (
        f"first record after {local:.1f} s local, {docker:.1f} s in containers of {image}: {local / docker:.2f} "
        f"(median of {pairs})"
    )
    return Outcome("passed" if local <= _SHARE * docker else "failed", detail)


LEAKS = Soak("docker-leaks", "30 clusters in containers, started and ended: nothing left", _with_engine(_run_leaks))
STARTS = Soak("docker-starts", "a local start takes at most 0.35 of one in containers", _with_engine(_run_starts))
