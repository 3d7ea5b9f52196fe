"""Each scenario as fast as it goes, a leader killed: nothing is lost, and all applications decide as in memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import orjson
from kafka.partitioner.default import murmur2

from benchmarks.soak.outcome import Advance, Outcome, Soak
from kafkalab.apps import APPLICATIONS, Application, Received
from kafkalab.apps.fingerprint import Fingerprint
from kafkalab.simulation import SOURCES, Record

__all__ = ["SOAK", "fingerprints_in_memory", "wrong_with"]

_RECORDS = 1_000_000
_QUICK_RECORDS = 50_000
_LEAST_PER_SECOND = 20_000
_SECONDS = 600.0
_BATCH = 5000


class _Topics:
    """Gives records the partitions and offsets that they have in topics of their own.

    Args:
        partitions: of each topic.
    """

    def __init__(self, partitions: Mapping[str, int]) -> None:
        self._partitions = partitions
        self._offsets: dict[tuple[str, int], int] = defaultdict(int)

    def stored(self, records: Iterable[Record]) -> list[Received]:
        """Return the next records as consumers get them."""
        return [self._stored(record) for record in records]

    def _stored(self, record: Record) -> Received:
        assert record.key is not None
        partition = (murmur2(record.key) & 0x7FFFFFFF) % self._partitions[record.topic]  # as every client's default
        offset = self._offsets[record.topic, partition]
        self._offsets[record.topic, partition] += 1
        key, value = record.key.decode(), orjson.loads(record.value)
        return Received(record.topic, partition, offset, key, value, record.timestamp_ms)


def fingerprints_in_memory(scenario: str, records: int, seed: int = 0) -> dict[str, str]:
    """Return the fingerprint of each application's decisions on a scenario's records, without any Kafka."""
    source = SOURCES[scenario](seed=seed)
    partitions = {topic: plan.partitions for topic, plan in source.topics.items()}
    applications: dict[str, tuple[Application, tuple[str, ...], Fingerprint]] = {}
    for name, task in APPLICATIONS[scenario].items():
        given = {topic: partitions[topic] for topic in task.reads}
        applications[name] = (Application(task, given), task.reads, Fingerprint())
        partitions |= dict.fromkeys(task.writes(), max(given.values()))
    topics, left = _Topics(partitions), source.records(records)
    while applications:
        batch = list(islice(left, _BATCH))
        stored = topics.stored(batch)
        for application, reads, fingerprint in applications.values():
            outputs = application.process(record for record in stored if record.topic in reads)
            outputs += [] if batch else application.finish()
            fingerprint.add(outputs)
            stored += topics.stored(output.record() for output in outputs if output.topic is not None)
        if not batch:
            break
    return {name: str(fingerprint) for name, (_, _, fingerprint) in applications.items()}


def _run_scenario(scenario: str, records: int) -> tuple[float, list[str]]:
    """Run a scenario as a user does; return records/s through all applications, and what was wrong."""
    wishes = ["--client", "confluent-kafka", "--rate", "max", "--fault", "kill-leader", "--records", str(records)]
    command = [sys.executable, "-m", "kafkalab", "run", scenario, *wishes, "--json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_SECONDS)
    if not done.stdout:
        return 0.0, [done.stderr.strip() or f"exit code {done.returncode}"]
    told = json.loads(done.stdout)
    return told["processed_per_second"] or 0.0, wrong_with(told, fingerprints_in_memory(scenario, records))


def wrong_with(told: Mapping[str, Any], expected: Mapping[str, str]) -> list[str]:
    """Return what is wrong with a run, whatever its speed.

    Args:
        told: what ``kafkalab run --json`` printed.
        expected: the fingerprint of each application.
    """
    wrong = [] if told["clean"] else [f"not clean: {told['verdict']}"]
    wrong += [f"{told['error']}"] if told["error"] else []
    if not told["faults"] or told["faults"][0]["error"]:
        wrong.append("no leader was killed")
    for each in told["applications"]:
        name, found = each["name"], each["fingerprint"]
        if not each["complete"]:
            wrong.append(f"{name} has worked on {each['records']} of {each['stored']} records")
        if found != expected[name]:
            wrong.append(f"{name} decided {found}, and {expected[name]} in memory")
    if [each["name"] for each in told["applications"]] != list(expected):
        wrong.append("an application is missing")
    return wrong


def _run(quick: bool, advance: Advance) -> Outcome:
    records = _QUICK_RECORDS if quick else _RECORDS
    failures: list[str] = []
    speeds: list[str] = []
    for number, scenario in enumerate(APPLICATIONS):
        speed, wrong = _run_scenario(scenario, records)
        speeds.append(f"{scenario} {speed:,.0f}")
        failures += [f"{scenario}: {what}" for what in wrong]
        if not quick and speed < _LEAST_PER_SECOND:
            failures.append(f"{scenario}: {speed:,.0f} records/s through all, fewer than {_LEAST_PER_SECOND:,}")
        advance((number + 1) / len(APPLICATIONS))
    return Outcome.of(failures, f"records/s through all applications: {', '.join(speeds)}; decided as in memory")


SOAK = Soak("scenarios", "three scenarios at full rate and a leader killed: decided as in memory, over 20,000/s", _run)
