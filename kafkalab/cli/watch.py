"""Noticing that brokers ended by themselves, without asking again and again.

An idle connection to each broker ends when the broker's process does, however that ends and wherever it runs.
The broker also closes it after ten idle minutes (``connections.max.idle.ms``): then it is opened again.
"""

from __future__ import annotations

import selectors
import socket
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

from kafkalab.clusters.failure import last_lines
from kafkalab.errors import BrokerFailed, WaitTimeout
from kafkalab.waiting import wait_until

if TYPE_CHECKING:
    from kafkalab import Cluster
    from kafkalab.clusters.node import Node

__all__ = ["BrokerWatch"]

_CONNECT_SECONDS = 5.0
# From the end of its connections until a process is seen as ended.
_END_SECONDS = 2.0


class BrokerWatch:
    """One idle connection to each broker of a running cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._brokers = cluster.brokers
        self._addresses = dict(
            zip((broker.id for broker in self._brokers), cluster.bootstrap_servers.split(","), strict=True)
        )
        self._selector = selectors.DefaultSelector()

    def wait_until_all_ended(self) -> None:
        """Wait, however long, until the last broker has ended by itself, and raise; tell of each that ends.

        Raises:
            BrokerFailed: always, in the end; with the last log lines of the broker that ended last.
        """
        living = {broker.id for broker in self._brokers}
        for broker in self._brokers:
            self._watch(broker)
        while True:
            broker = self._next_disconnected()
            if not _has_ended(broker):
                self._watch(broker)
                continue
            living.discard(broker.id)
            if not living:
                raise BrokerFailed(_obituary(broker, len(self._brokers)))
            click.echo(f"kafkalab: broker {broker.id} ended by itself; still running: {sorted(living)}.", err=True)

    def _watch(self, broker: Node) -> None:
        host, _, port = self._addresses[broker.id].rpartition(":")
        connection = socket.socket()
        connection.settimeout(_CONNECT_SECONDS)
        # A refused connection is readable at once, as an ended one: the broker's state tells what it means.
        connection.connect_ex((host, int(port)))
        self._selector.register(connection, selectors.EVENT_READ, broker)

    def _next_disconnected(self) -> Node:
        # A broker says nothing to a client that asks nothing: readable means ended.
        key, _ = self._selector.select()[0]
        connection = key.fileobj
        assert isinstance(connection, socket.socket)
        self._selector.unregister(connection)
        connection.close()
        broker: Node = key.data
        return broker

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for key in list(self._selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        self._selector.close()


def _has_ended(broker: Node) -> bool:
    try:
        wait_until(
            lambda: broker.state,
            lambda state: state == "stopped",
            what=f"the end of broker {broker.id}",
            timeout=_END_SECONDS,
        )
    except WaitTimeout:
        return False
    return True


def _obituary(broker: Node, count: int) -> str:
    who = "the broker" if count == 1 else f"all {count} brokers"
    return (
        f"{who} ended without being asked to, broker {broker.id} last: look at its last log lines, and "
        f"whether memory is short (`kafkalab doctor`).\n{last_lines(broker.logs())}"
    )
