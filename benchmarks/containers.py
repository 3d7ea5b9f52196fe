"""From the call to the first acknowledged record: brokers as processes beside brokers in containers."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from statistics import median

from benchmarks.results import Benchmark, Measure, Result, Tick, describe
from benchmarks.start import seconds_to_first_record
from kafkalab import Cluster
from kafkalab.clusters.backends.docker_engine import Engine
from kafkalab.errors import EngineProblem

__all__ = ["BENCHMARK"]

_BROKERS = 3
_SECONDS = Measure("", "s")
_MEASURE = Measure("start of three brokers, of their time in containers", "", 0.35)


def _run(rounds: int, tick: Tick) -> list[Result]:
    try:
        with closing(Engine()) as engine:
            image = engine.prepare()
    except EngineProblem as problem:
        return [Result(_MEASURE, None, str(problem))]
    seen: dict[str, list[float]] = {"local": [], "docker": []}
    for number in range(rounds):
        for backend in sorted(seen, reverse=bool(number % 2)):
            tick(f"start {_BROKERS}, {backend}")
            seen[backend].append(seconds_to_first_record(partial(Cluster, backend=backend), _BROKERS))
    detail = f"{describe('processes', seen['local'], _SECONDS)}, {describe(image, seen['docker'], _SECONDS)}"
    return [Result(_MEASURE, median(seen["local"]) / median(seen["docker"]), detail)]


BENCHMARK = Benchmark(
    name="containers",
    measures=(_MEASURE,),
    method=(
        "as start, with `Cluster(3, backend=...)` on both sides: the same properties and the same JVM options (small "
        "heap, serial GC, C1), so what differs is the container, and what Java finds of classes loaded before: "
        "an AOT cache here, the image's CDS archives there. `kafkalab-tests/kafka` is an image made for the tests: "
        "steps and archives as in the official image, locked jars, Java 25. Without a container engine the row is left "
        "out; `python -m tests.docker_engine make bench` brings one."
    ),
    rounds=5,
    steps=2,
    run=_run,
)
