"""Memory of all brokers together after a first record, as proportional set size."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import median
from typing import Protocol

import psutil

from benchmarks.first_record import acknowledge_first_record
from benchmarks.results import Benchmark, Measure, Result, Tick, describe
from benchmarks.stock import StockCluster
from kafkalab import Cluster
from kafkalab.clusters.startup import Startup
from kafkalab.errors import EnvironmentProblem

__all__ = ["BENCHMARK", "proportional_megabytes"]

_BYTES_PER_MEGABYTE = 1_000_000
_COMBINED = Measure("memory of three brokers", "MB", 430)
_CONTROLLER = Measure("memory of three brokers and a controller of its own", "MB")
_STOCK = Measure("memory of three brokers of stock Kafka", "MB")


class _InFolder(Protocol):
    @property
    def bootstrap_servers(self) -> str: ...

    @property
    def folder(self) -> Path: ...


def proportional_megabytes(folder: Path, nodes: int) -> float:
    """Return the proportional set size of the JVMs whose cluster lives in ``folder``, in MB of 10^6 bytes.

    A page that several processes share counts for each in part, so that the sum is what they really take.

    Raises:
        EnvironmentProblem: this system does not tell, or not as many JVMs run as the cluster has nodes.
    """
    children = psutil.Process().children(recursive=True)
    found = [
        child for child in children if "kafka.Kafka" in (line := child.cmdline()) and str(folder) in " ".join(line)
    ]
    if len(found) != nodes:
        raise EnvironmentProblem(f"{len(found)} JVMs run in {folder} instead of {nodes}: see the brokers' logs.")
    sizes = [getattr(process.memory_full_info(), "pss", None) for process in found]
    if None in sizes:
        raise EnvironmentProblem("this system does not tell proportional set sizes: measure memory on Linux.")
    return float(sum(size for size in sizes if size is not None)) / _BYTES_PER_MEGABYTE


def _measure(make: Callable[[], AbstractContextManager[_InFolder]], nodes: int) -> float:
    with make() as cluster:
        acknowledge_first_record(cluster.bootstrap_servers, 3)
        return proportional_megabytes(cluster.folder, nodes)


def _run(rounds: int, tick: Tick) -> list[Result]:
    startup = Startup.find()
    clusters: dict[Measure, tuple[Callable[[], AbstractContextManager[_InFolder]], int]] = {
        _COMBINED: (lambda: Cluster(3), 3),
        _CONTROLLER: (lambda: Cluster(3, controllers=1), 4),
        _STOCK: (lambda: StockCluster(3, startup), 3),
    }
    sizes: dict[Measure, list[float]] = {measure: [] for measure in clusters}
    for _ in range(rounds):
        for measure, (make, nodes) in clusters.items():
            tick(measure.name)
            sizes[measure].append(_measure(make, nodes))
    return [Result(measure, median(values), describe("median", values, measure)) for measure, values in sizes.items()]


BENCHMARK = Benchmark(
    name="memory",
    measures=(_COMBINED, _CONTROLLER, _STOCK),
    method=(
        "proportional set size of all JVMs of the cluster together (pages shared by several processes count "
        "once), in MB of 1,000,000 bytes, right after a first record at replication factor 3. Other JVMs on "
        "the same jars would make it smaller: run it alone."
    ),
    rounds=3,
    steps=3,
    run=_run,
)
