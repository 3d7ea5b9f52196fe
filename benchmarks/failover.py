"""How long acknowledgements stop when the leader of a partition is killed, and whether a record is lost."""

from __future__ import annotations

import time
from statistics import median

from kafka import TopicPartition

from benchmarks.load import Load, read_back
from benchmarks.results import Benchmark, Measure, Result, Tick, describe, longest_gap, missing_and_doubled
from kafkalab import Cluster
from kafkalab.waiting import wait_until

__all__ = ["BENCHMARK", "fail_over", "leader_and_partition"]

_PLAIN = Measure("gap after kill -9 of a leader", "s", 2.5)
_CONTROLLER = Measure("gap after kill -9 of a leader that is the active controller", "s", 3.5)
_AROUND_THE_KILL = 300
_RESUME_SECONDS = 60.0


def leader_and_partition(cluster: Cluster, topic: str, *, is_controller: bool) -> tuple[int, int]:
    """Return a broker that is (or is not) the active controller, and a partition of ``topic`` it leads.

    Raises:
        WaitTimeout: there was none, with the last view of the partitions.
    """

    def look() -> list[tuple[int, int]]:
        quorum = cluster.quorum()
        active = set(quorum.loc[quorum["role"] == "leader", "node"])
        seen = cluster.partitions(topic)
        led = zip(seen["leader"].tolist(), seen["partition"].tolist(), strict=True)
        return [(leader, number) for leader, number in led if (leader in active) == is_controller]

    kind = "the active controller" if is_controller else "not the active controller"
    return wait_until(look, what=f"a partition of {topic} led by a broker that is {kind}")[0]


def fail_over(cluster: Cluster, *, is_controller: bool) -> tuple[float, str]:
    """Kill a leader under load; return the gap in seconds, and what was lost or doubled ("" for nothing)."""
    topic = cluster.create_topic("failover", partitions=3, replication_factor=3)
    leader, number = leader_and_partition(cluster, topic, is_controller=is_controller)
    partition = TopicPartition(topic, number)
    with Load(cluster.bootstrap_servers, partition) as load:
        _wait_for_acknowledgements(load, 0.0)
        killed = time.perf_counter()
        cluster.broker(leader).kill()
        _wait_for_acknowledgements(load, killed)
    lost, doubled = missing_and_doubled(load.acknowledged, read_back(cluster.bootstrap_servers, partition))
    return longest_gap(load.times, killed), _fault(lost, doubled)


def _wait_for_acknowledgements(load: Load, since: float) -> None:
    wait_until(
        lambda: load.acknowledged_since(since),
        lambda seen: seen >= _AROUND_THE_KILL,
        what=f"{_AROUND_THE_KILL} acknowledgements",
        timeout=_RESUME_SECONDS,
    )


def _fault(lost: list[int], doubled: list[int]) -> str:
    kinds = {"lost": lost, "doubled": doubled}
    return ", ".join(f"{len(found)} records {kind}, first {found[0]}" for kind, found in kinds.items() if found)


def _run(rounds: int, tick: Tick) -> list[Result]:
    gaps: dict[Measure, list[float]] = {_PLAIN: [], _CONTROLLER: []}
    faults: dict[Measure, list[str]] = {_PLAIN: [], _CONTROLLER: []}
    for _ in range(rounds):
        for measure in (_PLAIN, _CONTROLLER):
            tick(measure.name)
            with Cluster(brokers=3) as cluster:
                gap, fault = fail_over(cluster, is_controller=measure is _CONTROLLER)
            gaps[measure].append(gap)
            faults[measure] += [fault] if fault else []
    return [_result(measure, gaps[measure], faults[measure]) for measure in gaps]


def _result(measure: Measure, gaps: list[float], faults: list[str]) -> Result:
    kept = "every acknowledged record read back once" if not faults else "; ".join(faults)
    return Result(measure, median(gaps), f"{describe('median', gaps, measure)}; {kept}", "; ".join(faults))


BENCHMARK = Benchmark(
    name="failover",
    measures=(_PLAIN, _CONTROLLER),
    method=(
        "the longest time between two acknowledgements around kill -9 of the partition's leader, three "
        "combined nodes, replication factor 3, acks=all, idempotent kafka-python producer with quick "
        "reconnect settings, 20 records under way at a time. In each round a new cluster; afterwards a fresh "
        "consumer reads the partition from the earliest to the end offset, and every acknowledged record has "
        "to be there exactly once."
    ),
    rounds=10,
    steps=2,
    run=_run,
)
