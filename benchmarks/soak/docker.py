"""Clusters in containers: nothing left of thirty.

It needs an engine: ``python -m tests.docker_engine python -m benchmarks.soak --only docker-leaks`` brings one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from docker import APIClient

from benchmarks.soak.outcome import Advance, Outcome, Soak
from kafkalab import Cluster
from kafkalab.clusters.backends import docker_reaper
from kafkalab.clusters.backends.docker_engine import Engine
from kafkalab.errors import EngineProblem

__all__ = ["LEAKS", "everything"]

_BROKERS = 3
_CLUSTERS = 30
_QUICK_CLUSTERS = 2


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


LEAKS = Soak("docker-leaks", "30 clusters in containers, started and ended: nothing left", _with_engine(_run_leaks))
