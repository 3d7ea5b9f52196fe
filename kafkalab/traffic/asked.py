"""What a run is asked to do, checked before anything starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

from kafkalab.errors import InvalidArgument
from kafkalab.simulation.source import Record, Source, TopicPlan
from kafkalab.traffic.group import Group
from kafkalab.traffic.topics import TopicSettings

__all__ = ["CLIENTS", "Asked", "Faults", "Firing", "Observation", "Observe"]

CLIENTS = ("kafka-python", "confluent-kafka")
_ACKS = {"all": "all", -1: "all", "-1": "all", 0: 0, "0": 0, 1: 1, "1": 1}
_MOST_PRODUCERS = 64
_MOST_RATE = 1e9  # records/s; nothing here comes near it


@dataclass(frozen=True)
class Observation:
    """What a fault schedule is told of the traffic.

    Attributes:
        elapsed: seconds since it began.
        sent: records handed to clients.
        acknowledged: records acknowledged.
    """

    elapsed: float
    sent: int
    acknowledged: int


class Observe(Protocol):
    """Tells how the traffic goes."""

    def __call__(self) -> Observation:
        """Return what is so now."""


class Firing(Protocol):
    """Something that was done to the cluster; times in time.monotonic() seconds."""

    @property
    def name(self) -> str:
        """What was done, and to whom."""

    @property
    def at(self) -> float:
        """When it began."""

    @property
    def done_at(self) -> float | None:
        """When it was complete."""

    @property
    def undone_at(self) -> float | None:
        """When it was taken back; None where it was not."""

    @property
    def error(self) -> str | None:
        """Why it could not be done; None where it was."""


class Faults(Protocol):
    """A schedule of faults, as :class:`kafkalab.faults.Schedule`."""

    @property
    def firings(self) -> Sequence[Firing]:
        """What was done so far."""

    def running(self, cluster: Any, observe: Observe) -> AbstractContextManager[object]:
        """Run the schedule from entering to leaving; whole again after that."""


@dataclass(frozen=True)
class Asked:
    """Checked arguments of :func:`kafkalab.traffic.start`; see there.

    Raises:
        InvalidArgument: one that cannot be right, by name and value.
    """

    source: Source | Iterable[Record]
    records: int | None
    rate: float | None = None
    speed: float | None = None
    client: str = "kafka-python"
    producers: int = 1
    acks: Any = "all"
    topics: Mapping[str, object] = field(default_factory=dict)
    producer_config: Mapping[str, Any] = field(default_factory=dict)
    consumers: Sequence[Group] = ()
    faults: Faults | None = None
    deadline: float = 30.0

    def __post_init__(self) -> None:
        if self.client not in CLIENTS:
            raise InvalidArgument(f"client={self.client!r} is not known here: choose from {', '.join(CLIENTS)}.")
        if self.acks not in _ACKS:
            raise InvalidArgument(f"acks={self.acks!r} is not possible: choose 'all', 1 or 0.")
        object.__setattr__(self, "acks", _ACKS[self.acks])
        _check_count("producers", self.producers, 1, _MOST_PRODUCERS)
        self._check_records()
        self._check_pace()
        _check_number("deadline", self.deadline, 1e6, "seconds")
        if not all(isinstance(group, Group) for group in self.consumers):
            raise InvalidArgument(f"consumers={self.consumers!r} is not possible: give a list of traffic.Group.")
        if self.faults is not None and not (hasattr(self.faults, "running") and hasattr(self.faults, "firings")):
            raise InvalidArgument(f"faults={self.faults!r} is no schedule: put faults into faults.Schedule(...).")
        self._check_topics()

    def _check_records(self) -> None:
        if not isinstance(self.source, Iterable | Source) or isinstance(self.source, str | bytes):
            raise InvalidArgument(f"source={self.source!r} is no source: give one of kafkalab.simulation, or records.")
        if self.records is not None:
            _check_count("records", self.records, 0, 10**12)
        elif isinstance(self.source, Source):
            raise InvalidArgument(f"{self.source!r} has no end: say how many records= to send.")

    def _check_pace(self) -> None:
        if self.rate is not None and self.speed is not None:
            raise InvalidArgument(f"rate={self.rate!r} and speed={self.speed!r} exclude each other: give one of them.")
        if self.rate is not None:
            _check_number("rate", self.rate, _MOST_RATE, "records/s")
        if self.speed is not None:
            _check_number("speed", self.speed, 1e9, "simulated seconds for each real one")

    def _check_topics(self) -> None:
        unknown = set(self.topics) - set(self.plans)
        if unknown and isinstance(self.source, Source):
            raise InvalidArgument(
                f"topics={min(unknown)!r} is none of the source's: choose from {', '.join(self.plans)}."
            )
        self.topic_settings  # noqa: B018 - raises for settings that cannot be right

    @property
    def plans(self) -> Mapping[str, TopicPlan]:
        """The topics that the source will send to; none are known of other records."""
        return self.source.topics if isinstance(self.source, Source) else {}

    @property
    def topic_settings(self) -> dict[str, TopicSettings]:
        """How each topic that is known beforehand is made."""
        settings = {name: TopicSettings(plan.partitions) for name, plan in self.plans.items()}
        default = TopicSettings()
        return settings | {
            name: TopicSettings.of(given, settings.get(name, default).partitions) for name, given in self.topics.items()
        }

    def iterate(self) -> Iterable[Record]:
        """Return the records to send, in their order."""
        if isinstance(self.source, Source):
            assert self.records is not None
            return self.source.records(self.records)
        return self.source if self.records is None else islice(self.source, self.records)


def _check_count(name: str, value: object, lowest: int, highest: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
        raise InvalidArgument(f"{name}={value!r} is not possible: give a whole number from {lowest} to {highest}.")


def _check_number(name: str, value: object, highest: float, unit: str) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= highest:
        raise InvalidArgument(f"{name}={value!r} is not possible: give {unit} above 0, at most {highest:g}.")
