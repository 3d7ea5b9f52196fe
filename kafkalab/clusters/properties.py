"""From a spec to the properties of one node, each with its reason.

Names and meanings: Apache Kafka's documentation, "Broker Configs" and "KRaft".
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from kafkalab.clusters.ports import LOOPBACK
from kafkalab.clusters.security import Security
from kafkalab.clusters.spec import ClusterSpec, NodeSpec
from kafkalab.errors import InvalidArgument

__all__ = ["NodeAddress", "check_overrides", "kafka_value", "known_properties", "node_properties", "render"]

# What holds a cluster together is not for overriding: the names kafkalab computes itself.
_OWN = frozenset(
    {
        "broker.id",
        "node.id",
        "process.roles",
        "listeners",
        "advertised.listeners",
        "listener.security.protocol.map",
        "inter.broker.listener.name",
        "controller.listener.names",
        "controller.quorum.voters",
        "controller.quorum.bootstrap.servers",
        "log.dir",
        "log.dirs",
        "metadata.log.dir",
    }
)
# Kafka composes these names at run time, so no list can hold them.
_OPEN_PREFIXES = ("listener.name.",)
_HARNESS = "HARNESS"
# The authorizer reads these by itself (org.apache.kafka.metadata.authorizer.StandardAuthorizer).
_OF_THE_AUTHORIZER = frozenset({"super.users", "allow.everyone.if.no.acl.found"})


@dataclass(frozen=True)
class NodeAddress:
    """Where one node is reached; a port is 0 where it is not.

    Attributes:
        client_port: for clients; on an ordinary cluster for brokers as well.
        controller_port: for the metadata quorum.
        internal_port: for brokers and the harness, where clients have a listener of their own: they need TLS and a
            password, or their network can be cut apart from that of the brokers.
        behind: where the node itself listens, if the ports above are a proxy's.
        harness_port: for the harness, where it cannot reach the internal port and has no right to the clients'.
        peer_host: the name by which the other nodes reach it; clients and the harness reach it on loopback.
    """

    client_port: int
    controller_port: int
    internal_port: int = 0
    behind: NodeAddress | None = None
    harness_port: int = 0
    peer_host: str = LOOPBACK

    @property
    def bound(self) -> NodeAddress:
        """Where the node itself listens."""
        return self.behind or self

    @property
    def plain_port(self) -> int:
        """The port that takes plain connections from this machine."""
        return self.harness_port or self.internal_port or self.client_port


def node_properties(
    spec: ClusterSpec,
    node: NodeSpec,
    addresses: Mapping[int, NodeAddress],
    data: Path,
    security: Security | None = None,
    *,
    generation: int = 0,
) -> dict[str, str]:
    """Return the properties of ``node``; what the spec overrides comes last and wins.

    Args:
        spec: the cluster.
        node: which of its nodes.
        addresses: of all nodes, by id.
        data: the node's log directory.
        security: of a secured cluster.
        generation: how many times the data were restored from a snapshot.
    """
    return {
        **_identity(spec, node, addresses, data, generation),
        **(security.broker_properties() if security and node.is_broker else {}),
        **_small_cluster(spec),
        **_quick_failover(),
        **_small_footprint(),
        **spec.properties,
    }


def _identity(
    spec: ClusterSpec, node: NodeSpec, addresses: Mapping[int, NodeAddress], data: Path, generation: int
) -> dict[str, str]:
    address = addresses[node.id]
    plain, internal = _plain_names(generation)
    plain_protocols = dict.fromkeys((plain, internal, _HARNESS, "CONTROLLER"), "PLAINTEXT")
    protocols = {**plain_protocols, "SASL_SSL": "SASL_SSL"}
    voters = [f"{n.id}@{addresses[n.id].peer_host}:{addresses[n.id].controller_port}" for n in spec.nodes if n.is_voter]
    # Loopback only: nothing of a learner's cluster is reachable from outside. In a container "everywhere" is its own
    # network, of which no more is published than clients need, on loopback again.
    everywhere = LOOPBACK if address.peer_host == LOOPBACK else "0.0.0.0"  # noqa: S104
    bound = _listeners(spec, address.bound, generation, everywhere, everywhere)
    advertised = _listeners(spec, address, generation, LOOPBACK, address.peer_host)
    return {
        "node.id": str(node.id),
        "process.roles": ",".join(node.roles),
        "listeners": bound,
        **({"advertised.listeners": advertised} if advertised != bound else {}),
        "inter.broker.listener.name": internal if any(each.internal_port for each in addresses.values()) else plain,
        "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": ",".join(voters),
        "log.dirs": str(data),
    }


def _plain_names(generation: int) -> tuple[str, str]:
    """Return the names of the plain listeners: for clients, and for brokers that have one of their own.

    A restored cluster's metadata has the addresses of the brokers it was copied from, until each broker has told its
    new one. Those may be running: followers would fetch from them. They are not found under another listener's name.
    """
    suffix = f"_{generation}" if generation else ""
    return f"PLAINTEXT{suffix}", f"INTERNAL{suffix}"


def _listeners(spec: ClusterSpec, address: NodeAddress, generation: int, outside: str, inside: str) -> str:
    plain, internal = _plain_names(generation)
    # By port: the harness may go to the clients' listener.
    listeners = {
        address.harness_port: f"{_HARNESS}://{outside}",
        address.client_port: f"{'SASL_SSL' if spec.security else plain}://{outside}",
        address.internal_port: f"{internal}://{inside}",
        address.controller_port: f"CONTROLLER://{inside}",
    }
    return ",".join(f"{listener}:{port}" for port, listener in listeners.items() if port)


def _small_cluster(spec: ClusterSpec) -> dict[str, str]:
    # Kafka's internal topics ask for three replicas; fewer brokers cannot give them.
    replicas = str(min(3, spec.brokers))
    min_isr = str(min(2, spec.brokers))
    return {
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": min_isr,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": min_isr,
        # 50 partitions each by default: made on first use, while a learner waits.
        "offsets.topic.num.partitions": "5",
        "transaction.state.log.num.partitions": "5",
        "share.coordinator.state.topic.num.partitions": "5",
        # A misspelt topic should be an error, not a new topic.
        "auto.create.topics.enable": "false",
        # The first member of a group should not wait 3 s for others.
        "group.initial.rebalance.delay.ms": "0",
        # Simulated records carry times of the past: the default seven days would delete them at once.
        "log.retention.ms": "-1",
        # Retention first looks 30 s after a start, whatever its interval: too late for a learner who set that.
        "log.initial.task.delay.ms": "500",
    }


def _quick_failover() -> dict[str, str]:
    # A dead broker is fenced after 2 s instead of 9 s; 100 s of full load fenced no living one.
    return {
        "broker.heartbeat.interval.ms": "500",
        "broker.session.timeout.ms": "2000",
        "controller.quorum.election.timeout.ms": "300",
        "controller.quorum.fetch.timeout.ms": "1000",
        # A request that a broker passed on to a controller which is paused or cut off holds up those behind it: 30 s
        # by default, in which no topic is made and no quorum described.
        "controller.socket.timeout.ms": "1000",
        # A connection that was begun while a network comes back may never be made, and those behind it wait: a broker
        # in a container that knew its peer's address before it had a way there was fenced for it (default 10 s).
        "socket.connection.setup.timeout.ms": "500",
        "socket.connection.setup.timeout.max.ms": "500",
        # A follower that asks a new leader a moment too early waits 1 s by default, and acks=all waits with it.
        "replica.fetch.backoff.ms": "50",
        # A paused follower should leave the ISR while the learner watches (default 30 s).
        "replica.lag.time.max.ms": "5000",
    }


def _small_footprint() -> dict[str, str]:
    return {
        # Default 128 MB, per broker, for compaction of topics that are small here.
        "log.cleaner.dedupe.buffer.size": "4194304",
        # Threads for a machine with two cores and three brokers, not for a server of its own.
        "num.network.threads": "2",
        "num.io.threads": "4",
        "background.threads": "2",
    }


def render(properties: Mapping[str, str]) -> str:
    """Return ``properties`` as the text of a Java properties file."""
    return "".join(f"{name}={_escape(value)}\n" for name, value in properties.items())


def _escape(value: str) -> str:
    # java.util.Properties: a backslash escapes, a newline ends the value.
    return value.replace("\\", "\\\\").replace("\n", "\\n")


@cache
def known_properties() -> frozenset[str]:
    """Return the names of all broker properties of the locked Kafka version."""
    text = resources.files("kafkalab.clusters").joinpath("known_properties.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


def check_overrides(properties: Mapping[str, object]) -> dict[str, str]:
    """Return ``properties`` with names checked and values as Kafka writes them.

    Raises:
        InvalidArgument: a name that Kafka does not know, or that kafkalab sets itself.
    """
    if not isinstance(properties, Mapping):
        raise InvalidArgument(f"properties={properties!r} is not possible: give a dict of names and values.")
    return {_check_name(name): _check_value(name, value) for name, value in properties.items()}


def _check_name(name: object) -> str:
    if name in _OWN:
        raise InvalidArgument(f"property {name!r} is set by kafkalab itself: leave it out.")
    known = known_properties() | _OF_THE_AUTHORIZER
    if isinstance(name, str) and (name in known or name.startswith(_OPEN_PREFIXES)):
        return name
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "see Kafka's documentation, Broker Configs, for the names."
    raise InvalidArgument(f"{name!r} is not a broker property of Kafka: {hint}")


def _check_value(name: str, value: object) -> str:
    if isinstance(value, str | int | float):
        return kafka_value(value)
    raise InvalidArgument(f"{value!r} is no value for property {name!r}: give a text or a number.")


def kafka_value(value: object) -> str:
    """Return ``value`` as Kafka writes it in properties and topic settings."""
    return str(value).lower() if isinstance(value, bool) else str(value)
