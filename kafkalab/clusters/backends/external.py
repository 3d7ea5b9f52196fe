"""A cluster that somebody else runs: everything but the control of its processes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from kafkalab.clusters.access import Access
from kafkalab.clusters.admin import PatientAdmin
from kafkalab.clusters.backends.base import Backend, NodeState
from kafkalab.clusters.belongings import Belongings, command
from kafkalab.clusters.metadata import PartitionView, View
from kafkalab.clusters.processes import SupervisedProcesses
from kafkalab.clusters.proxy import Link
from kafkalab.clusters.reading import LOGGER, QUICK_RECONNECT
from kafkalab.clusters.spec import NodeSpec
from kafkalab.errors import AccessRefused, BorrowedCluster, ClusterUnreachable, InvalidArgument, NotRunning, WaitTimeout
from kafkalab.waiting import wait_until

__all__ = ["ExternalBackend"]

# What librdkafka calls a wrong password, a user that is unknown, and a certificate that one of the two does not trust.
_REFUSALS = frozenset({KafkaError._AUTHENTICATION, KafkaError._SSL})  # noqa: SLF001
_LOOK_SECONDS = 0.5
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:]+\]|[^\s:,\[\]]+):([1-9][0-9]{0,4})")


class ExternalBackend(Backend):
    """A borrowed cluster, asked through an admin client.

    Args:
        bootstrap_servers: ``host:port`` of some brokers, joined by commas.
        access: what they ask of a client.

    Raises:
        InvalidArgument: that is no list of addresses.
    """

    def __init__(self, bootstrap_servers: str, access: Access) -> None:
        self._servers = _checked_servers(bootstrap_servers)
        self._access = access
        self._admin = PatientAdmin(
            lambda: {"bootstrap_servers": self._servers, **self._access.kafka_python()}, lambda: ""
        )
        self._known: dict[int, NodeSpec] = {}
        self._processes: SupervisedProcesses | None = None

    @property
    def nodes(self) -> tuple[NodeSpec, ...]:
        return tuple(self._known[node_id] for node_id in sorted(self._known))

    @property
    def folder(self) -> Path:
        return self._supervised.folder

    @property
    def _supervised(self) -> SupervisedProcesses:
        if self._processes is None:  # not every guest wants one
            self._processes = SupervisedProcesses()
        return self._processes

    def keep(self, belongings: Belongings) -> None:
        """Have a guest's belongings deleted also where it comes to a sudden end."""
        belongings.keep_in(self.folder, {"bootstrap_servers": self._servers, **self._access.kafka_python()})
        self._supervised.at_the_end(command(self.folder))

    def data_folder(self, node_id: int) -> Path:
        self._refuse(f"see the files of broker {node_id}")

    @property
    def bootstrap_servers(self) -> str:
        return self._servers

    @property
    def harness_servers(self) -> str:
        return self._servers

    def close(self) -> None:
        self._admin.close()
        if self._processes is not None:
            with suppress(NotRunning):  # it was killed, or closed before
                self._processes.at_the_end([])  # who ends in good order has done it
            self._processes.close()

    @property
    def topic_config(self) -> Mapping[str, object]:
        # Whoever runs it may keep records for a week, and simulated times lie further back.
        return {"retention.ms": -1}

    @property
    def access(self) -> Access:
        return self._access

    @property
    def harness_access(self) -> Access:
        return self._access

    def start(self, timeout: float) -> None:
        """Look whether somebody answers and lets us in, and who belongs to the cluster.

        Raises:
            AccessRefused: a broker answered, and does not let this client in.
            ClusterUnreachable: no broker answered in time.
        """
        self._knock(timeout)
        try:
            self._living(timeout)
        except WaitTimeout as error:
            raise self._unreachable(timeout, repr(error.last)) from error

    def _knock(self, timeout: float) -> None:
        """Ask by confluent-kafka first: it says at once what kafka-python finds out in 30 seconds without a reason."""
        errors: list[KafkaError] = []
        config = {"bootstrap.servers": self._servers, **self._access.confluent_kafka(), **QUICK_RECONNECT}
        try:
            client = AdminClient({**config, "error_cb": errors.append}, logger=LOGGER)
        except KafkaException as error:  # a certificate that cannot be read, say
            raise InvalidArgument(f"with these settings there can be no client: {error.args[0].str()}") from error

        def answered() -> bool:
            try:
                return bool(client.list_topics(timeout=_LOOK_SECONDS).brokers)
            except KafkaException as error:
                client.poll(0)
                errors.append(error.args[0])
                return False

        def refusals() -> list[KafkaError]:
            return [error for error in errors if error.code() in _REFUSALS]

        try:
            wait_until(answered, lambda yes: yes or bool(refusals()), what="an answer", timeout=timeout)
        except WaitTimeout as error:
            raise self._unreachable(timeout, errors[0].str()) from error
        if refused := refusals():
            raise AccessRefused(
                f"the cluster at {self._servers} does not let this client in: {refused[0].str()}. Check protocol "
                f"({self._access.protocol}), mechanism, username, password and ca_file."
            )

    def _unreachable(self, timeout: float, last: str) -> ClusterUnreachable:
        protocol = self._access.protocol
        more = " (With a ca_file it would be TLS, with a username a password.)" if protocol == "PLAINTEXT" else ""
        return ClusterUnreachable(
            f"no Kafka broker answered at {self._servers} within {timeout:g} s: is the cluster running, is the "
            f"address right, and does it speak {protocol}?{more} The last error: {last}"
        )

    def _living(self, timeout: float | None = None) -> set[int]:
        """Return the ids of the brokers that the cluster knows now, and remember them."""
        described = self._admin.ask(lambda admin: admin.describe_cluster(), timeout)
        living = {broker["broker_id"] for broker in described["brokers"]}
        self._known.update({node_id: NodeSpec(node_id, ("broker",)) for node_id in living})
        return living

    def state(self, node_id: int) -> NodeState:
        return "running" if node_id in self._living() else "stopped"

    def views(self, topics: list[str]) -> Mapping[int, View | OSError]:
        """Return one broker's view under every id: who else may be asked is not for a guest to know."""
        found = self._admin.ask(lambda admin: admin.describe_topics(topics)) if topics else []
        living = frozenset(self._living())
        partitions = {key: partition for topic in found for key, partition in _partitions_of(topic)}
        view = View(living, True, {key: each.isr for key, each in partitions.items()}, partitions)
        return dict.fromkeys(sorted(living), view)

    def _refuse(self, what: str) -> NoReturn:
        raise BorrowedCluster(f"this cluster is borrowed, so kafkalab cannot {what}")

    def check_control(self) -> None:
        self._refuse("break its brokers")

    def link(self, node_id: int) -> Link:
        self._refuse(f"cut or slow the network of broker {node_id}")

    def wait_joined(self, node_id: int, timeout: float) -> None:
        self._refuse(f"start broker {node_id}")

    def kill(self, node_id: int) -> None:
        self._refuse(f"kill broker {node_id}")

    def shut_down(self, node_id: int, timeout: float) -> None:
        self._refuse(f"stop broker {node_id}")

    def pause(self, node_id: int) -> None:
        self._refuse(f"pause broker {node_id}")

    def resume(self, node_id: int) -> None:
        self._refuse(f"resume broker {node_id}")

    def restart(self, node_id: int) -> None:
        self._refuse(f"start broker {node_id}")

    def add_broker(self) -> int:
        self._refuse("add a broker")

    @property
    def cluster_id(self) -> str:
        self._refuse("keep its data as a file")

    def copy_frozen(self, target: Path) -> None:
        self._refuse("keep its data as a file")

    def log(self, node_id: int) -> str:
        self._refuse(f"read the log of broker {node_id}")


def _checked_servers(servers: object) -> str:
    parts = [part.strip() for part in servers.split(",")] if isinstance(servers, str) else []
    if not parts or not all(_ADDRESS.fullmatch(part) for part in parts):
        raise InvalidArgument(
            f"{servers!r} is no list of bootstrap servers: write host:port, several joined by commas, "
            "such as 127.0.0.1:9092."
        )
    return ",".join(parts)


def _partitions_of(topic: Mapping[str, Any]) -> Iterator[tuple[tuple[str, int], PartitionView]]:
    for each in topic["partitions"]:
        if each["leader_id"] >= 0:
            seen = each["leader_id"], each["leader_epoch"], tuple(each["replica_nodes"]), frozenset(each["isr_nodes"])
            yield (topic["name"], each["partition_index"]), PartitionView(*seen)
