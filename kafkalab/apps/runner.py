"""The applications of a scenario as processes beside traffic, each a consumer group of its own."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping
from functools import partial
from types import TracebackType
from typing import Self

from kafkalab.apps import APPLICATIONS
from kafkalab.apps.application import Application
from kafkalab.apps.figures import Figures, delays
from kafkalab.apps.process import Ends, Process
from kafkalab.apps.task import Task
from kafkalab.clusters import Cluster
from kafkalab.clusters.replicas import leaders_ends
from kafkalab.errors import ApplicationFailed, InvalidArgument, KafkalabError, WaitTimeout
from kafkalab.ledger import Ledger
from kafkalab.simulation import SOURCES
from kafkalab.traffic import Run
from kafkalab.traffic.tables import latency_percentiles
from kafkalab.traffic.topics import TopicSettings, TopicsInUse
from kafkalab.waiting import wait_until

__all__ = ["Applications"]

_REQUEST_MS = 1500
_PROMISE_SECONDS = 0.05
_END_SECONDS = 5.0
_REST_SECONDS = 1.0
_JOIN_SECONDS = 60.0  # as a cluster has to start


class Applications:
    """Runs the applications of a scenario, from entering to leaving.

    .. code-block:: python

        with Applications(cluster, "stocks") as applications:
            run = traffic.start(cluster, Stocks(), 20_000, rate=2000)
            applications.follow(run)
            run.wait()
            applications.finish()
            applications.look(run.ledger)

    They read what comes after they were started. Nothing is decided by any clock: what is sent until when they are
    told from the outcomes of the run, and so the same records have the same decisions, faults or not.

    Args:
        cluster: where they read and write; missing topics are made.
        scenario: a name of :data:`kafkalab.simulation.SOURCES`; one without applications runs none.
        names: which of its applications; by default all.
        ordered: whether one producer sends, so that each partition is in order of time; else what is to be in order
            waits until it is acknowledged, and ``follow`` is needed for any progress.
        acknowledged: whether sends are acknowledged; where they are not (acks=0), nobody knows when the last one has
            arrived, and topics have to be at rest for a second.
        deadline: seconds without any progress after which something is given up.

    Raises:
        InvalidArgument: there is no such scenario, or it has no such application.
    """

    def __init__(
        self,
        cluster: Cluster,
        scenario: str,
        names: Collection[str] | None = None,
        *,
        ordered: bool = True,
        acknowledged: bool = True,
        deadline: float = 30.0,
    ) -> None:
        self._cluster = cluster
        self._scenario = scenario
        self._tasks = _chosen(scenario, names)
        self._ordered = ordered
        self._acknowledged = acknowledged
        self._deadline = deadline
        self._admin = cluster.patient_admin(_REQUEST_MS)
        self._names: Mapping[str, str] = {}
        self._members: dict[str, Process] = {}
        self._run_ended = threading.Event()
        self._follower: threading.Thread | None = None

    # ---- before -----------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def _start(self) -> None:
        """Start all, and return when each has its partitions.

        Raises:
            InvalidArgument: a topic that is there does not fit.
            ApplicationFailed: one ended by itself.
            WaitTimeout: one has no partitions in time.
        """
        if not self._tasks:
            return
        self._names, partitions = self._made_topics()
        starts = self._ends_of({(topic, number) for topic, count in partitions.items() for number in range(count)})
        self._members = {name: self._member(name, task, starts) for name, task in self._tasks.items()}
        for member in self._members.values():
            member.start()
        wait_until(self._all_ready, what="the applications to join their groups", timeout=_JOIN_SECONDS)

    def _made_topics(self) -> tuple[Mapping[str, str], Mapping[str, int]]:
        """Make the topics that are missing, of outputs with as many partitions as there are of the inputs.

        Returns the real name of each, and of those that are read, by it, how many partitions there are.
        """
        settings = {topic: TopicSettings(plan.partitions) for topic, plan in SOURCES[self._scenario].topics.items()}
        topics = TopicsInUse(self._cluster, settings)
        partitions: dict[str, int] = {}
        for task in self._tasks.values():
            read = [topics.name(topic) for topic in task.reads]
            partitions |= {name: self._partitions_of(name) for name in read}
            for topic in task.writes():
                settings[topic] = TopicSettings(max(partitions[name] for name in read))
                topics.name(topic)
        return topics.names, partitions

    def _partitions_of(self, topic: str) -> int:
        return wait_until(
            lambda: len(self._cluster.partitions(topic)),
            what=f"the partitions of {topic}",
            timeout=self._deadline,
            retry_on=(InvalidArgument,),  # a broker that has not heard of it yet
        )

    def _ends_of(self, places: Collection[tuple[str, int]]) -> Ends:
        """Return the log end of each partition, when all that leaders have is shown to consumers."""
        topics = {topic for topic, _ in places}
        seen = wait_until(
            lambda: self._admin.ask(lambda admin: leaders_ends(admin, topics), self._deadline),
            lambda seen: seen.keys() >= set(places) and all(ends and ends[0] <= ends[1] for ends in seen.values()),
            what="the ends of the topics that applications read",
            timeout=self._deadline,
        )
        return {place: ends[0] for place, ends in seen.items() if ends is not None}

    def _ends_at(self, members: Iterable[Process]) -> Ends:
        return self._ends_of({place for member in members for place in member.steps})

    def _ends_at_rest(self, members: Iterable[Process]) -> Ends:
        """Return the ends when they were the same a second ago."""
        before: list[Ends] = [{}]

        def are_at_rest(now: Ends) -> bool:
            before.append(now)
            return now == before[-2]

        look = partial(self._ends_at, members)
        return wait_until(look, are_at_rest, what="topics at rest", timeout=self._deadline, every=_REST_SECONDS)

    def _member(self, name: str, task: type[Task], starts: Ends) -> Process:
        planned = {self._names[topic]: topic for topic in task.reads}
        mine = {place: offset for place, offset in starts.items() if place[0] in planned}
        numbers = {topic: [number for real, number in mine if real == self._names[topic]] for topic in task.reads}
        Application(task, numbers)  # refuses partitions that do not go together
        settings = {
            "scenario": self._scenario,
            "application": name,
            "config": self._cluster.client_config("confluent-kafka"),
            "group": self._cluster.name(name),
            "topics": planned,
            "outputs": {topic: self._names[topic] for topic in task.writes()},
            "starts": [(planned[real], number, offset) for (real, number), offset in mine.items()],
            "derived": [topic for topic in task.reads if topic not in SOURCES[self._scenario].topics],
            "ordered": self._ordered,
        }
        return Process(name, settings, mine)

    def _all_ready(self) -> bool:
        self.check()
        return all(member.ready for member in self._members.values())

    # ---- meanwhile --------------------------------------------------------------------------------------------

    def follow(self, run: Run) -> None:
        """Tell the applications how far a run is, until :meth:`finish`."""
        self._follower = threading.Thread(target=self._follow, args=[run], name="kafkalab-applications", daemon=True)
        self._follower.start()

    def _follow(self, run: Run) -> None:
        told = -1
        while not self._run_ended.wait(_PROMISE_SECONDS):
            settled = run.settled()
            if settled.time_ms > told:
                told = settled.time_ms
                for member in self._members.values():
                    member.promise(settled)

    def check(self) -> None:
        """Look whether all are well.

        Raises:
            ApplicationFailed: one ended by itself; shows its last words.
        """
        for member in self._members.values():
            if member.error:
                raise ApplicationFailed(
                    f"application {member.name!r} ended by itself: {member.error} What it had worked on is committed "
                    f"in group {member.group!r}."
                )

    def look(self, ledger: Ledger, *, stored: bool = False) -> list[Figures]:
        """Return how far each is.

        Args:
            ledger: of the run, for the latencies.
            stored: whether to ask what is stored by now.
        """
        if not self._members:
            return []
        acknowledged = ledger.acknowledgements()
        ends = self._ends_or_none() if stored else None
        return [
            member.look(latency_percentiles(delays(acknowledged, member.steps)), ends)
            for member in self._members.values()
        ]

    def _ends_or_none(self) -> Ends | None:
        try:
            return self._ends_at(self._members.values())
        except KafkalabError:  # no broker tells: then nothing is known of what is stored
            return None

    # ---- at the end -------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Take it that the run has ended, and return when each has worked on all that is stored.

        Who reads what another one writes comes after it.

        Raises:
            ApplicationFailed: one ended by itself, or came no further.
            WaitTimeout: no broker told where the topics end.
        """
        self._stop_following()
        left = dict(self._tasks)
        while left:
            written = {topic for task in left.values() for topic in task.writes()}
            wave = [name for name, task in left.items() if not written & set(task.reads)]
            self._finish([self._members[name] for name in wave])
            for name in wave:
                del left[name]

    def _finish(self, members: Collection[Process]) -> None:
        ends = self._ends_at(members) if self._acknowledged else self._ends_at_rest(members)
        for member in members:
            member.finish(ends)
        while behind := self._behind(members):
            try:
                wait_until(
                    lambda: self._behind(members),
                    lambda now: now != behind,
                    what="the applications to come further",
                    timeout=self._deadline,
                )
            except WaitTimeout as error:
                name, count = next(iter(behind.items()))
                raise ApplicationFailed(
                    f"application {name!r} came no further for {self._deadline:g} s after {count:,} records: see "
                    f"cluster.lag({self._cluster.name(name)!r}), or give it longer with deadline=."
                ) from error

    def _behind(self, members: Iterable[Process]) -> dict[str, int]:
        """Return the records that those have read who are not at their end."""
        self.check()
        return {member.name: member.read for member in members if not member.finished}

    def _stop_following(self) -> None:
        self._run_ended.set()
        if self._follower is not None:
            self._follower.join(_END_SECONDS)

    def _end(self) -> None:
        self._stop_following()
        for member in self._members.values():
            member.release()
        for member in self._members.values():
            member.end()
        self._admin.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()


def _chosen(scenario: str, names: Collection[str] | None) -> Mapping[str, type[Task]]:
    if scenario not in SOURCES:
        raise InvalidArgument(f"there is no scenario {scenario!r}: choose from {', '.join(SOURCES)}.")
    tasks = APPLICATIONS.get(scenario, {})
    for name in names or ():
        if name not in tasks:
            known = ", ".join(tasks) or "none"
            raise InvalidArgument(f"{scenario} has no application {name!r}: choose from {known}.")
    return {name: task for name, task in tasks.items() if names is None or name in names}
