"""From the call to the first acknowledged record: kafkalab beside stock Kafka."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from statistics import median
from typing import Protocol

from benchmarks.first_record import acknowledge_first_record
from benchmarks.results import Benchmark, Measure, Result, Tick, describe
from benchmarks.stock import StockCluster
from kafkalab import Cluster
from kafkalab.clusters.startup import Startup

__all__ = ["BENCHMARK", "Contestant", "contestants", "seconds_to_first_record"]

_SECONDS = Measure("", "s")
_MEASURES = {
    3: Measure("start of three brokers, of stock Kafka's time", "", 0.28),
    1: Measure("start of one broker, of stock Kafka's time", "", 0.28),
}


class Contestant(Protocol):
    """A running cluster, as far as a client sees it."""

    @property
    def bootstrap_servers(self) -> str:
        """``host:port`` of every broker, joined by commas."""


Make = Callable[[int], AbstractContextManager[Contestant]]


def contestants() -> dict[str, Make]:
    """Return what makes each contestant's cluster of so many brokers; entering it starts the cluster."""
    startup = Startup.find()
    return {"kafkalab": Cluster, "stock": lambda brokers: StockCluster(brokers, startup)}


def seconds_to_first_record(make: Make, brokers: int) -> float:
    """Return the seconds from the call that starts a cluster to its first record on all in-sync replicas."""
    started = time.perf_counter()
    with make(brokers) as cluster:
        acknowledge_first_record(cluster.bootstrap_servers, min(3, brokers))
        return time.perf_counter() - started


def _run(rounds: int, tick: Tick) -> list[Result]:
    makers = contestants()
    times: dict[tuple[int, str], list[float]] = {(n, name): [] for n in _MEASURES for name in makers}
    for number in range(rounds):
        # Who comes first changes, so that what the machine does meanwhile favours nobody.
        order = sorted(makers, reverse=bool(number % 2))
        for brokers, name in ((brokers, name) for brokers in _MEASURES for name in order):
            tick(f"start {brokers}, {name}")
            times[brokers, name].append(seconds_to_first_record(makers[name], brokers))
    return [_result(measure, times[n, "kafkalab"], times[n, "stock"]) for n, measure in _MEASURES.items()]


def _result(measure: Measure, ours: list[float], stock: list[float]) -> Result:
    detail = f"{describe('kafkalab', ours, _SECONDS)}, {describe('stock', stock, _SECONDS)}"
    return Result(measure, median(ours) / median(stock), detail)


BENCHMARK = Benchmark(
    name="start",
    measures=tuple(_MEASURES.values()),
    method=(
        "seconds from the call that starts the cluster to the first record acknowledged by all in-sync "
        "replicas (replication factor 3, or 1 with one broker), ratio of medians. Stock Kafka: JVM options "
        "of Kafka's own scripts (`-Xms1G -Xmx1G`, G1), no AOT cache, Kafka's default settings except ports, "
        "folders and the replication of internal topics on one broker; each node is formatted by "
        "`StorageTool`, one after the other as in the quickstart, then all are started at once. Both use the "
        "same Java, the same jars, the same test of readiness and the same kafka-python code; who goes first "
        "alternates."
    ),
    rounds=5,
    steps=4,
    run=_run,
)
