"""Brokers as processes of this machine, each with its folder and its ports on loopback."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from kafkalab.clusters.archive import Archive
from kafkalab.clusters.backends.own import OwnBackend, kafka_uuid, node_name
from kafkalab.clusters.processes import is_frozen
from kafkalab.clusters.properties import NodeAddress, node_properties, render
from kafkalab.clusters.spec import ClusterSpec, NodeSpec
from kafkalab.clusters.startup import CHECKPOINT_NAME, LOG_CONFIG_NAME, Startup, format_storage, storage_template
from kafkalab.waiting import wait_until

__all__ = ["LocalBackend"]

_FREEZE_SECONDS = 5.0


class LocalBackend(OwnBackend):
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
        super().__init__(spec, archive)
        self._startup = startup
        self._flags = dict(flags or {})
        self._pids: dict[int, int] = {}
        self._checkpoint = storage_template(startup)

    def _set_up(self) -> None:
        super()._set_up()
        if self._security and not self._archive:
            # The user is part of the storage, so this cluster's differs from the common template.
            self._checkpoint = self.folder / CHECKPOINT_NAME
            format_storage(self._startup, self._checkpoint, "--add-scram", self._security.scram_argument)

    def _address(self, node: NodeSpec, client_port: int, controller_port: int) -> NodeAddress:
        apart = node.is_broker and bool(self._spec.security or self._spec.proxied)
        address = NodeAddress(client_port, controller_port, self._free_port(apart))
        if not self._spec.proxied:
            return address
        client, controller, internal = map(self._free_port, (client_port > 0, controller_port > 0, apart))
        return replace(address, behind=NodeAddress(client, controller, internal))

    def _format(self, node: NodeSpec, data: Path) -> None:
        # As `kafka-storage format` would.
        identity = {
            "version": "1",
            "cluster.id": self._cluster_id,
            "node.id": str(node.id),
            "directory.id": kafka_uuid(),
        }
        (data / "meta.properties").write_text(render(identity))
        shutil.copyfile(self._checkpoint, data / CHECKPOINT_NAME)

    def _properties(self, node: NodeSpec) -> dict[str, str]:
        return node_properties(
            self._spec,
            node,
            self._addresses,
            self.data_folder(node.id),
            self._security,
            generation=self.generation,
        )

    def _spawn(self, node_ids: Sequence[int]) -> None:
        for node_id in node_ids:
            folder = self._folder_of(node_id)
            command = self._startup.command(
                folder=folder,
                log_config=folder / LOG_CONFIG_NAME,
                properties=folder / "server.properties",
                flags=self._flags.get(node_id, ()),
            )
            self._pids[node_id] = self._running.spawn(
                node_name(node_id), command, cwd=folder, log=folder / "broker.log"
            )
            if self._network:
                self._network.started(node_id, self._pids[node_id])

    def _exit_code(self, node_id: int) -> int | None:
        return self._running.exit_code(node_name(node_id))

    def _end(self, node_id: int, number: signal.Signals, timeout: float) -> None:
        self._running.signal(node_name(node_id), number)
        self._running.wait(node_name(node_id), timeout)

    def pause(self, node_id: int) -> None:
        self._running.signal(node_name(node_id), signal.SIGSTOP)
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
        self._running.signal(node_name(node_id), signal.SIGCONT)
        self._paused.discard(node_id)

    @contextmanager
    def _frozen(self) -> Iterator[None]:
        running = [node_id for node_id in self._pids if self.state(node_id) == "running"]
        try:
            for node_id in running:
                self._running.signal(node_name(node_id), signal.SIGSTOP)
            self._wait_frozen(running)
            yield
        finally:
            for node_id in running:
                self._running.signal(node_name(node_id), signal.SIGCONT)

    def log(self, node_id: int) -> str:
        path = self._folder_of(node_id) / "broker.log"
        return path.read_text(errors="replace") if path.exists() else ""
