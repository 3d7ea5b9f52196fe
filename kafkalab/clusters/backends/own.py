"""A cluster of our own, whatever its nodes run in: its folder, its ports, what its brokers know, its data."""

from __future__ import annotations

import base64
import signal
import threading
import uuid
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from kafkalab.clusters.access import PLAINTEXT, Access
from kafkalab.clusters.archive import Archive, has_quorum
from kafkalab.clusters.backends.base import Backend, NodeState
from kafkalab.clusters.copying import copy_data, mark_complete
from kafkalab.clusters.failure import failure_reason, last_lines
from kafkalab.clusters.metadata import BrokerConnection, View
from kafkalab.clusters.network import PEERS, Network
from kafkalab.clusters.ports import LOOPBACK, PortReservation
from kafkalab.clusters.processes import SupervisedProcesses
from kafkalab.clusters.properties import NodeAddress, render
from kafkalab.clusters.proxy import Link
from kafkalab.clusters.security import Security
from kafkalab.clusters.spec import ClusterSpec, NodeSpec
from kafkalab.clusters.startup import LOG_CONFIG, LOG_CONFIG_NAME
from kafkalab.errors import BrokerFailed
from kafkalab.waiting import wait_until

__all__ = ["OwnBackend", "kafka_uuid", "node_name"]

_KILL_SECONDS = 10.0


class OwnBackend(Backend):
    """A cluster on this machine under one supervisor, which holds its folder.

    Args:
        spec: what the cluster should be.
        archive: a snapshot whose data to start with, in place of new storage.
    """

    _ready_every = 0.01  # seconds between two looks whether all brokers are there

    def __init__(self, spec: ClusterSpec, archive: Archive | None = None) -> None:
        self._spec = spec
        self._archive = archive
        self._nodes = list(archive.manifest.nodes if archive else spec.nodes)
        self._started: set[int] = set()  # of all nodes, those that were ever started
        self._paused: set[int] = set()
        self._addresses: dict[int, NodeAddress] = {}
        self._connections: dict[int, BrokerConnection] = {}
        self._looking = threading.Lock()
        self._security: Security | None = None
        self._cluster_id = archive.manifest.cluster_id if archive else kafka_uuid()
        self._ports = PortReservation()
        self._processes: SupervisedProcesses | None = None
        self._network: Network | None = None

    # ---- what nodes run in ------------------------------------------------------------------------------------

    @abstractmethod
    def _address(self, node: NodeSpec, client_port: int, controller_port: int) -> NodeAddress:
        """Return where a node is reached, on these ports (0 for none) and more from :meth:`_free_port`."""

    @abstractmethod
    def _format(self, node: NodeSpec, data: Path) -> None:
        """Make the storage of a new node ready, in a folder that is there and empty."""

    @abstractmethod
    def _properties(self, node: NodeSpec) -> dict[str, str]:
        """Return the properties of a node as its process sees its files."""

    @abstractmethod
    def _spawn(self, node_ids: Sequence[int]) -> None:
        """Start nodes that are laid out, or have ended; does not wait for what they do."""

    @abstractmethod
    def _exit_code(self, node_id: int) -> int | None:
        """Return how the process of a node ended (negative: a signal's number), or None while it runs."""

    @abstractmethod
    def _end(self, node_id: int, number: signal.Signals, timeout: float) -> None:
        """Send a signal that ends a node, and return when it has ended."""

    @abstractmethod
    def _frozen(self) -> AbstractContextManager[None]:
        """Freeze all nodes while the context lasts; those that are paused stay so."""

    # ---- addresses --------------------------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        return self._running.folder

    @property
    def nodes(self) -> tuple[NodeSpec, ...]:
        return tuple(self._nodes)

    @property
    def bootstrap_servers(self) -> str:
        return ",".join(f"{LOOPBACK}:{self._addresses[node.id].client_port}" for node in self._nodes if node.is_broker)

    @property
    def harness_servers(self) -> str:
        return ",".join(f"{LOOPBACK}:{self._addresses[node_id].plain_port}" for node_id in self._reachable_brokers())

    @property
    def access(self) -> Access:
        return self._security.access if self._security else PLAINTEXT

    def _reachable_brokers(self) -> list[int]:
        """Return who can speak for the cluster: a broker cut off from its peers runs, and knows only the past."""
        return [node.id for node in self._nodes if node.is_broker and self._is_reachable(node.id)]

    def _is_reachable(self, node_id: int) -> bool:
        return self.state(node_id) == "running" and not (self._network and PEERS in self.link(node_id).cut)

    @property
    def _running(self) -> SupervisedProcesses:
        assert self._processes is not None, "start() comes first"
        return self._processes

    # ---- start ------------------------------------------------------------------------------------------------

    def start(self, timeout: float) -> None:
        self._addresses = self._take_ports()
        self._processes = SupervisedProcesses()
        self._network = Network(self._processes) if self._spec.proxied else None
        self._set_up()
        stopped = self._archive.manifest.stopped if self._archive else frozenset()
        for node in self._nodes:
            self._prepare(node)
        self._launch([node.id for node in self._nodes if node.id not in stopped])
        if has_quorum(self._nodes, stopped):  # else it is restored as it was: nothing could get ready
            self.wait_ready(timeout)

    def _set_up(self) -> None:
        """Make what all nodes share."""
        if self._archive:
            self._archive.unpack(self.folder)
        if self._spec.security:
            self._security = self._secured()

    def _secured(self) -> Security:
        if self._archive and self._archive.manifest.password:
            return Security.of(self.folder, self._archive.manifest.password)
        return Security.create(self.folder)

    def _launch(self, node_ids: Sequence[int]) -> None:
        self._spawn(node_ids)
        self._started.update(node_ids)
        if self._network:
            self._network.apply()

    def wait_ready(self, timeout: float) -> None:
        """Return when every broker is registered, unfenced, and known to every other."""
        brokers = {node.id for node in self._nodes if node.is_broker and node.id in self._started}
        wait_until(
            self._views_of_living,
            # A node that ended since it was looked at has no view.
            lambda views: views.keys() == brokers and all(_knows(view, brokers) for view in views.values()),
            what=f"{len(brokers)} brokers that know each other",
            timeout=timeout,
            every=self._ready_every,
        )

    def wait_joined(self, node_id: int, timeout: float) -> None:
        joined = {node.id for node in self._nodes if node.id == node_id and node.is_broker}
        wait_until(
            lambda: self._views_unless_ended(node_id),
            lambda views: views.keys() >= joined and all(_knows_at_least(view, set(views)) for view in views.values()),
            what=f"node {node_id} to join the cluster",
            timeout=timeout,
        )

    def _views_unless_ended(self, node_id: int) -> Mapping[int, View | OSError]:
        self._raise_if_ended(node_id)
        return self.views([])

    def _views_of_living(self) -> Mapping[int, View | OSError]:
        for node_id in self._started:
            self._raise_if_ended(node_id)
        return self.views([])

    def _raise_if_ended(self, node_id: int) -> None:
        code = self._exit_code(node_id)
        if code is not None:
            log = self.log(node_id)
            reason = failure_reason(log, code)
            raise BrokerFailed(f"node {node_id} ended while starting: {reason}\n{last_lines(log)}")

    def views(self, topics: list[str]) -> Mapping[int, View | OSError]:
        # A connection carries one request at a time, and several threads may look.
        with self._looking:
            return {node_id: self._view(node_id, topics) for node_id in self._reachable_brokers()}

    def _view(self, node_id: int, topics: list[str]) -> View | OSError:
        try:
            if node_id not in self._connections:
                self._connections[node_id] = BrokerConnection(self._addresses[node_id].bound.plain_port)
            return self._connections[node_id].view(topics)
        except OSError as error:
            self._disconnect(node_id)
            return error

    def _disconnect(self, node_id: int) -> None:
        if connection := self._connections.pop(node_id, None):
            connection.close()

    def _take_ports(self) -> dict[int, NodeAddress]:
        brokers = [node for node in self._nodes if node.is_broker]
        if self._spec.port is None:
            client = self._ports.take_free(len(brokers))
        else:
            client = self._ports.take(range(self._spec.port, self._spec.port + len(brokers)))
        controller = self._ports.take_free(sum(node.is_voter for node in self._nodes))
        return {
            node.id: self._address(
                node, client.pop(0) if node.is_broker else 0, controller.pop(0) if node.is_voter else 0
            )
            for node in self._nodes
        }

    def _free_port(self, needed: bool) -> int:
        return self._ports.take_free(1)[0] if needed else 0

    def _prepare(self, node: NodeSpec) -> None:
        """Lay out the node's folder: its data, room for temporary files, its settings."""
        folder, data = self._folder_of(node.id), self.data_folder(node.id)
        (folder / "tmp").mkdir(parents=True)
        if not data.exists():
            data.mkdir()
            self._format(node, data)
        if self._network:
            self._network.add(node.id, self._addresses[node.id])
        (folder / LOG_CONFIG_NAME).write_text(LOG_CONFIG)
        (folder / "server.properties").write_text(render(self._properties(node)))

    def _folder_of(self, node_id: int) -> Path:
        return self.folder / node_name(node_id)

    def data_folder(self, node_id: int) -> Path:
        return self._folder_of(node_id) / "data"

    # ---- nodes ------------------------------------------------------------------------------------------------

    def state(self, node_id: int) -> NodeState:
        if node_id not in self._started or self._exit_code(node_id) is not None:
            return "stopped"
        return "paused" if node_id in self._paused else "running"

    def check_control(self) -> None:
        """Do nothing: these processes are this cluster's own."""

    def kill(self, node_id: int) -> None:
        self._end(node_id, signal.SIGKILL, _KILL_SECONDS)
        self._paused.discard(node_id)

    def shut_down(self, node_id: int, timeout: float) -> None:
        self._end(node_id, signal.SIGTERM, timeout)

    def restart(self, node_id: int) -> None:
        self._launch([node_id])

    def add_broker(self) -> int:
        new_id = max(node.id for node in self._nodes if node.is_broker) + 1
        node = NodeSpec(new_id, ("broker",))
        (port,) = self._ports.take_free(1)
        self._addresses[new_id] = self._address(node, port, 0)
        self._nodes.insert(new_id - 1, node)
        self._prepare(node)
        self._launch([new_id])
        return new_id

    def link(self, node_id: int) -> Link:
        return self._network.link(node_id) if self._network else super().link(node_id)

    def shape(self, node_id: int, link: Link) -> None:
        if self._network is None:
            super().shape(node_id, link)
        else:
            self._network.shape(node_id, link)

    # ---- data -------------------------------------------------------------------------------------------------

    @property
    def cluster_id(self) -> str:
        return self._cluster_id

    @property
    def generation(self) -> int:
        return self._archive.manifest.generation + 1 if self._archive else 0

    def copy_frozen(self, target: Path) -> None:
        copies = {node.id: target / node_name(node.id) / "data" for node in self._nodes}
        with self._frozen():
            for node_id, copy in copies.items():
                copy_data(self.data_folder(node_id), copy)
        for node_id, copy in copies.items():
            log = self.log(node_id)
            copy.with_name("broker.log").write_text(log)
            if self.state(node_id) != "stopped":
                mark_complete(copy, log)
        if self._security:
            self._security.copy_to(target)

    def close(self) -> None:
        for node_id in list(self._connections):
            self._disconnect(node_id)
        if self._network is not None:
            self._network.close()
        if self._processes is not None:
            self._processes.close()
        self._ports.close()


def node_name(node_id: int) -> str:
    """Return what a node's folder, and whatever it runs in, is called."""
    return f"node-{node_id}"


def kafka_uuid() -> str:
    """Return a new id as Kafka's ``Uuid``: 16 random bytes, URL-safe base64 without padding, no dash first."""
    text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    return kafka_uuid() if text.startswith("-") else text


def _knows(view: View | OSError, brokers: set[int]) -> bool:
    return isinstance(view, View) and view.brokers == brokers and view.has_controller


def _knows_at_least(view: View | OSError, brokers: set[int]) -> bool:
    return isinstance(view, View) and view.brokers >= brokers
