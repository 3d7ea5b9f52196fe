"""What ``kafkalab run`` is asked to do, checked before anything starts."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kafkalab.apps import APPLICATIONS
from kafkalab.errors import InvalidArgument
from kafkalab.faults import RecoverableFault, Schedule, Target, isolate, kill, leader, pause, slow, stop
from kafkalab.simulation import SOURCES, Source
from kafkalab.traffic import Group
from kafkalab.traffic.asked import Asked

__all__ = ["DEFAULT_RATE", "FAULT_SECONDS", "GROUP", "KINDS", "SCENARIOS", "Experiment", "Kind"]

#: What each scenario simulates, in a few words.
SCENARIOS = {
    "stocks": "trades, volumes and news of a stock market",
    "social": "posts and what they set off on social media",
    "city": "a city's sensors, some of them faulty",
    "crypto": "coin prices from sources that disagree a little",
    "shop": "an online shop, from cart to parcel",
}

#: Records/s where neither a rate nor a speed is asked for: a run that one can watch.
DEFAULT_RATE = 2000.0
#: So long a fault lasts: the cluster gives a silent broker up after 2 s, and after 3.5 s where it was the active
#: controller, too; then there should be something to look at.
FAULT_SECONDS = 5.0
#: The name of the consumers' group.
GROUP = "readers"
_FAULT_AT = 0.3  # of the records
_SLOW_MS = 200.0


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Attributes:
        make: the fault at a target.
        undo: what is so when its undoing begins; completes "broker 1 ...".
        done: what is so when it is complete, where that takes its time; completes "broker 1 ..."; "" for at once.
        returns: whether the broker has to come back into the cluster then.
        restarts: whether the broker's process ends, and a new one loads its logs.
        proxied: whether it needs a proxy in front of the brokers.
    """

    make: Callable[[Target], RecoverableFault]
    undo: str
    done: str = ""
    returns: bool = True
    restarts: bool = False
    proxied: bool = False


#: By the names that ``--fault`` takes.
KINDS: Mapping[str, Kind] = {
    "kill-leader": Kind(kill, "is started again", restarts=True),
    "stop-leader": Kind(stop, "is started again", done="has ended in good order", restarts=True),
    "pause-leader": Kind(pause, "goes on"),
    "isolate-leader": Kind(isolate, "has its network again", proxied=True),
    "slow-leader": Kind(lambda target: slow(target, _SLOW_MS), "has its full speed again", returns=False, proxied=True),
}


@dataclass(frozen=True)
class Experiment:
    """One run: the traffic, the cluster it wants, and the fault.

    Attributes:
        scenario: a name of ``kafkalab.simulation.SOURCES``.
        records: how many to send.
        rate: records/s; infinite for as fast as it goes, None for 2,000 unless there is a speed.
        speed: simulated seconds for each real one.
        client: the library that sends.
        producers: how many.
        acks: ``"all"``, ``"1"`` or ``"0"``.
        consumers: members of a group that reads meanwhile; 0 for none.
        applications: whether the scenario's applications read meanwhile.
        seed: of the simulation.
        brokers: of the cluster to start; None for three.
        fault: ``"none"``, or a kind of fault.
        fault_at: the fault fires when so many records are acknowledged (with acks=0, sent); None for 30 % of them.
        bootstrap_servers: of a cluster to borrow; None to start one.

    Raises:
        InvalidArgument: a value that cannot be right, or two that exclude each other.
    """

    scenario: str
    records: int
    rate: float | None
    speed: float | None
    client: str
    producers: int
    acks: str
    consumers: int
    applications: bool
    seed: int
    brokers: int | None
    fault: str
    fault_at: int | None
    bootstrap_servers: str | None

    def __post_init__(self) -> None:
        if self.scenario not in SOURCES:
            near = difflib.get_close_matches(self.scenario, SOURCES, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise InvalidArgument(f"there is no scenario {self.scenario!r}: {hint}choose from {', '.join(SOURCES)}.")
        self._check_fault()
        if self.bootstrap_servers is not None and self.brokers is not None:
            raise InvalidArgument(
                "--brokers and --bootstrap-servers exclude each other: a borrowed cluster is as it is."
            )
        # Refuses numbers that cannot be right. A rate without end is none, but still excludes a speed.
        Asked(source=self.source, **{**self.traffic, "rate": self.rate if self.speed else self.pace})

    def _check_fault(self) -> None:
        if self.fault == "none":
            if self.fault_at is not None:
                raise InvalidArgument(f"--fault-at {self.fault_at} needs a fault: name one with --fault.")
            return
        if self.bootstrap_servers is not None:
            raise InvalidArgument(
                f"--fault {self.fault} breaks brokers, which kafkalab does to clusters of its own only: leave "
                "--bootstrap-servers out."
            )
        if not 1 <= self.firing_count <= self.records:
            raise InvalidArgument(
                f"--fault-at {self.firing_count} is not among the {self.records:,} records: give 1 to {self.records:,}."
            )

    @cached_property
    def source(self) -> Source:
        """The source of the records."""
        return SOURCES[self.scenario](seed=self.seed)

    @property
    def pace(self) -> float | None:
        """Records/s; None for as fast as it goes, or where a speed sets the pace."""
        if self.rate is None:
            return None if self.speed is not None else DEFAULT_RATE
        return None if self.rate == float("inf") else self.rate

    @property
    def firing_count(self) -> int:
        """How many records are acknowledged, or sent, when the fault fires."""
        return max(1, int(self.records * _FAULT_AT)) if self.fault_at is None else self.fault_at

    @property
    def kind(self) -> Kind | None:
        """The kind of its fault; None without a fault."""
        return KINDS.get(self.fault)

    @property
    def target(self) -> tuple[str, int] | None:
        """Topic and number of the partition whose leader the fault hits; None without a fault."""
        return None if self.kind is None else (next(iter(self.source.topics)), 0)

    @cached_property
    def schedule(self) -> Schedule:
        """Its fault, once; empty without one."""
        if self.kind is None or self.target is None:
            return Schedule()
        fault = self.kind.make(leader(*self.target)).undo_after(FAULT_SECONDS)
        counted = "sent" if self.acks == "0" else "acknowledged"
        return Schedule(fault.when(**{counted: self.firing_count}))

    @property
    def readers(self) -> Collection[str]:
        """The names of the applications that read meanwhile."""
        return APPLICATIONS.get(self.scenario, {}).keys() if self.applications else ()

    @property
    def ordered(self) -> bool:
        """Whether partitions are in order of time; where several producers race, acknowledgements have to tell it."""
        return self.producers == 1 or self.acks == "0"

    @property
    def coming(self) -> str:
        """The fault that has not fired yet, in words; "" for none."""
        return "" if self.schedule.firings else "; ".join(map(str, self.schedule.faults))

    @property
    def traffic(self) -> dict[str, Any]:
        """The settings of :func:`kafkalab.traffic.start`, beside the source."""
        return {
            "records": self.records,
            "rate": self.pace,
            "speed": self.speed,
            "client": self.client,
            "producers": self.producers,
            "acks": self.acks,
            "consumers": [Group(GROUP, members=self.consumers)] if self.consumers else [],
            "faults": self.schedule,
        }

    def __str__(self) -> str:
        pace = f"{self.pace:,g} records/s" if self.pace else "as fast as it goes"
        pace = f"{self.speed:g} simulated seconds a second" if self.speed else pace
        count = f" by {self.producers} producers" if self.producers > 1 else ""
        return f"{self.records:,} records of {self.scenario}{count}: {pace}, {self.client}, acks={self.acks}"
