"""What happens from the first record to the last outcome: producers, group consumers, faults and the progress bar."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

from kafkalab.clusters import Cluster
from kafkalab.errors import TrafficFailed
from kafkalab.ledger import Ledger, Session
from kafkalab.traffic.asked import Asked, Observation
from kafkalab.traffic.dealing import Dealer
from kafkalab.traffic.frontier import Frontier
from kafkalab.traffic.group import Ends, GroupRun
from kafkalab.traffic.pacing import Pace
from kafkalab.traffic.progress import Show, progress_bar
from kafkalab.traffic.sending import CHUNK_SIZE, Sender, Signals
from kafkalab.traffic.topics import TopicsInUse, missing_topics
from kafkalab.traffic.with_confluent import AT_FULL_SPEED, ConfluentSender
from kafkalab.traffic.with_kafka_python import KafkaPythonSender
from kafkalab.traffic.worker import Worker

__all__ = ["Conductor"]

_LOOK_SECONDS = 0.1
_QUIET_SECONDS = 1.0  # without an acknowledgement, after which the topics are looked for
_PATIENCE = 0.5  # of the deadline: without an acknowledgement after the last send, faults are undone
_SENDERS: dict[str, type[KafkaPythonSender | ConfluentSender]] = {
    "kafka-python": KafkaPythonSender,
    "confluent-kafka": ConfluentSender,
}


class Conductor:
    """Conducts one run: :meth:`prepare` in the caller's thread, then :meth:`conduct` in one of its own.

    Attributes:
        signals: to halt it.
        topics: in use.
        groups: of consumers.
        frontier: how far all is settled.
        error: what went wrong; None for nothing.
        started: time.monotonic() seconds.
    """

    def __init__(self, cluster: Cluster, asked: Asked, ledger: Ledger, *, progress: bool | None) -> None:
        self.signals = Signals(asked.deadline)
        self.topics = TopicsInUse(cluster, asked.topic_settings)
        self.groups: list[GroupRun] = []
        self.frontier = Frontier([], deque(), list)
        self.error: BaseException | None = None
        self.started = self._ended = time.monotonic()
        self._running = False
        self._cluster = cluster
        self._asked = asked
        self._ledger = ledger
        self._before = ledger.counts
        self._progress = progress
        self._sessions: list[Session] = []
        self._senders: list[Sender] = []
        self._workers: list[Worker] = []
        self._quiet_since = self.started
        self._seen_acknowledged = 0
        self._missing: set[str] = set()

    def observe(self) -> Observation:
        """Return elapsed seconds, and the records that this run has sent and that were acknowledged."""
        counts = self._ledger.counts
        elapsed = (time.monotonic() if self._running else self._ended) - self.started
        return Observation(elapsed, counts.sent - self._before.sent, counts.acknowledged - self._before.acknowledged)

    # ---- before -----------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make topics, producers and groups.

        Raises:
            InvalidArgument: a topic, a setting or a group that cannot be.
            TrafficFailed: no broker answers.
        """
        for planned in self._asked.topic_settings:
            self.topics.name(planned)
        try:
            self.groups = [
                GroupRun(group, self._cluster, self._ledger, self.topics.names) for group in self._asked.consumers
            ]
            for _ in range(self._asked.producers):
                self._senders.append(self._sender())
        except BaseException:
            for sender in self._senders:
                sender.close()
            raise
        self.started = self._quiet_since = time.monotonic()
        self._running = True
        self._workers = self._make_workers()

    def _sender(self) -> Sender:
        asked = self._asked
        config = self._cluster.client_config(asked.client)
        unpaced = asked.rate is None and asked.speed is None and asked.client == "confluent-kafka"
        settings = {**(AT_FULL_SPEED if unpaced else {}), **asked.producer_config}
        self._sessions.append(session := self._ledger.session())
        return _SENDERS[asked.client](session, self.signals, config, asked.acks, settings)

    def _make_workers(self) -> list[Worker]:
        asked = self._asked
        pace = Pace(asked.rate, asked.speed)
        dealer = Dealer(asked.iterate(), asked.producers, pace, self.topics.name, CHUNK_SIZE)
        self.frontier = Frontier(self._sessions, dealer.marks, lambda: self._ledger.topics)
        return [Worker(number, sender, dealer, self.signals) for number, sender in enumerate(self._senders)]

    # ---- meanwhile --------------------------------------------------------------------------------------------

    def conduct(self) -> None:
        """Run to the end; what goes wrong is kept in :attr:`error`."""
        try:
            with ExitStack() as stack:
                for group in self.groups:
                    stack.callback(group.end)
                    group.start()
                show = stack.enter_context(progress_bar(self._asked.records, self._progress))
                self._conduct(show)
        except BaseException as error:  # noqa: BLE001 - kept for the thread that waits for the run
            self.error = self.error or error
        finally:
            self.signals.halt.set()
            for worker in self._workers:
                if worker.ident is not None:
                    worker.join()
            self._end()

    def _end(self) -> None:
        errors = [worker.error for worker in self._workers if worker.error is not None]
        self.error = self.error or (errors[0] if errors else None)
        self._ended = time.monotonic()
        self._running = False

    def _conduct(self, show: Show) -> None:
        with self._faults():
            for worker in self._workers:
                worker.start()
            self._look_after(show, patience=self._asked.deadline * _PATIENCE)
        self.signals.patience_from = time.monotonic()
        self._look_after(show, patience=float("inf"))
        if self.error is None and self.groups:
            ends = self._ends()
            for group in self.groups:
                group.catch_up(ends, self._asked.deadline)

    @contextmanager
    def _faults(self) -> Iterator[None]:
        faults = self._asked.faults
        try:
            with nullcontext() if faults is None else faults.running(self._cluster, self.observe):
                yield
        finally:
            for firing in [] if faults is None else faults.firings:
                self._note(firing)

    def _note(self, firing: Any) -> None:
        if firing.error is None:
            self._ledger.event(firing.name, firing.at, firing.done_at)
        if firing.undone_at is not None:
            self._ledger.event(f"{firing.name}, undone", firing.undone_at)

    def _look_after(self, show: Show, patience: float) -> None:
        """Return when all producers have ended, or have sent all and heard nothing for ``patience`` seconds."""
        for worker in self._workers:
            while worker.is_alive():
                worker.join(_LOOK_SECONDS)
                quiet = self._quiet_seconds(show)
                if quiet > patience and not any(each.sending for each in self._workers):
                    return
                # Who stops a run does not wait for what a dead cluster would say of its topics.
                if quiet > _QUIET_SECONDS and self.error is None and not self.signals.halt.is_set():
                    self._look_for_topics()

    def _quiet_seconds(self, show: Show) -> float:
        seen = self.observe()
        show(seen.sent, seen.acknowledged)
        now = time.monotonic()
        idle = not any(worker.outstanding for worker in self._workers)
        if idle or seen.acknowledged != self._seen_acknowledged:
            self._quiet_since, self._seen_acknowledged = now, seen.acknowledged
        return now - self._quiet_since

    def _look_for_topics(self) -> None:
        names = set(self.topics.names.values())
        missing = missing_topics(self._cluster.client_config("confluent-kafka"), names)
        # Twice, since a broker that comes back may not know yet what there is.
        gone, self._missing = missing & self._missing, missing
        if gone:
            self.error = TrafficFailed(
                f"topic {min(gone)!r} is gone: it was deleted while traffic ran; what was sent until then is in the "
                f"run's ledger."
            )
            self.signals.halt.set()
            self.signals.abandon.set()

    def _ends(self) -> Ends:
        frame = self._ledger.acknowledgements()
        last = frame.groupby(["topic", "partition"], observed=True)["offset"].max().reset_index()
        places = zip(last["topic"].astype(str), last["partition"].tolist(), strict=True)
        return dict(zip(places, (last["offset"] + 1).tolist(), strict=True))
