"""A cluster as Kafka's own scripts start it, to measure against: the same jars and Java as kafkalab's.

JVM options are those of ``kafka-run-class.sh`` and ``kafka-server-start.sh``; properties are Kafka's defaults
except what several nodes on one machine cannot do without. Each node is formatted by a JVM of its own, one
after the other, as the quickstart does.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.views import view_at
from kafkalab.clusters.failure import failure_reason, last_lines
from kafkalab.clusters.ports import LOOPBACK, PortReservation
from kafkalab.clusters.processes import SupervisedProcesses
from kafkalab.clusters.properties import render
from kafkalab.clusters.startup import LOG_CONFIG, MAIN_CLASS, Startup
from kafkalab.errors import BrokerFailed
from kafkalab.waiting import wait_until

__all__ = ["StockCluster", "stock_properties"]

_FORMAT_CLASS = "kafka.tools.StorageTool"
_SERVER_HEAP = ("-Xmx1G", "-Xms1G")
_TOOL_HEAP = ("-Xmx256M",)
_JVM = (
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-Djava.awt.headless=true",
    # The one flag that is not stock: without it a killed JVM leaves a file in the temporary folder.
    "-XX:-UsePerfData",
)
_FORMAT_SECONDS = 120.0
_READY_SECONDS = 180.0
_READY_EVERY_SECONDS = 0.01  # as kafkalab looks


def stock_properties(
    node_id: int, client_ports: Mapping[int, int], controller_ports: Mapping[int, int], data: Path
) -> dict[str, str]:
    """Return the properties of one combined node: identity, ports, folder; replication where it must be 1."""
    voters = ",".join(f"{voter}@{LOOPBACK}:{port}" for voter, port in controller_ports.items())
    client, controller = client_ports[node_id], controller_ports[node_id]
    identity = {
        "node.id": str(node_id),
        "process.roles": "broker,controller",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{client},CONTROLLER://{LOOPBACK}:{controller}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": voters,
        "log.dirs": str(data),
    }
    return identity if len(client_ports) >= 3 else identity | _ONE_REPLICA


_ONE_REPLICA = {
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
}


class StockCluster:
    """Combined nodes on stock settings; a context manager that starts them and leaves nothing behind.

    Args:
        brokers: how many, numbered from 1; each votes.
        startup: the Java and the jars, the same that kafkalab uses.
    """

    def __init__(self, brokers: int, startup: Startup) -> None:
        self._ids = range(1, brokers + 1)
        self._startup = startup
        self._ports = PortReservation()
        self._client_ports: dict[int, int] = {}
        self._processes: SupervisedProcesses | None = None

    @property
    def bootstrap_servers(self) -> str:
        """``host:port`` of every broker, joined by commas."""
        return ",".join(f"{LOOPBACK}:{port}" for port in self._client_ports.values())

    @property
    def folder(self) -> Path:
        """The cluster's temporary folder, removed with it."""
        return self._running.folder

    @property
    def _running(self) -> SupervisedProcesses:
        assert self._processes is not None, "use it as a context manager"
        return self._processes

    def __enter__(self) -> Self:
        """Format and start all nodes; return when every broker knows every broker.

        Raises:
            BrokerFailed: a node ended by itself, or could not be formatted.
            WaitTimeout: the brokers were not ready in time.
        """
        self._processes = SupervisedProcesses()
        try:
            self._write_configuration()
            cluster_id = base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
            for node_id in self._ids:
                self._format(node_id, cluster_id)
            for node_id in self._ids:
                self._spawn(f"node-{node_id}", node_id, _SERVER_HEAP, MAIN_CLASS, [str(self._properties_of(node_id))])
            self._wait_ready()
        except BaseException:  # Ctrl-C too: a cluster that did not start leaves nothing behind
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all nodes and remove their files; may be called again."""
        if self._processes is not None:
            self._processes.close()
        self._ports.close()

    def _write_configuration(self) -> None:
        count = len(self._ids)
        self._client_ports = dict(zip(self._ids, self._ports.take_free(count), strict=True))
        controller_ports = dict(zip(self._ids, self._ports.take_free(count), strict=True))
        (self.folder / "log4j2.properties").write_text(LOG_CONFIG)
        for node_id in self._ids:
            folder = self._folder_of(node_id)
            (folder / "tmp").mkdir(parents=True)
            properties = stock_properties(node_id, self._client_ports, controller_ports, folder / "data")
            self._properties_of(node_id).write_text(render(properties))

    def _folder_of(self, node_id: int) -> Path:
        return self.folder / f"node-{node_id}"

    def _properties_of(self, node_id: int) -> Path:
        return self._folder_of(node_id) / "server.properties"

    def _format(self, node_id: int, cluster_id: str) -> None:
        name = f"format-{node_id}"
        arguments = ["format", "--cluster-id", cluster_id, "--config", str(self._properties_of(node_id))]
        self._spawn(name, node_id, _TOOL_HEAP, _FORMAT_CLASS, arguments)
        if code := self._running.wait(name, _FORMAT_SECONDS):
            self._raise_failed(name, node_id, code)

    def _spawn(self, name: str, node_id: int, heap: tuple[str, ...], main: str, arguments: list[str]) -> None:
        folder = self._folder_of(node_id)
        command = [str(self._startup.java.executable), *heap, *_JVM, f"-Djava.io.tmpdir={folder / 'tmp'}"]
        command += [f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}"]
        command += ["-cp", self._startup.jars.class_path, main, *arguments]
        self._running.spawn(name, command, cwd=folder, log=folder / f"{name}.log")

    def _raise_failed(self, name: str, node_id: int, code: int) -> None:
        log = (self._folder_of(node_id) / f"{name}.log").read_text(errors="replace")
        raise BrokerFailed(f"stock {name} ended: {failure_reason(log, code)}\n{last_lines(log)}")

    def _wait_ready(self) -> None:
        # Each broker is asked in turn: a broker that once knew all of them still does when the last one does.
        for node_id in self._ids:
            wait_until(
                lambda asked=node_id: self._brokers_known_to(asked),  # type: ignore[misc]
                lambda known: known == set(self._ids),
                what=f"stock node {node_id} to know all {len(self._ids)} brokers",
                timeout=_READY_SECONDS,
                every=_READY_EVERY_SECONDS,
                retry_on=(OSError,),
            )

    def _brokers_known_to(self, node_id: int) -> set[int]:
        if code := self._running.exit_code(f"node-{node_id}"):
            self._raise_failed(f"node-{node_id}", node_id, code)
        view = view_at(self._client_ports[node_id])
        return set(view.brokers) if view.has_controller else set()
