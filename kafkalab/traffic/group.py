"""A consumer group whose members are real processes, crash for certain and come back; the parent's side."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from kafkalab.clusters import Cluster
from kafkalab.errors import InvalidArgument, TrafficFailed, WaitTimeout
from kafkalab.ledger import Ledger
from kafkalab.ledger.identity import HEADER
from kafkalab.traffic.child import Child
from kafkalab.waiting import wait_until

__all__ = ["COMMITS", "Ends", "Group", "GroupRun", "members_frame"]

#: When a member commits: after the effects of a batch (at least once), before them (at most once), or as the client
#: library does by itself.
COMMITS = ("after", "before", "auto")
_BATCH = 100
_END_SECONDS = 5.0
Ends = Mapping[tuple[str, int], int]


@dataclass(frozen=True)
class Group:
    """Consumers that read what is sent while traffic runs, each in a process of its own.

    A crash is a SIGKILL, in the middle of a batch where ``crash_every`` asks for it: what had its effect is then
    not committed (``commit="after"``), or what was committed has had no effect (``commit="before"``). Members are
    static (KIP-345), so that one that comes back goes on where it was and no rebalance is waited for.

    Args:
        name: of the group, and of its processor in the verdict.
        members: how many.
        topics: the names of those it reads, as the records carry them; by default all that are in use at the start.
        commit: one of :data:`COMMITS`.
        crash_every: how many records a member processes each time before it crashes; None for never.
        crashes: pairs of seconds after the start and number of the member (from 0) that crashes then.
        restart_after: seconds until a crashed member comes back.

    Raises:
        InvalidArgument: a value that cannot be right.
    """

    name: str
    members: int = 2
    topics: Sequence[str] | None = None
    commit: str = "after"
    crash_every: int | None = None
    crashes: Sequence[tuple[float, int]] = ()
    restart_after: float = 0.5

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise InvalidArgument(f"{self.name!r} cannot be the name of a group: give a text.")
        if not isinstance(self.members, int) or not 1 <= self.members <= 32:
            raise InvalidArgument(f"members={self.members!r} is not possible: give a whole number from 1 to 32.")
        if self.commit not in COMMITS:
            raise InvalidArgument(f"commit={self.commit!r} is not known here: choose from {', '.join(COMMITS)}.")
        if self.crash_every is not None and (not isinstance(self.crash_every, int) or self.crash_every < 2):
            raise InvalidArgument(f"crash_every={self.crash_every!r} is not possible: give a whole number from 2.")
        if not self.restart_after >= 0:
            raise InvalidArgument(f"restart_after={self.restart_after!r} is not possible: give seconds from 0.")
        for moment, member in self.crashes:
            if not 0 <= member < self.members or moment < 0:
                raise InvalidArgument(
                    f"crashes={(moment, member)!r} is not possible: give seconds from 0, and a member from 0 to "
                    f"{self.members - 1}."
                )

    @property
    def batch(self) -> int:
        """The most records read at a time: so few that a member commits something before each crash."""
        return _BATCH if self.crash_every is None else max(1, min(_BATCH, self.crash_every // 2))


class GroupRun:
    """The processes of one group, from :meth:`start` to :meth:`end`.

    Args:
        group: what was asked for.
        cluster: where it reads.
        ledger: told of every effect.
        topics: names as the records carry them, and the real ones.
    """

    def __init__(self, group: Group, cluster: Cluster, ledger: Ledger, topics: Mapping[str, str]) -> None:
        self._cluster = cluster
        self._name = cluster.name(group.name)
        self._topics = _chosen(group, topics)
        self._restart_after = group.restart_after
        self._ending = threading.Event()
        self._processor = ledger.processor(group.name, self._topics)
        settings = {
            "config": cluster.client_config(),
            "group": self._name,
            "topics": self._topics,
            "commit": group.commit,
            "batch": group.batch,
            "crash_every": group.crash_every,
            "header": HEADER,
        }
        self._members = [
            _Member(f"{self._name}-{number}", settings, self._processor.done, self._ending, group.restart_after)
            for number in range(group.members)
        ]
        self._crashes = sorted(group.crashes)
        self._crasher = threading.Thread(target=self._crash_on_schedule, name="kafkalab-crashes", daemon=True)

    def start(self) -> None:
        """Start all members; they live until :meth:`end`, crashes apart."""
        for member in self._members:
            member.start()
        self._crasher.start()

    def _crash_on_schedule(self) -> None:
        started = time.monotonic()
        for moment, number in self._crashes:
            if self._ending.wait(max(0.0, started + moment - time.monotonic())):
                return
            self._members[number].crash()

    def catch_up(self, ends: Ends, deadline: float) -> None:
        """Return when the group has committed up to ``ends``, of those partitions that it reads.

        Args:
            ends: the offset behind the last acknowledged record of each partition.
            deadline: seconds without any progress.

        Raises:
            TrafficFailed: it came no further, or a member ended by itself.
        """
        mine = {key: end for key, end in ends.items() if key[0] in self._topics}
        behind = self._behind(mine)
        while behind:
            before = behind
            try:
                behind = wait_until(
                    lambda: self._behind(mine),
                    lambda now: now < before,  # noqa: B023 - called at once
                    what=f"group {self._name} to read on",
                    timeout=deadline,
                    retry_on=(InvalidArgument, WaitTimeout),
                )
            except WaitTimeout as error:
                raise TrafficFailed(
                    f"group {self._name!r} has {behind} records to read and came no further for {deadline:g} s: see "
                    f"cluster.lag({self._name!r}), or give it longer with deadline=."
                ) from error

    def _behind(self, ends: Ends) -> int:
        """Return how many records are not committed."""
        for member in self._members:
            if member.error:
                raise TrafficFailed(f"a member of group {self._name!r} ended by itself: {member.error}")
        try:
            lag = self._cluster.lag(self._name)
        except InvalidArgument:  # nobody has joined yet
            return sum(ends.values())
        topics = map(self._cluster.name, lag["topic"])  # on a borrowed cluster views leave the prefix out
        committed = dict(zip(zip(topics, lag["partition"], strict=True), lag["committed"], strict=True))
        return sum(max(0, end - committed.get(key, 0)) for key, end in ends.items())

    def end(self) -> None:
        """End all members: in good order, or else at once; returns when none is left."""
        self._ending.set()
        for member in self._members:
            member.end()
        self._crasher.join(_END_SECONDS)

    def rows(self) -> list[tuple[str, int, int, int, int]]:
        """Return group, member, records, crashes, restarts of each member."""
        return [
            (self._name, number, member.records, member.crashes, member.restarts)
            for number, member in enumerate(self._members)
        ]


def members_frame(groups: Sequence[GroupRun]) -> pd.DataFrame:
    """Return one row per member: group (str), member, records, crashes, restarts (int64)."""
    columns = {"group": "str", "member": "int64", "records": "int64", "crashes": "int64", "restarts": "int64"}
    rows = [row for group in groups for row in group.rows()]
    return pd.DataFrame(rows, columns=list(columns)).astype(columns)


def _chosen(group: Group, topics: Mapping[str, str]) -> list[str]:
    wanted = list(topics) if group.topics is None else list(group.topics)
    for topic in wanted:
        if topic not in topics:
            raise InvalidArgument(f"group {group.name!r} cannot read {topic!r}: choose from {', '.join(topics)}.")
    if not wanted:
        raise InvalidArgument(f"group {group.name!r} has no topic to read: name those of your records in topics=.")
    return [topics[topic] for topic in wanted]


class _Member(threading.Thread):
    """One member: starts its process, passes on the effects it tells, and starts it again when it crashed."""

    def __init__(
        self, name: str, settings: dict[str, Any], done: Any, ending: threading.Event, restart_after: float
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.records = self.crashes = self.restarts = 0
        self.error = ""
        self._settings = {**settings, "member": name}
        self._done = done
        self._ending = ending
        self._restart_after = restart_after
        self._process: Child | None = None
        self._lock = threading.Lock()

    def run(self) -> None:
        while (process := self._spawn()) is not None:
            for lines in process.heard():
                self._take(lines)
            code = process.wait()
            if self._ending.is_set() or self.error:
                return
            if code != -signal.SIGKILL:
                self.error = f"exit code {code}."
                return
            self.crashes += 1
            if self._ending.wait(self._restart_after):
                return
            self.restarts += 1

    def _spawn(self) -> Child | None:
        with self._lock:
            if self._ending.is_set():
                return None
            self._process = Child("kafkalab.traffic.member", self._settings)
            return self._process

    def _take(self, lines: list[bytes]) -> None:
        """Pass on the identities, one a line."""
        if lines and lines[-1].startswith(b"!"):
            self.error = lines.pop()[1:].decode(errors="replace")
        self.records += len(lines)
        self._done(lines)

    def crash(self) -> None:
        """Kill the process, if it lives."""
        with self._lock:
            if self._process is not None:
                self._process.kill()

    def end(self) -> None:
        """Let the process end; returns when it and this thread have ended."""
        with self._lock:
            process = self._process
        if process is not None:
            process.end()
            self.join(_END_SECONDS)
