"""What one particular broker believes about the cluster, asked over Kafka's protocol.

An admin client asks any broker, and only one. Readiness needs every broker's own view, and needs it while brokers
start, when a client's back-off would cost more than the start. The encoding is kafka-python's.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kafka.protocol.metadata import MetadataRequest

from kafkalab.clusters.ports import LOOPBACK

__all__ = ["BrokerConnection", "PartitionView", "View"]

_METADATA_VERSION = 12
_TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True)
class PartitionView:
    """What one broker believes of a partition.

    Attributes:
        leader: the id of its leader.
        leader_epoch: how many leaders it has had; of two views the one with the higher epoch is newer.
        replicas: ids of the brokers that keep it, the preferred leader first.
        isr: ids of the in-sync replicas.
    """

    leader: int
    leader_epoch: int
    replicas: tuple[int, ...]
    isr: frozenset[int]


@dataclass(frozen=True)
class View:
    """What one broker believes.

    Attributes:
        brokers: ids of the brokers that are registered and not fenced.
        has_controller: whether it knows an active controller.
        isr: of each partition of the topics asked for that has a leader, the in-sync replicas.
        partitions: the same partitions, with all that is known of them; left out where nobody needs it.
    """

    brokers: frozenset[int]
    has_controller: bool
    isr: Mapping[tuple[str, int], frozenset[int]]
    partitions: Mapping[tuple[str, int], PartitionView] = field(default_factory=dict)

    @classmethod
    def of(cls, response: Any) -> View:
        """Return the view in a MetadataResponse."""
        partitions = {
            (topic.name, p.partition_index): PartitionView(
                p.leader_id, p.leader_epoch, tuple(p.replica_nodes), frozenset(p.isr_nodes)
            )
            for topic in response.topics
            for p in topic.partitions
            if p.leader_id >= 0
        }
        brokers = frozenset(broker.node_id for broker in response.brokers)
        isr = {key: partition.isr for key, partition in partitions.items()}
        return cls(brokers, response.controller_id >= 0, isr, partitions)


class BrokerConnection:
    """A blocking connection to one local broker, for metadata requests only.

    Errors of the socket (``OSError``) are the caller's "not yet".
    """

    def __init__(self, port: int) -> None:
        self._sent = 0
        self._socket = socket.socket()
        self._socket.settimeout(_TIMEOUT_SECONDS)
        self._socket.connect((LOOPBACK, port))

    def view(self, topics: list[str]) -> View:
        """Return what the broker believes, with the partitions of ``topics``."""
        wanted = [MetadataRequest.MetadataRequestTopic(topic_id=None, name=name) for name in topics]
        request = MetadataRequest[_METADATA_VERSION](
            topics=wanted, allow_auto_topic_creation=False, include_topic_authorized_operations=False
        )
        self._sent += 1
        request.with_header(correlation_id=self._sent, client_id="kafkalab")
        self._socket.sendall(request.encode(framed=True, header=True))
        (length,) = struct.unpack(">i", self._receive(4))
        return View.of(request.header.get_response_class().decode(self._receive(length), header=True))

    def _receive(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            chunk = self._socket.recv(count - len(data))
            if not chunk:
                raise ConnectionResetError("the broker closed the connection")
            data += chunk
        return data

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def __del__(self) -> None:
        # Ctrl-C may come while it connects, before anybody holds it who could close it.
        self._socket.close()
