"""A real Apache Kafka cluster in one call."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, Unpack

from kafkalab.clusters import display
from kafkalab.clusters.access import Access, AccessArguments, arguments_in
from kafkalab.clusters.backends.base import Backend
from kafkalab.clusters.backends.external import ExternalBackend
from kafkalab.clusters.backends.local import LocalBackend
from kafkalab.clusters.clients import Clients
from kafkalab.clusters.distribution import KAFKA_VERSION
from kafkalab.clusters.lodging import LeftBehind, Lodging, NotApplied, fresh_prefix, tell
from kafkalab.clusters.memory import check_fits
from kafkalab.clusters.metadata import View
from kafkalab.clusters.node import Node
from kafkalab.clusters.preparing import prepared_startup
from kafkalab.clusters.properties import check_overrides
from kafkalab.clusters.snapshot import Snapshots, settle
from kafkalab.clusters.spec import ClusterSpec
from kafkalab.clusters.topics import NewTopic, create_topic
from kafkalab.errors import InvalidArgument, NotRunning

__all__ = ["Cluster", "own_backend"]

BACKEND_VARIABLE = "KAFKALAB_BACKEND"
SERVERS_VARIABLE = "KAFKALAB_BOOTSTRAP_SERVERS"
PREFIX_VARIABLE = "KAFKALAB_PREFIX"
_BACKENDS = ("local", "docker", "external")
_START_SECONDS = 60.0
_START_SECONDS_PER_NODE = 5.0
_CONNECT_SECONDS = 10.0


class Cluster(Clients, Snapshots):
    """A throwaway Apache Kafka cluster.

    Use it as a context manager, or call :meth:`start` and :meth:`stop`. Whatever ends this Python process ends the
    cluster too, and removes its files.

    Args:
        brokers: how many, numbered from 1.
        controllers: 0 for combined nodes (three voters from three brokers on, else one); 1 or 3 for controllers in
            processes of their own, numbered from 101, so that two of three brokers can die and the quorum lives.
        properties: broker properties in Kafka's names, over kafkalab's own.
        port: port of the first broker, the others follow; by default free ports.
        security: None for plain listeners; ``"sasl-tls"`` for TLS, and one user with a password of its own
            (SCRAM-SHA-512), on the listener for clients; :meth:`client_config` holds what they need.
        proxied: put a proxy in front of every listener, so that a broker's network can be cut (``isolate``) and
            slowed (``slow``).
        backend: ``"local"`` for processes; ``"docker"`` for containers of the image that ``KAFKALAB_IMAGE`` names, by
            default the official one; or ``"external"`` to borrow what the environment names:
            ``KAFKALAB_BOOTSTRAP_SERVERS``, the variables of :data:`kafkalab.clusters.access.VARIABLES`, and
            ``KAFKALAB_PREFIX`` (by default a fresh one); see :meth:`connect`. By default ``KAFKALAB_BACKEND``, else
            external where there is such an address, else local.

    Raises:
        InvalidArgument: a value that cannot be right; nothing was started.
    """

    def __init__(
        self,
        brokers: int = 3,
        *,
        controllers: int = 0,
        properties: Mapping[str, object] | None = None,
        port: int | None = None,
        security: str | None = None,
        proxied: bool = False,
        backend: str | None = None,
    ) -> None:
        self._kind = _chosen_backend(backend)
        self._spec = ClusterSpec(brokers, controllers, check_overrides(properties or {}), port, security, proxied)
        self._running: Backend | None = None
        self._was_stopped = False
        super().__init__(Lodging())

    @classmethod
    def connect(
        cls,
        bootstrap_servers: str,
        timeout: float = _CONNECT_SECONDS,
        *,
        prefix: str = "",
        **access: Unpack[AccessArguments],
    ) -> Self:
        """Borrow an existing Apache Kafka cluster, whoever runs it; ``stop`` gives it back.

        Everything that needs no control of its processes works on it; the rest raises ``UnsupportedByBackend``.

        .. code-block:: python

            Cluster.connect("127.0.0.1:9092")
            Cluster.connect("kafka.example:9093", prefix="anna-", username="anna", password=..., ca_file="ca.pem")

        Args:
            bootstrap_servers: ``host:port`` of some brokers, joined by commas.
            timeout: seconds within which one of them has to answer.
            prefix: what the names of topics, groups and transactions begin with. Views show what has it, without it;
                at the end, whatever ends this Python process, the topics that were made through this object are
                deleted, and the groups that it named. With "" names are what was asked for, and all of it stays.
            access: what the brokers ask of a client: protocol, mechanism, username, password, ca_file, cert_file,
                key_file; see :class:`kafkalab.clusters.access.Access`. Nothing for a plain cluster.

        Raises:
            InvalidArgument: that is no list of addresses, or the rest does not fit together.
            AccessRefused: a broker answered, and does not let this client in.
            ClusterUnreachable: no broker answered in time.
        """
        cluster = cls(backend="external")
        cluster._borrow(bootstrap_servers, prefix, Access.checked(access), timeout)
        return cluster

    def _borrow(self, servers: str, prefix: str, access: Access, timeout: float) -> None:
        lodging = Lodging(prefix)
        self._running = guest = ExternalBackend(servers, access)
        try:
            guest.start(timeout)
            if prefix:
                guest.keep(lodging.belongings)
        except BaseException:
            self.stop()
            raise
        self._lodging = lodging

    def _borrow_from_environment(self, timeout: float) -> None:
        servers = os.environ.get(SERVERS_VARIABLE)
        if not servers:
            raise InvalidArgument(f"backend='external' needs an address: set {SERVERS_VARIABLE} to host:port.")
        prefix = os.environ.get(PREFIX_VARIABLE) or fresh_prefix()
        self._borrow(servers, prefix, Access.checked(arguments_in(os.environ)), timeout)

    # ---- life -------------------------------------------------------------------------------------------------

    def start(self, timeout: float | None = None) -> Self:
        """Start all nodes and return this cluster when every broker knows every broker.

        The first start on a machine fetches Kafka and makes the start-up cache, as ``kafkalab fetch`` does.

        Args:
            timeout: seconds until the brokers have to be ready; by default 60 and 5 for each node.

        Raises:
            BrokerFailed: a broker ended by itself; the message has its reason and its last log lines.
            NotEnoughMemory: the brokers would not fit.
            PortInUse: the port asked for is taken.
            WaitTimeout: the brokers were not ready in time.
            EngineProblem: the container engine, or the image, is not to be had.
            EnvironmentProblem: Java or Kafka is missing and cannot be had.
        """
        if self._was_stopped:
            raise NotRunning("this cluster was stopped, and its data is gone: make a new one with Cluster().")
        if self._running is not None:
            raise NotRunning("this cluster runs already: use it, or make another with Cluster().")
        if self._kind == "external":
            self._borrow_from_environment(timeout or _CONNECT_SECONDS)
            self._say_what_is_not_applied()
            return self
        nodes = len(self._spec.nodes)
        check_fits(nodes)
        self._running = self._own_backend()
        try:
            self._running.start(timeout or _START_SECONDS + nodes * _START_SECONDS_PER_NODE)
            if self._archive:
                settle(self._admin, self._archive.manifest)
        except BaseException:  # Ctrl-C too: a cluster that did not start leaves nothing behind
            self.stop()
            raise
        return self

    def _say_what_is_not_applied(self) -> None:
        count = len(self.brokers)
        if asked := self._spec.beyond(count):
            brokers = f"{count} broker{'s' * (count != 1)}"
            tell(
                f"this cluster is borrowed and stays as it is, with {brokers}; not applied: {', '.join(asked)}.",
                NotApplied,
            )

    def _own_backend(self) -> Backend:
        if self._kind == "docker":
            # Imported only here: who uses no containers should not wait for their library.
            from kafkalab.clusters.backends.docker import DockerBackend

            return DockerBackend(self._spec, archive=self._archive)
        return LocalBackend(self._spec, prepared_startup(), archive=self._archive)

    def stop(self) -> None:
        """End all nodes and remove their files; returns when that is done. May be called again."""
        if self._running is None:
            return
        left: list[str] = []
        try:
            self._close_clients()
            left = self._lodging.clear(self._changes)
        finally:
            self._end()
        if left:
            tell(f"could not delete {', '.join(left)}: delete these topics yourself.", LeftBehind)

    def _end(self) -> None:
        backend, self._running = self._running, None
        self._was_stopped = True
        self._close_admins()
        if backend is not None:
            backend.close()

    def __enter__(self) -> Self:
        return self if self._running else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _backend(self) -> Backend:
        if self._running is None:
            what = "was stopped: make a new one" if self._was_stopped else "is not started: call start()"
            raise NotRunning(f"this cluster {what}, or use `with Cluster() as cluster:`.")
        return self._running

    # ---- nodes ------------------------------------------------------------------------------------------------

    @property
    def brokers(self) -> list[Node]:
        """All brokers by id, whether they run or not."""
        return [self._node(spec.id) for spec in self._backend.nodes if spec.is_broker]

    @property
    def controllers(self) -> list[Node]:
        """All voters of the metadata quorum by id: combined nodes, or the controllers of their own."""
        return [self._node(spec.id) for spec in self._backend.nodes if spec.is_voter]

    def broker(self, broker_id: int) -> Node:
        """Return the broker of that id.

        Raises:
            InvalidArgument: there is none.
        """
        return self._one_of(self.brokers, broker_id, "broker")

    def controller(self, node_id: int) -> Node:
        """Return the voter of that id; where nodes are combined, it is a broker as well.

        Raises:
            InvalidArgument: there is none.
        """
        return self._one_of(self.controllers, node_id, "controller")

    def _one_of(self, nodes: list[Node], node_id: int, kind: str) -> Node:
        for node in nodes:
            if node.id == node_id:
                return node
        raise InvalidArgument(f"there is no {kind} {node_id!r}: choose from {', '.join(str(n.id) for n in nodes)}.")

    def _node(self, node_id: int) -> Node:
        (spec,) = (spec for spec in self._backend.nodes if spec.id == node_id)
        return Node(spec, self._backend, self._backend.wait_joined)

    def add_broker(self, timeout: float = _START_SECONDS) -> Node:
        """Start one more broker, with the next id, and return it when every running broker knows it."""
        check_fits(1)
        backend = self._backend
        new_id = backend.add_broker()
        backend.wait_joined(new_id, timeout)
        return self.broker(new_id)

    @property
    def is_borrowed(self) -> bool:
        """Whether somebody else runs it: its processes, files and settings are not ours."""
        return isinstance(self._running, ExternalBackend)

    @property
    def spec(self) -> ClusterSpec:
        """What this cluster was made to be; of a borrowed one it says nothing."""
        return self._spec

    @property
    def folder(self) -> Path:
        """The temporary folder of this cluster; it goes with it."""
        return self._backend.folder

    def data_folder(self, broker_id: int) -> Path:
        """Return the folder in which that broker keeps its partitions (Kafka's ``log.dirs``)."""
        return self._backend.data_folder(self.broker(broker_id).id)

    # ---- topics -----------------------------------------------------------------------------------------------

    def name(self, base: str) -> str:
        """Return the name to use for a group or a transactional id: ``base``, with the prefix where there is one.

        Where there is one, the group of that name is deleted with this cluster's end.
        """
        name = self._lodging.name(base)
        self._lodging.belongings.add_group(name)
        return name

    def create_topic(
        self,
        name: str,
        partitions: int = 1,
        replication_factor: int | None = None,
        config: Mapping[str, object] | None = None,
    ) -> str:
        """Create a topic and return the name to use, when every partition has its leader and its full ISR.

        Replicas are assigned in turn, starting with the broker of the lowest id: partition 0 is led by broker 1,
        partition 1 by broker 2, so that the same call gives the same leaders everywhere (on a borrowed cluster where
        its brokers are well).

        Args:
            name: letters, digits, dots, underscores, hyphens.
            partitions: at least 1.
            replication_factor: by default 3, or the number of running brokers where these are fewer.
            config: topic settings in Kafka's names, such as ``{"min.insync.replicas": 2}``. Records are kept for
                ever unless they say otherwise.

        Raises:
            InvalidArgument: an illegal name, a count that is not possible, or a setting that Kafka refuses.
            TopicExists: there is such a topic.
        """
        running = [broker.id for broker in self.brokers if broker.state == "running"]
        settings = {**self._backend.topic_config, **(config or {})}
        topic = NewTopic.checked(self._lodging.name(name), partitions, replication_factor, settings, running)
        create_topic(
            self._changes,
            self._backend,
            topic,
            about_to=lambda: self._lodging.belongings.add_topic(topic.name),
            may_elect=not self.is_borrowed,
        )
        return topic.name

    def broker_views(self, topics: Sequence[str] = ()) -> dict[int, View]:
        """Return what each running broker believes, by its id, asked of itself; with the partitions of ``topics``.

        Left out are brokers that did not answer, and those cut off from their peers.
        """
        seen = self._backend.views(list(topics))
        return {broker_id: view for broker_id, view in seen.items() if isinstance(view, View)}

    # ---- looks ------------------------------------------------------------------------------------------------

    def _title(self) -> str:
        if self._running is None:
            return "Kafka cluster, stopped" if self._was_stopped else "Kafka cluster, not started"
        kafka = "Borrowed Kafka cluster" if self.is_borrowed else f"Apache Kafka {KAFKA_VERSION}"
        return f"{kafka}, {len(self.brokers)} broker{'s' * (len(self.brokers) != 1)}"

    def _nodes(self) -> list[Node]:
        return [self._node(spec.id) for spec in self._running.nodes] if self._running else []

    def __repr__(self) -> str:
        return display.as_text(self._title(), self._nodes())

    def _repr_html_(self) -> str:
        return display.as_html(self._title(), self._nodes())


def own_backend() -> str:
    """Return what runs a cluster of our own, whatever may be borrowed beside it: KAFKALAB_BACKEND, or else local."""
    chosen = _chosen_backend(os.environ.get(BACKEND_VARIABLE) or "local")
    return "local" if chosen == "external" else chosen


def _chosen_backend(backend: str | None) -> str:
    default = "external" if os.environ.get(SERVERS_VARIABLE) else "local"
    chosen = backend or os.environ.get(BACKEND_VARIABLE) or default
    if chosen not in _BACKENDS:
        raise InvalidArgument(f"backend={chosen!r} is not there: choose from {', '.join(_BACKENDS)}.")
    return chosen
