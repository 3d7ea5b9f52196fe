"""Brokers as processes of this machine, each with its folder and its ports on loopback."""

from __future__ import annotations

import base64
import shutil
import signal
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from kafkalab.clusters.access import PLAINTEXT, Access
from kafkalab.clusters.archive import Archive, has_quorum
from kafkalab.clusters.backends.base import Backend, NodeState
from kafkalab.clusters.copying import copy_data, mark_complete
from kafkalab.clusters.failure import failure_reason, last_lines
from kafkalab.clusters.metadata import BrokerConnection, View
from kafkalab.clusters.network import PEERS, Network
from kafkalab.clusters.ports import LOOPBACK, PortReservation
from kafkalab.clusters.processes import SupervisedProcesses, is_frozen
from kafkalab.clusters.properties import NodeAddress, node_properties, render
from kafkalab.clusters.proxy import Link
from kafkalab.clusters.security import Security
from kafkalab.clusters.spec import ClusterSpec, NodeSpec
from kafkalab.clusters.startup import CHECKPOINT_NAME, LOG_CONFIG, Startup, format_storage, storage_template
from kafkalab.errors import BrokerFailed
from kafkalab.waiting import wait_until

__all__ = ["LocalBackend"]

_FREEZE_SECONDS = 5.0
_KILL_SECONDS = 10.0
_READY_EVERY_SECONDS = 0.01


class LocalBackend(Backend):
    """A cluster of local processes under one supervisor.

    Args:
        spec: what the cluster should be.
        startup: Java, jars and flags.
        flags: further JVM flags for single nodes, by node id.
        archive: a snapshot whose data to start with, in place of new storage.
    """

    def __init__(
        self,
        spec: ClusterSpec,
        startup: Startup,
        *,
        flags: Mapping[int, tuple[str, ...]] | None = None,
        archive: Archive | None = None,
    ) -> None:
        self._spec = spec
        self._startup = startup
        self._flags = dict(flags or {})
        self._archive = archive
        self._nodes = list(archive.manifest.nodes if archive else spec.nodes)
        self._pids: dict[int, int] = {}  # of all nodes that were ever started
        self._addresses: dict[int, NodeAddress] = {}
        self._paused: set[int] = set()
        self._connections: dict[int, BrokerConnection] = {}
        self._looking = threading.Lock()
        self._checkpoint = storage_template(startup)
        self._security: Security | None = None
        self._cluster_id = archive.manifest.cluster_id if archive else _kafka_uuid()
        self._ports = PortReservation()
        self._processes: SupervisedProcesses | None = None
        self._network: Network | None = None

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

    def start(self, timeout: float) -> None:
        self._addresses = self._take_ports()
        self._processes = SupervisedProcesses()
        self._network = Network(self._processes) if self._spec.proxied else None
        (self.folder / "log4j2.properties").write_text(LOG_CONFIG)
        if self._archive:
            self._archive.unpack(self.folder)
        if self._spec.security:
            self._secure()
        stopped = self._archive.manifest.stopped if self._archive else frozenset()
        for node in self._nodes:
            self._prepare(node)
            if node.id not in stopped:
                self._spawn(node.id)
        self._connect_network()
        if has_quorum(self._nodes, stopped):  # else it is restored as it was: nothing could get ready
            self.wait_ready(timeout)

    def _secure(self) -> None:
        if self._archive and self._archive.manifest.password:
            self._security = Security.of(self.folder, self._archive.manifest.password)
            return
        self._security = Security.create(self.folder)
        # The user is part of the storage, so this cluster's differs from the common template.
        self._checkpoint = self.folder / CHECKPOINT_NAME
        format_storage(self._startup, self._checkpoint, "--add-scram", self._security.scram_argument)

    def wait_ready(self, timeout: float) -> None:
        """Return when every broker is registered, unfenced, and known to every other."""
        brokers = {node.id for node in self._nodes if node.is_broker and node.id in self._pids}
        wait_until(
            self._views_of_living,
            # A node that ended since it was looked at has no view.
            lambda views: views.keys() == brokers and all(_knows(view, brokers) for view in views.values()),
            what=f"{len(brokers)} brokers that know each other",
            timeout=timeout,
            every=_READY_EVERY_SECONDS,
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
        for node_id in self._pids:
            self._raise_if_ended(node_id)
        return self.views([])

    def _raise_if_ended(self, node_id: int) -> None:
        code = self._running.exit_code(_name(node_id))
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

    def _address(self, node: NodeSpec, client: int, controller: int) -> NodeAddress:
        apart = node.is_broker and bool(self._spec.security or self._spec.proxied)
        address = NodeAddress(client, controller, self._free_port(apart))
        if not self._spec.proxied:
            return address
        behind = NodeAddress(self._free_port(client > 0), self._free_port(controller > 0), self._free_port(apart))
        return replace(address, behind=behind)

    def _free_port(self, needed: bool) -> int:
        return self._ports.take_free(1)[0] if needed else 0

    def _prepare(self, node: NodeSpec) -> None:
        """Lay out and format the node's folder, as ``kafka-storage format`` would."""
        data = self.data_folder(node.id)
        (self._folder_of(node.id) / "tmp").mkdir(parents=True)
        if not data.exists():
            self._format(node, data)
        if self._network:
            self._network.add(node.id, self._addresses[node.id])
        properties = node_properties(
            self._spec, node, self._addresses, data, self._security, generation=self.generation
        )
        (self._folder_of(node.id) / "server.properties").write_text(render(properties))

    def _format(self, node: NodeSpec, data: Path) -> None:
        data.mkdir()
        identity = {
            "version": "1",
            "cluster.id": self._cluster_id,
            "node.id": str(node.id),
            "directory.id": _kafka_uuid(),
        }
        (data / "meta.properties").write_text(render(identity))
        shutil.copyfile(self._checkpoint, data / CHECKPOINT_NAME)

    def _spawn(self, node_id: int) -> None:
        folder = self._folder_of(node_id)
        command = self._startup.command(
            folder=folder,
            log_config=self.folder / "log4j2.properties",
            properties=folder / "server.properties",
            flags=self._flags.get(node_id, ()),
        )
        pid = self._running.spawn(_name(node_id), command, cwd=folder, log=folder / "broker.log")
        self._pids[node_id] = pid
        if self._network:
            self._network.started(node_id, pid)

    def _connect_network(self) -> None:
        if self._network:
            self._network.apply()

    def link(self, node_id: int) -> Link:
        return self._network.link(node_id) if self._network else super().link(node_id)

    def shape(self, node_id: int, link: Link) -> None:
        if self._network is None:
            super().shape(node_id, link)
        else:
            self._network.shape(node_id, link)

    def _folder_of(self, node_id: int) -> Path:
        return self.folder / _name(node_id)

    def data_folder(self, node_id: int) -> Path:
        return self._folder_of(node_id) / "data"

    def state(self, node_id: int) -> NodeState:
        if node_id not in self._pids or self._running.exit_code(_name(node_id)) is not None:
            return "stopped"
        return "paused" if node_id in self._paused else "running"

    def check_control(self) -> None:
        """Do nothing: these processes are this cluster's own."""

    def kill(self, node_id: int) -> None:
        self._end(node_id, signal.SIGKILL, _KILL_SECONDS)

    def shut_down(self, node_id: int, timeout: float) -> None:
        self._end(node_id, signal.SIGTERM, timeout)

    def _end(self, node_id: int, number: signal.Signals, timeout: float) -> None:
        self._running.signal(_name(node_id), number)
        self._running.wait(_name(node_id), timeout)
        self._paused.discard(node_id)

    def pause(self, node_id: int) -> None:
        self._running.signal(_name(node_id), signal.SIGSTOP)
        self._paused.add(node_id)
        self._wait_frozen([node_id])

    def _wait_frozen(self, node_ids: Sequence[int]) -> None:
        # On a busy machine some threads go on for a moment: a follower could still fetch what is sent after its pause.
        wait_until(
            lambda: [node_id for node_id in node_ids if not is_frozen(self._pids[node_id])],
            lambda moving: not moving,
            what="the nodes to stand still",
            timeout=_FREEZE_SECONDS,
            every=0.001,
        )

    def resume(self, node_id: int) -> None:
        self._running.signal(_name(node_id), signal.SIGCONT)
        self._paused.discard(node_id)

    @property
    def cluster_id(self) -> str:
        return self._cluster_id

    @property
    def generation(self) -> int:
        return self._archive.manifest.generation + 1 if self._archive else 0

    def copy_frozen(self, target: Path) -> None:
        copies = {node.id: target / _name(node.id) / "data" for node in self._nodes}
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

    @contextmanager
    def _frozen(self) -> Iterator[None]:
        """Freeze all nodes while the context lasts; those that are paused stay so."""
        running = [node_id for node_id in self._pids if self.state(node_id) == "running"]
        try:
            for node_id in running:
                self._running.signal(_name(node_id), signal.SIGSTOP)
            self._wait_frozen(running)
            yield
        finally:
            for node_id in running:
                self._running.signal(_name(node_id), signal.SIGCONT)

    def restart(self, node_id: int) -> None:
        self._spawn(node_id)
        self._connect_network()

    def add_broker(self) -> int:
        new_id = max(node.id for node in self._nodes if node.is_broker) + 1
        node = NodeSpec(new_id, ("broker",))
        (port,) = self._ports.take_free(1)
        self._addresses[new_id] = self._address(node, port, 0)
        self._nodes.insert(new_id - 1, node)
        self._prepare(node)
        self._spawn(new_id)
        self._connect_network()
        return new_id

    def log(self, node_id: int) -> str:
        path = self._folder_of(node_id) / "broker.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def close(self) -> None:
        for node_id in list(self._connections):
            self._disconnect(node_id)
        if self._network is not None:
            self._network.close()
        if self._processes is not None:
            self._processes.close()
        self._ports.close()


def _name(node_id: int) -> str:
    return f"node-{node_id}"


def _kafka_uuid() -> str:
    # Kafka's Uuid: 16 random bytes, URL-safe base64 without padding, not starting with a dash.
    text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    return _kafka_uuid() if text.startswith("-") else text


def _knows(view: View | OSError, brokers: set[int]) -> bool:
    return isinstance(view, View) and view.brokers == brokers and view.has_controller


def _knows_at_least(view: View | OSError, brokers: set[int]) -> bool:
    return isinstance(view, View) and view.brokers >= brokers
