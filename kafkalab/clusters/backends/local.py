"""Brokers as processes of this machine, each with its folder and its ports on loopback."""

from __future__ import annotations

import base64
import shutil
import signal
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path

from kafkalab.clusters.backends.base import Backend, NodeState
from kafkalab.clusters.failure import failure_reason, last_lines
from kafkalab.clusters.metadata import BrokerConnection, View
from kafkalab.clusters.ports import LOOPBACK, PortReservation
from kafkalab.clusters.processes import SupervisedProcesses
from kafkalab.clusters.properties import NodeAddress, node_properties, render
from kafkalab.clusters.security import Security
from kafkalab.clusters.spec import ClusterSpec, NodeSpec
from kafkalab.clusters.startup import CHECKPOINT_NAME, LOG_CONFIG, Startup, format_storage, storage_template
from kafkalab.errors import BrokerFailed
from kafkalab.waiting import wait_until

__all__ = ["LocalBackend"]

_KILL_SECONDS = 10.0
_READY_EVERY_SECONDS = 0.01


class LocalBackend(Backend):
    """A cluster of local processes under one supervisor.

    Args:
        spec: what the cluster should be.
        startup: Java, jars and flags.
        flags: further JVM flags for single nodes, by node id.
    """

    def __init__(
        self, spec: ClusterSpec, startup: Startup, *, flags: Mapping[int, tuple[str, ...]] | None = None
    ) -> None:
        self._spec = spec
        self._startup = startup
        self._flags = dict(flags or {})
        self._nodes = list(spec.nodes)
        self._addresses: dict[int, NodeAddress] = {}
        self._paused: set[int] = set()
        self._connections: dict[int, BrokerConnection] = {}
        self._looking = threading.Lock()
        self._checkpoint = storage_template(startup)
        self._security: Security | None = None
        self._cluster_id = _kafka_uuid()
        self._ports = PortReservation()
        self._processes: SupervisedProcesses | None = None

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
        return ",".join(f"{LOOPBACK}:{self._addresses[node_id].plain_port}" for node_id in self._running_brokers())

    @property
    def security(self) -> Security | None:
        return self._security

    def _running_brokers(self) -> list[int]:
        return [node.id for node in self._nodes if node.is_broker and self.state(node.id) == "running"]

    @property
    def _running(self) -> SupervisedProcesses:
        assert self._processes is not None, "start() comes first"
        return self._processes

    def start(self, timeout: float) -> None:
        self._addresses = self._take_ports()
        self._processes = SupervisedProcesses()
        (self.folder / "log4j2.properties").write_text(LOG_CONFIG)
        if self._spec.security:
            self._secure()
        for node in self._nodes:
            self._prepare(node)
            self._spawn(node.id)
        self.wait_ready(timeout)

    def _secure(self) -> None:
        self._security = Security.create(self.folder)
        # The user is part of the storage, so this cluster's differs from the common template.
        self._checkpoint = self.folder / CHECKPOINT_NAME
        format_storage(self._startup, self._checkpoint, "--add-scram", self._security.scram_argument)

    def wait_ready(self, timeout: float) -> None:
        """Return when every broker is registered, unfenced, and known to every other."""
        brokers = {node.id for node in self._nodes if node.is_broker}
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
        for node in self._nodes:
            self._raise_if_ended(node.id)
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
            return {node_id: self._view(node_id, topics) for node_id in self._running_brokers()}

    def _view(self, node_id: int, topics: list[str]) -> View | OSError:
        try:
            if node_id not in self._connections:
                self._connections[node_id] = BrokerConnection(self._addresses[node_id].plain_port)
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
            node.id: NodeAddress(
                client.pop(0) if node.is_broker else 0,
                controller.pop(0) if node.is_voter else 0,
                self._internal_port(node),
            )
            for node in self._nodes
        }

    def _internal_port(self, node: NodeSpec) -> int:
        return self._ports.take_free(1)[0] if self._spec.security and node.is_broker else 0

    def _prepare(self, node: NodeSpec) -> None:
        """Lay out and format the node's folder, as ``kafka-storage format`` would."""
        data = self._folder_of(node.id) / "data"
        data.mkdir(parents=True)
        (self._folder_of(node.id) / "tmp").mkdir()
        identity = {
            "version": "1",
            "cluster.id": self._cluster_id,
            "node.id": str(node.id),
            "directory.id": _kafka_uuid(),
        }
        (data / "meta.properties").write_text(render(identity))
        shutil.copyfile(self._checkpoint, data / CHECKPOINT_NAME)
        properties = node_properties(self._spec, node, self._addresses, data, self._security)
        (self._folder_of(node.id) / "server.properties").write_text(render(properties))

    def _spawn(self, node_id: int) -> None:
        folder = self._folder_of(node_id)
        command = self._startup.command(
            folder=folder,
            log_config=self.folder / "log4j2.properties",
            properties=folder / "server.properties",
            flags=self._flags.get(node_id, ()),
        )
        self._running.spawn(_name(node_id), command, cwd=folder, log=folder / "broker.log")

    def _folder_of(self, node_id: int) -> Path:
        return self.folder / _name(node_id)

    def data_folder(self, node_id: int) -> Path:
        return self._folder_of(node_id) / "data"

    def state(self, node_id: int) -> NodeState:
        if self._running.exit_code(_name(node_id)) is not None:
            return "stopped"
        return "paused" if node_id in self._paused else "running"

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

    def resume(self, node_id: int) -> None:
        self._running.signal(_name(node_id), signal.SIGCONT)
        self._paused.discard(node_id)

    def restart(self, node_id: int) -> None:
        self._spawn(node_id)

    def add_broker(self) -> int:
        new_id = max(node.id for node in self._nodes if node.is_broker) + 1
        node = NodeSpec(new_id, ("broker",))
        (port,) = self._ports.take_free(1)
        self._addresses[new_id] = NodeAddress(port, 0, self._internal_port(node))
        self._nodes.insert(new_id - 1, node)
        self._prepare(node)
        self._spawn(new_id)
        return new_id

    def log(self, node_id: int) -> str:
        path = self._folder_of(node_id) / "broker.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def close(self) -> None:
        for node_id in list(self._connections):
            self._disconnect(node_id)
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
