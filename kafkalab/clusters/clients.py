"""The clients of a cluster: what they need to reach it, and ready-made ones that are closed with it."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError

from kafkalab.clusters.admin import QUICK_RECONNECT, PatientAdmin
from kafkalab.clusters.clientlog import ClientLog
from kafkalab.clusters.kafka_python import end, made
from kafkalab.clusters.lodging import READERS, Lodging
from kafkalab.clusters.log_views import LogViews
from kafkalab.clusters.node import Node
from kafkalab.clusters.reading import TopicReading
from kafkalab.clusters.replicas import leaders_ends
from kafkalab.clusters.tools import run_tool
from kafkalab.errors import InvalidArgument

__all__ = ["Clients"]

_CLOSE_SECONDS = 0.5
_REMEDY = {"paused": "resume", "stopped": "start"}
_CHANGE_MS = 15_000


class Clients(LogViews):
    """What a :class:`~kafkalab.clusters.cluster.Cluster` gives to clients, and keeps of them."""

    def __init__(self, lodging: Lodging) -> None:
        self._clients: list[Callable[[], None]] = []
        super().__init__(PatientAdmin(self._harness_config, self._quorum_hint), lodging)
        self._changes = PatientAdmin(self._harness_config, self._quorum_hint, request_ms=_CHANGE_MS)
        self._client_log = ClientLog()

    @property
    @abstractmethod
    def controllers(self) -> list[Node]:
        """All voters of the metadata quorum by id."""

    @property
    def bootstrap_servers(self) -> str:
        """``host:port`` of every broker, joined by commas."""
        return self._backend.bootstrap_servers

    def client_config(self, library: str = "kafka-python") -> dict[str, Any]:
        """Return what a client needs to reach this cluster, and nothing else.

        Args:
            library: ``"kafka-python"`` for keyword arguments, ``"confluent-kafka"`` for that library's dict.
        """
        access = self._backend.access
        if library == "kafka-python":
            return {"bootstrap_servers": self.bootstrap_servers, **access.kafka_python()}
        if library == "confluent-kafka":
            return {"bootstrap.servers": self.bootstrap_servers, **access.confluent_kafka()}
        raise InvalidArgument(f"{library!r} is not a client known here: choose kafka-python or confluent-kafka.")

    def producer(self, **config: Any) -> KafkaProducer:
        """Return a kafka-python producer that reconnects quickly; closed with the cluster."""
        producer = made(KafkaProducer, **{**self.client_config(), **QUICK_RECONNECT, **config})
        self._clients.append(lambda: end(producer, _CLOSE_SECONDS))
        return producer

    def consumer(self, *topics: str, **config: Any) -> KafkaConsumer:
        """Return a kafka-python consumer that reconnects quickly; closed with the cluster."""
        consumer = made(KafkaConsumer, *topics, **{**self.client_config(), **QUICK_RECONNECT, **config})
        self._clients.append(lambda: consumer.close(autocommit=False, timeout_ms=int(_CLOSE_SECONDS * 1000)))
        return consumer

    def admin(self, **config: Any) -> KafkaAdminClient:
        """Return a kafka-python admin client that reconnects quickly; closed with the cluster."""
        admin = made(KafkaAdminClient, **{**self.client_config(), **QUICK_RECONNECT, **config})
        self._clients.append(admin.close)
        return admin

    def patient_admin(self, request_ms: int) -> PatientAdmin:
        """Return an admin client that survives what the harness does to brokers; its caller closes it.

        Args:
            request_ms: how long one broker may take for an answer before another is asked.
        """
        return PatientAdmin(self._harness_config, self._quorum_hint, request_ms)

    def on_stop(self, close: Callable[[], None]) -> None:
        """Have ``close`` called when this cluster stops, while its brokers still run."""
        self._clients.append(close)

    def client_log(self) -> pd.DataFrame:
        """Return what kafka-python logged since this cluster was made: level, logger, message (str), oldest first."""
        return self._client_log.frame()

    def read_log(self, topics: Sequence[str], *, committed: bool = False, timeout: float = 60.0) -> TopicReading:
        """Return a fresh reading of ``topics`` from log start to end, in no group; what a ledger verifies by.

        Args:
            topics: their names; one that is not there has no partitions.
            committed: leave out records of transactions that were aborted or are open (read_committed).
            timeout: seconds without progress after which what is left counts as not reached.
        """
        return TopicReading(
            self.client_config("confluent-kafka"),
            topics,
            group=self._lodging.name(READERS),
            committed=committed,
            timeout=timeout,
            leaders_ends=lambda: self._admin.ask(lambda admin: leaders_ends(admin, topics), timeout),
        )

    def kafka_tool(self, name: str, *arguments: str, stdin: str = "", timeout: float = 60.0) -> str:
        """Run one of Apache Kafka's command-line tools on this cluster and return what it printed.

        ``cluster.kafka_tool("kafka-topics", "--list")``; the servers are added.

        Raises:
            InvalidArgument: there is no such tool.
            ToolFailed: it failed, or ran longer than ``timeout`` seconds.
            ToolRefused: it failed, since the cluster does not give this user the right.
        """
        backend = self._backend
        return run_tool(name, arguments, backend.harness_servers, backend.harness_access, stdin=stdin, timeout=timeout)

    def _harness_config(self) -> dict[str, Any]:
        backend = self._backend
        return {"bootstrap_servers": backend.harness_servers, **backend.harness_access.kafka_python()}

    def _quorum_hint(self) -> str:
        missing = [node for node in self.controllers if node.state != "running"]
        # Of a borrowed cluster's controllers nothing is known.
        if not missing or 2 * len(missing) < len(self.controllers):
            return ""
        first = missing[0]
        return (
            f"Of {len(self.controllers)} controllers {len(missing)} do not run, so the metadata quorum has no "
            f"majority: bring {first!r} back with cluster.controller({first.id}).{_REMEDY[first.state]}()."
        )

    def _close_clients(self) -> None:
        while self._clients:
            # A client whose brokers are dead cannot say goodbye; that is no news while the cluster ends.
            with contextlib.suppress(KafkaError):
                self._clients.pop()()

    def _close_admins(self) -> None:
        self._admin.close()
        self._changes.close()
