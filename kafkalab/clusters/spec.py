"""What a cluster should be: data only, checked before anything is started."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from kafkalab.clusters.security import check_security
from kafkalab.errors import InvalidArgument

__all__ = ["FIRST_CONTROLLER_ID", "ClusterSpec", "NodeSpec", "check_topic_name"]

# Own controllers are numbered from here on, so that brokers are always 1, 2, 3, ... in lessons.
FIRST_CONTROLLER_ID = 101
_VOTERS_OF_COMBINED = 3
_LAST_PORT = 65535
_MAX_BROKERS = 100  # ids from 101 on belong to controllers
_TOPIC_NAME = re.compile(r"[a-zA-Z0-9._-]{1,249}")


@dataclass(frozen=True)
class NodeSpec:
    """One process of the cluster.

    Attributes:
        id: Kafka's ``node.id``.
        roles: Kafka's ``process.roles``, a subset of ``("broker", "controller")``.
    """

    id: int
    roles: tuple[str, ...]

    @property
    def is_broker(self) -> bool:
        """Whether this process keeps partitions and serves clients."""
        return "broker" in self.roles

    @property
    def is_voter(self) -> bool:
        """Whether this process votes in the metadata quorum."""
        return "controller" in self.roles


@dataclass(frozen=True)
class ClusterSpec:
    """What a cluster should be.

    Attributes:
        brokers: number of brokers, numbered from 1.
        controllers: 0 for combined nodes; 1 or 3 for controllers in processes of their own, numbered from 101.
        properties: broker properties that override kafkalab's defaults, in Kafka's own names.
        port: port of the first broker, the others follow; None for free ports.
        security: None for plain listeners, ``"sasl-tls"`` for TLS and a SCRAM user on the clients' listener.
        proxied: whether a proxy stands in front of every listener, so that networks can be cut and slowed.

    Raises:
        InvalidArgument: a value that cannot be right.
    """

    brokers: int = 3
    controllers: int = 0
    properties: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None
    security: str | None = None
    proxied: bool = False

    def __post_init__(self) -> None:
        _check_count("brokers", self.brokers, range(1, _MAX_BROKERS + 1), "a whole number from 1 to 100")
        _check_count("controllers", self.controllers, (0, 1, 3), "0 (combined nodes), 1 or 3")
        check_security(self.security)
        if not isinstance(self.proxied, bool):
            raise InvalidArgument(f"proxied={self.proxied!r} is not possible: give True or False.")
        if self.port is not None:
            highest = _LAST_PORT - self.brokers + 1
            _check_count("port", self.port, range(1024, highest + 1), f"a whole number from 1024 to {highest}")

    def beyond(self, brokers: int) -> list[str]:
        """Return what was asked for, as it is written, that an ordinary cluster of so many brokers does not have."""
        ordinary = ClusterSpec(min(brokers, self.brokers))
        asked = ((each.name, getattr(self, each.name)) for each in fields(self))
        return [f"{name}={value!r}" for name, value in asked if value != getattr(ordinary, name)]

    @property
    def nodes(self) -> tuple[NodeSpec, ...]:
        """The processes to start: brokers first, then controllers of their own."""
        voters = 0 if self.controllers else (_VOTERS_OF_COMBINED if self.brokers >= _VOTERS_OF_COMBINED else 1)
        brokers = [
            NodeSpec(node_id, ("broker", "controller") if node_id <= voters else ("broker",))
            for node_id in range(1, self.brokers + 1)
        ]
        controllers = [NodeSpec(FIRST_CONTROLLER_ID + i, ("controller",)) for i in range(self.controllers)]
        return (*brokers, *controllers)


def _check_count(name: str, value: object, allowed: range | tuple[int, ...], wanted: str) -> None:
    # bool is an int to Python, but brokers=True is a slip.
    if not isinstance(value, int) or isinstance(value, bool) or value not in allowed:
        raise InvalidArgument(f"{name}={value!r} is not possible: give {wanted}.")


def check_topic_name(name: object) -> str:
    """Return ``name`` if Kafka would take it as a topic name.

    Raises:
        InvalidArgument: it is empty, too long, or has characters that Kafka refuses.
    """
    if not isinstance(name, str) or name in {".", ".."} or not _TOPIC_NAME.fullmatch(name):
        raise InvalidArgument(
            f"{name!r} is not a legal topic name: use 1 to 249 letters, digits, dots, underscores and hyphens."
        )
    return name
