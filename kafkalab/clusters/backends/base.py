"""What a cluster needs of whatever runs its nodes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from kafkalab.clusters.access import PLAINTEXT, Access
from kafkalab.clusters.metadata import View
from kafkalab.clusters.proxy import Link
from kafkalab.clusters.spec import NodeSpec
from kafkalab.errors import UnsupportedByBackend

__all__ = ["Backend", "NodeState"]

NodeState = Literal["running", "paused", "stopped"]


class Backend(ABC):
    """Runs the nodes of one cluster. Node ids are Kafka's; times are in seconds."""

    @property
    @abstractmethod
    def nodes(self) -> tuple[NodeSpec, ...]:
        """All nodes, brokers first, whether they run or not."""

    @property
    @abstractmethod
    def folder(self) -> Path:
        """The cluster's temporary folder, removed with it."""

    @abstractmethod
    def data_folder(self, node_id: int) -> Path:
        """Return the node's log directory (Kafka's ``log.dirs``)."""

    @property
    @abstractmethod
    def bootstrap_servers(self) -> str:
        """``host:port`` of every broker, joined by commas."""

    @property
    @abstractmethod
    def access(self) -> Access:
        """What clients need besides the servers."""

    @property
    @abstractmethod
    def harness_servers(self) -> str:
        """``host:port`` of every running broker for the harness, joined by commas; "" where none runs."""

    @property
    def topic_config(self) -> Mapping[str, object]:
        """Settings of new topics, where they do not say otherwise."""
        return {}

    @property
    def harness_access(self) -> Access:
        """What the harness needs besides its servers: nothing, where it has a plain listener of its own."""
        return PLAINTEXT

    @abstractmethod
    def start(self, timeout: float) -> None:
        """Start all nodes; return when every broker knows every broker.

        Raises:
            BrokerFailed: a node ended by itself.
            WaitTimeout: the cluster was not ready in time.
        """

    @abstractmethod
    def wait_joined(self, node_id: int, timeout: float) -> None:
        """Return when every running broker knows every running broker, the (re)started one included.

        Raises:
            BrokerFailed: the node ended by itself.
            WaitTimeout: it did not join in time.
        """

    @abstractmethod
    def close(self) -> None:
        """End everything and leave nothing behind; may be called again."""

    @abstractmethod
    def state(self, node_id: int) -> NodeState:
        """Return what the node's process does now."""

    @abstractmethod
    def kill(self, node_id: int) -> None:
        """End the node at once, as a power cut would (SIGKILL)."""

    @abstractmethod
    def shut_down(self, node_id: int, timeout: float) -> None:
        """End the node in good order (SIGTERM: leaders move away first)."""

    @abstractmethod
    def pause(self, node_id: int) -> None:
        """Freeze the node (SIGSTOP): connections stay, nothing is answered."""

    @abstractmethod
    def resume(self, node_id: int) -> None:
        """Let a paused node go on."""

    @abstractmethod
    def check_control(self) -> None:
        """Do nothing where the processes of this cluster can be killed and paused.

        Raises:
            UnsupportedByBackend: they cannot.
        """

    def link(self, node_id: int) -> Link:
        """Return what the network does to the node now.

        Raises:
            UnsupportedByBackend: this cluster's network cannot be cut or slowed.
        """
        raise UnsupportedByBackend(
            f"the network of node {node_id} cannot be cut or slowed, for no proxy stands in front of this cluster: "
            "make it with Cluster(proxied=True)."
        )

    def shape(self, node_id: int, link: Link) -> None:
        """Make the node's network like ``link``; returns when it is.

        Raises:
            UnsupportedByBackend: this cluster's network cannot be cut or slowed.
        """
        self.link(node_id)

    @abstractmethod
    def restart(self, node_id: int) -> None:
        """Start a node that has ended, on its old data and port; does not wait."""

    @abstractmethod
    def add_broker(self) -> int:
        """Start one more broker and return its id; does not wait."""

    @property
    @abstractmethod
    def cluster_id(self) -> str:
        """Kafka's id of this cluster."""

    @property
    def generation(self) -> int:
        """How many times the data were restored from a snapshot."""
        return 0

    @abstractmethod
    def copy_frozen(self, target: Path) -> None:
        """Copy all nodes' data and logs as they are at one moment, in which no node does anything.

        They come into ``target`` as :mod:`kafkalab.clusters.archive` shows, with the key of a secured cluster.
        """

    @abstractmethod
    def log(self, node_id: int) -> str:
        """Return everything the node has logged."""

    @abstractmethod
    def views(self, topics: list[str]) -> Mapping[int, View | OSError]:
        """Return what each running broker believes, with the partitions of ``topics``, or the error it gave."""
