"""Brokers in containers of the official image, each node one; why so and not otherwise: docs/decisions/0018."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from http.client import CONFLICT
from pathlib import Path, PurePosixPath

from docker.errors import APIError, NotFound
from docker.models.containers import Container
from docker.types import Mount
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

from kafkalab.clusters.archive import Archive
from kafkalab.clusters.backends import docker_reaper
from kafkalab.clusters.backends.docker_engine import Engine, engine_problems, without_ryuk
from kafkalab.clusters.backends.own import OwnBackend, node_name
from kafkalab.clusters.network import PEERS
from kafkalab.clusters.ports import LOOPBACK
from kafkalab.clusters.properties import NodeAddress, node_properties, render
from kafkalab.clusters.proxy import Link
from kafkalab.clusters.spec import ClusterSpec, NodeSpec
from kafkalab.clusters.startup import LOG_CONFIG_NAME, SMALL_JVM
from kafkalab.errors import UnsupportedByBackend
from kafkalab.waiting import wait_until

__all__ = ["DockerBackend"]

# Of the image: where it takes settings from, works on them, keeps the log, and looks for keys.
_SETTINGS = PurePosixPath("/mnt/shared/config")
_WORKED_ON = PurePosixPath("/opt/kafka/config")
_DATA = Path("/var/lib/kafka/data")
_KEYSTORE = Path("/etc/kafka/secrets/broker.pem")
_RUN = "/etc/kafka/docker/run"
_FORMAT_WITH_USER = (
    f'/opt/kafka/bin/kafka-storage.sh format --ignore-formatted --cluster-id "$CLUSTER_ID" '
    f'--config {_SETTINGS}/server.properties --add-scram "$0" && exec {_RUN}'
)
_HEAP = ("-Xmx", "-Xms")
# A container that is started again may have another address, and one whose network was cut finds its peers again at
# once. Java takes this from its security properties alone: they say 10 s for a name that was not found.
_NAMES = {"networkaddress.cache.ttl": "0", "networkaddress.cache.negative.ttl": "0"}
_NAMES_FILE = "java.security"
_JVM_OPTIONS = ("-Dlog4j2.shutdownHookEnabled=false", f"-Djava.security.properties={_SETTINGS / _NAMES_FILE}")
_FREEZE_SECONDS = 10.0
_KILLED = -int(signal.SIGKILL)


class DockerBackend(OwnBackend):
    """A cluster of containers on this machine's engine, with their files in a folder of this machine.

    Args:
        spec: what the cluster should be.
        archive: a snapshot whose data to start with, in place of new storage.

    Raises:
        EngineProblem: there is no engine for this user.
    """

    _ready_every = 0.1  # a look asks the engine for each node

    def __init__(self, spec: ClusterSpec, archive: Archive | None = None) -> None:
        super().__init__(spec, archive)
        # Before the supervisor, which inherits from testcontainers where the engine of the current context is.
        self._engine = Engine()
        self._image = ""
        self._user = ""
        self._containers: dict[int, DockerContainer] = {}
        self._peers: Network | None = None
        self._outside: Network | None = None

    def start(self, timeout: float) -> None:
        self._image = self._engine.prepare()
        self._user = self._engine.user
        super().start(timeout)

    def _set_up(self) -> None:
        self._running.at_the_end(docker_reaper.command(self.folder))
        self._engine.remove_abandoned()
        super()._set_up()
        # Published ports belong to a network: a node that is cut off from its peers keeps them only in another one.
        self._peers = self._engine.network(self.folder, internal=self._spec.proxied)
        self._outside = self._engine.network(self.folder) if self._spec.proxied else self._peers

    def _address(self, node: NodeSpec, client_port: int, controller_port: int) -> NodeAddress:
        apart = node.is_broker and bool(self._spec.security or self._spec.proxied)
        address = NodeAddress(
            client_port,
            controller_port,
            internal_port=self._free_port(node.is_broker),
            harness_port=self._free_port(apart) or client_port,
            peer_host=node_name(node.id),
        )
        if not self._spec.proxied:
            return address
        return replace(address, behind=replace(address, client_port=self._free_port(node.is_broker)))

    def _prepare(self, node: NodeSpec) -> None:
        super()._prepare(node)
        (self._folder_of(node.id) / _NAMES_FILE).write_text(render(_NAMES))

    def _format(self, node: NodeSpec, data: Path) -> None:
        """Do nothing: the image does it at the first start, in the format of its own version."""

    def _properties(self, node: NodeSpec) -> dict[str, str]:
        security = replace(self._security, keystore=_KEYSTORE) if self._security else None
        return node_properties(self._spec, node, self._addresses, _DATA, security, generation=self.generation)

    # ---- containers -------------------------------------------------------------------------------------------

    def _spawn(self, node_ids: Sequence[int]) -> None:
        with engine_problems(), without_ryuk(), ThreadPoolExecutor(len(node_ids)) as pool:
            list(pool.map(self._run, node_ids))

    def _run(self, node_id: int) -> None:
        if node_id in self._started:
            self._container(node_id).start()
            return
        self._containers[node_id] = container = self._described(node_id)
        container.start()
        if self._spec.proxied:
            self._join_peers(node_id)

    def _described(self, node_id: int) -> DockerContainer:
        name, address = node_name(node_id), self._addresses[node_id].bound
        assert self._outside is not None
        container = DockerContainer(
            self._image,
            env=self._environment(),
            network=self._outside,
            # Its name belongs to the network of its peers, or they would find it in the other one, too.
            network_aliases=None if self._spec.proxied else [name],
            user=self._user,
            labels=docker_reaper.labels(self.folder),
            mounts=self._mounts(node_id),
            # Its own name is always itself, also where it has no network.
            extra_hosts={name: LOOPBACK},
            # Where SELinux rules, a container may not read a temporary folder otherwise.
            security_opt=["label=disable"],
        )
        if self._security:
            container.with_command(["bash", "-c", _FORMAT_WITH_USER, self._security.scram_argument])
        for port in {address.client_port, address.harness_port} - {0}:
            container.ports[f"{port}/tcp"] = (LOOPBACK, port)  # type: ignore[assignment]
        return container

    def _environment(self) -> dict[str, str]:
        return {
            "CLUSTER_ID": self._cluster_id,
            "KAFKA_HEAP_OPTS": " ".join(flag for flag in SMALL_JVM if flag.startswith(_HEAP)),
            "KAFKA_JVM_PERFORMANCE_OPTS": " ".join(flag for flag in SMALL_JVM if not flag.startswith(_HEAP)),
            "KAFKA_OPTS": " ".join(_JVM_OPTIONS),
            "KAFKA_LOG4J_OPTS": f"-Dlog4j2.configurationFile={_SETTINGS / LOG_CONFIG_NAME}",
            "LOG_DIR": "/tmp/logs",  # noqa: S108 - of the container
            "EXTRA_ARGS": "",  # by default a log of the garbage collector, in a folder that is another user's
        }

    def _mounts(self, node_id: int) -> list[Mount]:
        folder = self._folder_of(node_id)
        places = {str(_DATA): folder / "data", str(_WORKED_ON): folder / "tmp"}
        read_only = {str(_SETTINGS): folder}
        if self._security:
            read_only[str(_KEYSTORE)] = self._security.keystore
        return [
            *(Mount(inside, str(path), type="bind") for inside, path in places.items()),
            *(Mount(inside, str(path), type="bind", read_only=True) for inside, path in read_only.items()),
        ]

    def _container(self, node_id: int) -> Container:
        return self._containers[node_id].get_wrapped_container()

    def _exit_code(self, node_id: int) -> int | None:
        with engine_problems():
            try:
                state = self._engine.api.inspect_container(self._container(node_id).id)["State"]
            except NotFound:  # somebody else removed it
                return _KILLED
        code: int = state["ExitCode"]
        # As a shell has it: 128 and the signal.
        return None if state["Running"] else 128 - code if code > 128 else code

    def _end(self, node_id: int, number: signal.Signals, timeout: float) -> None:
        with engine_problems():
            try:
                self._container(node_id).kill(number.name)
            except APIError as error:
                if error.status_code != CONFLICT:  # which is: it has ended by itself
                    raise
        wait_until(
            lambda: self._exit_code(node_id),
            lambda code: code is not None,
            what=f"the end of {node_name(node_id)}",
            timeout=timeout,
        )

    def pause(self, node_id: int) -> None:
        # On a busy machine the kernel may not get all threads of a container to stand still at the first try.
        with engine_problems():
            wait_until(
                lambda: self._container(node_id).pause() is None,
                what=f"{node_name(node_id)} to stand still",
                timeout=_FREEZE_SECONDS,
                retry_on=(APIError,),
            )
        self._paused.add(node_id)

    def resume(self, node_id: int) -> None:
        with engine_problems():
            self._container(node_id).unpause()
        self._paused.discard(node_id)

    @contextmanager
    def _frozen(self) -> Iterator[None]:
        running = [node_id for node_id in self._started if self.state(node_id) == "running"]
        paused: list[int] = []
        try:
            for node_id in running:
                self.pause(node_id)
                paused.append(node_id)
            yield
        finally:
            for node_id in paused:
                self.resume(node_id)

    def log(self, node_id: int) -> str:
        if node_id not in self._started:
            return ""
        with engine_problems():
            logged: bytes = self._container(node_id).logs()
        return logged.decode(errors="replace")

    # ---- networks ---------------------------------------------------------------------------------------------

    def shape(self, node_id: int, link: Link) -> None:
        if link.latency_ms or link.bytes_per_second:
            raise UnsupportedByBackend(
                f"the network of node {node_id} can be cut but not slowed, for it runs in a container: "
                "make the cluster with Cluster(proxied=True, backend='local')."
            )
        changed = link.cut ^ self.link(node_id).cut
        if PEERS in changed and PEERS in link.cut:
            self._leave_peers(node_id)
        elif PEERS in changed:
            self._join_peers(node_id)
        super().shape(node_id, link)

    def _leave_peers(self, node_id: int) -> None:
        assert self._peers is not None
        with engine_problems():
            self._engine.api.disconnect_container_from_network(self._container(node_id).id, self._peers.id)

    def _join_peers(self, node_id: int) -> None:
        assert self._peers is not None
        with engine_problems():
            self._peers.connect(str(self._container(node_id).id), [node_name(node_id)])

    def close(self) -> None:
        folder = self._processes.folder if self._processes else None
        super().close()
        try:
            if folder:  # nothing is left for us, unless somebody killed the supervisor
                self._engine.remove(folder)
        finally:
            self._disconnect_all()

    def _disconnect_all(self) -> None:
        for container in self._containers.values():
            container.get_docker_client().client.close()
        for network in filter(None, {self._peers, self._outside}):
            network._docker.client.close()  # noqa: SLF001 - it keeps a connection, and has no other way to end it
        self._engine.close()
