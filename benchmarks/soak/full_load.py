"""No living broker is fenced while every core is busy with something else."""

from __future__ import annotations

import os
import re
import sys
import time
from dataclasses import dataclass, field

from benchmarks.soak.outcome import Advance, Outcome, Soak
from benchmarks.views import view_at
from kafkalab import Cluster
from kafkalab.clusters.processes import SupervisedProcesses
from kafkalab.waiting import wait_until

__all__ = ["SOAK", "Watch", "fencings"]

_SECONDS = 600.0
_QUICK_SECONDS = 10.0
_LOOK_EVERY_SECONDS = 0.5
_LAST_LOOK_SECONDS = 60.0
_BROKERS = 3
_BUSY = [sys.executable, "-I", "-S", "-c", "while True: pass"]
# The active controller says this when a broker's session times out, and never when one starts.
_FENCING = re.compile(r"Fencing broker (\d+) at epoch \d+")


def fencings(log: str) -> list[int]:
    """Return the ids of the brokers that this controller's log says it fenced, in order."""
    return [int(match) for match in _FENCING.findall(log)]


@dataclass
class Watch:
    """What the brokers of ``cluster`` say of one another, from now on.

    Attributes:
        missing: for each broker whose view lacked somebody, the brokers it lacked.
        unanswered: how often a broker did not answer in time; under full load that alone is no fault.
    """

    cluster: Cluster
    missing: list[str] = field(default_factory=list)
    unanswered: int = 0
    looks: int = 0

    def __post_init__(self) -> None:
        self._read = {broker.id: len(broker.logs()) for broker in self.cluster.brokers}

    def fenced(self) -> list[int]:
        """Return the brokers that any controller fenced since this watch began."""
        return [found for b in self.cluster.brokers for found in fencings(b.logs()[self._read[b.id] :])]

    def look(self) -> None:
        """Ask each broker which brokers it knows."""
        self.looks += 1
        everybody = {broker.id for broker in self.cluster.brokers}
        for broker_id, server in zip(sorted(everybody), self.cluster.bootstrap_servers.split(","), strict=True):
            try:
                known = view_at(int(server.rpartition(":")[2])).brokers
            except OSError:
                self.unanswered += 1
                continue
            if known != everybody:
                self.missing.append(f"broker {broker_id} did not know {sorted(everybody - known)}")

    @property
    def failures(self) -> list[str]:
        """What went wrong so far, one sentence each."""
        return [f"broker {broker} was fenced though it lived" for broker in self.fenced()] + self.missing


def _keep_busy(processes: SupervisedProcesses, count: int) -> None:
    for number in range(count):
        name = f"busy-{number}"
        processes.spawn(name, _BUSY, cwd=processes.folder, log=processes.folder / f"{name}.log")


def _run(quick: bool, advance: Advance) -> Outcome:
    seconds = _QUICK_SECONDS if quick else _SECONDS
    cores = os.cpu_count() or 1
    with Cluster(brokers=_BROKERS) as cluster:
        watch = Watch(cluster)
        processes = SupervisedProcesses()  # ends the loops with this process, however it ends
        try:
            _keep_busy(processes, cores)
            _watch_for(watch, seconds, advance)
        finally:
            processes.close()
        failures = watch.failures or _blindness(cluster)
    seen = f"{watch.looks} looks, {watch.unanswered} late answers, none fenced"
    return Outcome.of(failures, f"{cores} busy cores for {seconds:g} s: {seen}")


def _watch_for(watch: Watch, seconds: float, advance: Advance) -> None:
    begun = time.monotonic()

    def look() -> float:
        watch.look()
        done = (time.monotonic() - begun) / seconds
        advance(min(1.0, done))
        return done

    wait_until(
        look,
        lambda done: done >= 1 or bool(watch.failures),
        what="the end of the load",
        timeout=seconds + _LAST_LOOK_SECONDS,
        every=_LOOK_EVERY_SECONDS,
    )


def _blindness(cluster: Cluster) -> list[str]:
    """Freeze a broker, not the active controller: a watch that misses its fencing has proved nothing."""
    watch = Watch(cluster)
    quorum = cluster.quorum()
    active = set(quorum.loc[quorum["role"] == "leader", "node"])
    victim = next(broker for broker in cluster.brokers if broker.id not in active)
    victim.pause()
    try:
        wait_until(watch.fenced, lambda seen: victim.id in seen, what=f"the fencing of frozen broker {victim.id}")
    except TimeoutError as error:
        return [f"the watch is blind: {error}"]
    finally:
        victim.resume()
    return []


SOAK = Soak("load", "no living broker is fenced while all cores are busy for ten minutes", _run)
