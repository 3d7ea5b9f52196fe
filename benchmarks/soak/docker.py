"""Clusters in containers: faults, nothing left of thirty, the lessons as on local brokers, how long a start takes.

They need an engine: ``python -m tests.docker_engine python -m benchmarks.soak --only docker-leaks`` brings one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from itertools import product
from pathlib import Path
from statistics import median

from docker import APIClient

from benchmarks.first_record import acknowledge_first_record
from benchmarks.soak.lessons import PROJECT, run_nbval, summary
from benchmarks.soak.outcome import Advance, Outcome, Soak, faults_of
from kafkalab import Cluster, faults, traffic
from kafkalab.clusters.backends import docker_reaper
from kafkalab.clusters.backends.docker_engine import Engine
from kafkalab.errors import EngineProblem
from kafkalab.simulation import Crypto
from kafkalab.waiting import wait_until

__all__ = ["FAULTS", "LEAKS", "LESSONS", "STARTS", "everything"]

_BROKERS = 3
_CLUSTERS = 30
_QUICK_CLUSTERS = 2
_PAIRS = 5
_QUICK_PAIRS = 1
_SHARE = 0.35  # of a docker start, at most
_LAST_LESSON = 6
_MOST_RECORDS = 1_000_000


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


def _run_faults(quick: bool, advance: Advance) -> Outcome:
    """Break the leader and its follower in every way while records are sent."""
    source = Crypto(seed=1)
    (topic,) = source.topics
    kinds = (faults.kill,) if quick else (faults.pause, faults.isolate, faults.stop, faults.kill)
    matrix = list(product(kinds, (faults.leader(topic), faults.followers(topic))))
    # Of two replicas, so that only one node is broken at a time and the other two are a majority.
    two = {topic: {"partitions": 1, "replication_factor": 2}}
    with Cluster(_BROKERS, proxied=True, backend="docker") as cluster:
        with traffic.start(cluster, source, _MOST_RECORDS, rate=400, topics=two, progress=False) as run:
            _wait_for_acknowledgements(run)
            for number, (kind, target) in enumerate(matrix, 1):
                with kind(target).on(cluster):
                    _wait_for_acknowledgements(run)
                cluster.wait_for_isr(topic, 2)
                advance(number / len(matrix))
            run.stop()
        verdict = run.ledger.verify(cluster)
    return Outcome.of(
        faults_of(verdict), f"{len(matrix)} faults, {verdict.acknowledged:,} records, the ledger is clean"
    )


def _wait_for_acknowledgements(run: traffic.Run) -> None:
    before = run.observe().acknowledged
    wait_until(lambda: run.observe().acknowledged > before + 100, what="further acknowledgements", timeout=60)


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
    detail = f"first record after {local:.1f} s local, {docker:.1f} s docker: {local / docker:.2f} (median of {pairs})"
    return Outcome("passed" if local <= _SHARE * docker else "failed", detail)


def _in_docker(command: list[str]) -> list[str]:
    return ["env", "KAFKALAB_BACKEND=docker", *command]


def _lessons() -> list[Path]:
    return [path for path in sorted((PROJECT / "notebooks").glob("[0-9]*.ipynb")) if int(path.name[:2]) <= _LAST_LESSON]


def _run_lessons(quick: bool, advance: Advance) -> Outcome:
    lessons = _lessons()[:1] if quick else _lessons()
    failures: dict[str, str] = {}
    for number, lesson in enumerate(lessons, 1):
        if output := run_nbval([str(lesson.relative_to(PROJECT))], _in_docker):
            failures[f"{lesson.stem}: {summary(output)}"] = output
        advance(number / len(lessons))
    passed = f"{len(lessons)} lessons in containers with the outputs they have on processes"
    return Outcome.of(list(failures), passed, "\n".join(failures.values()))


FAULTS = Soak(
    "docker-faults", "leader and follower broken in every way: the ledger is clean", _with_engine(_run_faults)
)
LEAKS = Soak("docker-leaks", "30 clusters in containers, started and ended: nothing left", _with_engine(_run_leaks))
STARTS = Soak("docker-starts", "a local start takes at most 0.35 of one in containers", _with_engine(_run_starts))
LESSONS = Soak("docker-lessons", "lessons 00 to 06 in containers: the same outputs", _with_engine(_run_lessons))
