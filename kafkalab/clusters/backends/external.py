"""A cluster that somebody else runs: everything but the control of its processes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from kafkalab.clusters.admin import PatientAdmin
from kafkalab.clusters.backends.base import Backend, NodeState
from kafkalab.clusters.metadata import View
from kafkalab.clusters.proxy import Link
from kafkalab.clusters.security import Security
from kafkalab.clusters.spec import NodeSpec
from kafkalab.errors import ClusterUnreachable, InvalidArgument, UnsupportedByBackend, WaitTimeout

__all__ = ["ExternalBackend"]

_ADDRESS = re.compile(r"(\[[0-9a-fA-F:]+\]|[^\s:,\[\]]+):([1-9][0-9]{0,4})")


class ExternalBackend(Backend):
    """A borrowed cluster, asked through an admin client.

    Args:
        bootstrap_servers: ``host:port`` of some brokers, joined by commas.

    Raises:
        InvalidArgument: that is no list of addresses.
    """

    def __init__(self, bootstrap_servers: str) -> None:
        self._servers = _checked_servers(bootstrap_servers)
        self._admin = PatientAdmin(lambda: self._servers, lambda: "")
        self._known: dict[int, NodeSpec] = {}

    @property
    def nodes(self) -> tuple[NodeSpec, ...]:
        return tuple(self._known[node_id] for node_id in sorted(self._known))

    @property
    def folder(self) -> Path:
        self._refuse("see its files")

    def data_folder(self, node_id: int) -> Path:
        self._refuse(f"see the files of broker {node_id}")

    @property
    def bootstrap_servers(self) -> str:
        return self._servers

    @property
    def harness_servers(self) -> str:
        return self._servers

    @property
    def security(self) -> Security | None:
        return None

    def start(self, timeout: float) -> None:
        """Look whether somebody answers, and who belongs to the cluster.

        Raises:
            ClusterUnreachable: no broker answered in time.
        """
        try:
            self._living(timeout)
        except WaitTimeout as error:
            raise ClusterUnreachable(
                f"no Kafka broker answered at {self._servers} within {timeout:g} s: is the cluster running, and is "
                f"the address right? The last error: {error.last!r}"
            ) from error

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
        view = View(living, True, {key: isr for topic in found for key, isr in _isr_of(topic)})
        return dict.fromkeys(sorted(living), view)

    def close(self) -> None:
        self._admin.close()

    def _refuse(self, what: str) -> NoReturn:
        raise UnsupportedByBackend(
            f"this cluster is borrowed, so kafkalab cannot {what}: use a cluster of your own, "
            "`with Cluster() as cluster:`."
        )

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


def _isr_of(topic: Mapping[str, Any]) -> list[tuple[tuple[str, int], frozenset[int]]]:
    return [
        ((topic["name"], partition["partition_index"]), frozenset(partition["isr_nodes"]))
        for partition in topic["partitions"]
        if partition["leader_id"] >= 0
    ]
