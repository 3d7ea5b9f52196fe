"""A TCP proxy in front of every listener of a cluster, so that a node's network can be cut or slowed.

One process per cluster, under the cluster's supervisor. It runs this file with the standard library and psutil only.
The owner's side is :mod:`kafkalab.clusters.network`; it sends the whole wanted state as one JSON object a line, and
gets one answer a line:

.. code-block:: text

    routes  [[node, "clients" | "peers", port, port behind it], ...]
    pids    {node: process id}                  to tell which node a connection comes from
    links   {node: {"cut": ["clients", "peers"], "latency_ms": 0.0, "bytes_per_second": null}}

A cut is silence, as in a network that has died: what arrives is dropped, nobody is told of the other end's goodbye,
and a new connection is accepted (the system's kernel does that) and never answered. When the cut ends, connections
that lived through it are closed, for bytes are missing in them. Slowness delays bytes and loses none.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import sys
from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import psutil

__all__ = ["Connection", "End", "Link", "Proxy", "Route", "main"]

_LOOPBACK = "127.0.0.1"
_HELD_BYTES = 1 << 20  # on their way in one direction of one connection; then the sender has to wait
_SOCKETS = 8192


@dataclass(frozen=True)
class Link:
    """What a network does to a node, or to one connection.

    Attributes:
        cut: whose connections are silent: ``"clients"``, ``"peers"``.
        latency_ms: what a round trip takes longer, half of it in each direction.
        bytes_per_second: of each connection, in each direction; None for no limit.
    """

    cut: frozenset[str] = frozenset()
    latency_ms: float = 0.0
    bytes_per_second: float | None = None

    @classmethod
    def across(cls, ends: list[Link]) -> Link:
        """Return what a connection between nodes with these links sees."""
        speeds = [end.bytes_per_second for end in ends if end.bytes_per_second]
        cut = frozenset[str]().union(*(end.cut for end in ends))
        return cls(cut, sum(end.latency_ms for end in ends), min(speeds, default=None))


class Route(NamedTuple):
    """A listener: of which node, for whom, the proxy's port, and the node's own behind it."""

    node: int
    whom: str
    port: int
    behind: int


@dataclass(eq=False)
class End(asyncio.Protocol):
    """One end of a connection, and what it sent that is still on its way to the other end."""

    connection: Connection
    transport: asyncio.Transport | None = None
    queue: deque[tuple[float, bytes]] = field(default_factory=deque)
    held: int = 0
    other_is_full: bool = False
    lost: bool = False
    free_at: float = 0.0
    timer: asyncio.TimerHandle | None = None

    @property
    def other(self) -> End:
        """The end that gets what this one sends."""
        client, node = self.connection.ends
        return node if self is client else client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=_HELD_BYTES)
        self.connection.opened(self)

    def data_received(self, data: bytes) -> None:
        if not self.connection.is_cut:
            self.queue.append((self._due(len(data)), data))
            self.held += len(data)
            self.flush()

    def _due(self, count: int) -> float:
        now = asyncio.get_running_loop().time()
        link = self.connection.link
        if link.bytes_per_second:
            self.free_at = max(self.free_at, now) + count / link.bytes_per_second
        due = max(self.free_at, now) + link.latency_ms / 2000
        # What was sent later arrives later, also when the link has just become quick again.
        return max(due, self.queue[-1][0]) if self.queue else due

    def flush(self) -> None:
        """Hand over what is due, and the goodbye after the last byte; come back for the rest when that is due."""
        out = self.other.transport
        if out is None or self.connection.is_cut:
            return self._throttle()
        loop = asyncio.get_running_loop()
        while self.queue and self.queue[0][0] <= loop.time():
            data = self.queue.popleft()[1]
            self.held -= len(data)
            out.write(data)
        if self.queue and self.timer is None:
            self.timer = loop.call_at(self.queue[0][0], self._come_back)
        elif self.lost and not self.queue:
            out.close()
        return self._throttle()

    def _come_back(self) -> None:
        self.timer = None
        self.flush()

    def drop(self) -> None:
        """Forget what is on its way."""
        self.queue.clear()
        self.held = 0
        self.other_is_full = False
        self._throttle()

    def _throttle(self) -> None:
        if self.transport and not self.transport.is_closing():
            full = self.other_is_full or self.held > _HELD_BYTES
            self.transport.pause_reading() if full else self.transport.resume_reading()

    def pause_writing(self) -> None:
        self.other.other_is_full = True
        self.other._throttle()  # noqa: SLF001 - of the same class

    def resume_writing(self) -> None:
        self.other.other_is_full = False
        self.other._throttle()  # noqa: SLF001 - of the same class

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        self.connection.ended(self)


class Connection:
    """A connection through the proxy: the end of who asked for it, and the node's."""

    def __init__(self, proxy: Proxy, route: Route) -> None:
        self.proxy = proxy
        self.route = route
        self.source: int | None = None  # the node it comes from, if that one's link ever mattered
        self.source_port = 0
        self.link = Link()
        self.is_cut = False
        self.ends = (End(self), End(self))

    def opened(self, end: End) -> None:
        if end is self.ends[0] and end.transport:
            self.source_port = end.transport.get_extra_info("peername")[1]
            self.proxy.admit(self)
        else:
            self.ends[0].flush()

    async def connect(self) -> None:
        """Connect to the node; where nobody listens there, close the other end, too."""
        try:
            await asyncio.get_running_loop().create_connection(lambda: self.ends[1], _LOOPBACK, self.route.behind)
        except OSError:
            if not self.is_cut:
                self.close()

    def reshape(self, link: Link) -> None:
        """Make this connection behave like ``link``."""
        was_cut, self.link = self.is_cut, link
        self.is_cut = was_cut or self.route.whom in link.cut
        if was_cut and self.route.whom not in link.cut:
            self.close()
        elif self.is_cut:
            for end in self.ends:
                end.drop()

    def ended(self, end: End) -> None:
        if all(one.lost or one.transport is None for one in self.ends):
            self.proxy.connections.discard(self)
        elif not self.is_cut:
            end.flush()

    def close(self) -> None:
        for end in self.ends:
            if end.transport:
                end.transport.abort()


class Proxy:
    """All routes and connections of one cluster."""

    def __init__(self) -> None:
        self.routes: set[Route] = set()
        self.pids: dict[int, int] = {}
        self.links: dict[int, Link] = {}
        self.connections: set[Connection] = set()
        self._connecting: set[asyncio.Task[None]] = set()

    async def apply(self, state: dict[str, Any]) -> None:
        """Make it so: see the module's text for ``state``."""
        self.pids = {int(node): pid for node, pid in state["pids"].items()}
        self.links = {int(node): _link(wanted) for node, wanted in state["links"].items()}
        for route in sorted({Route(*route) for route in state["routes"]} - self.routes):
            await self._listen(route)
        self._reshape(self.connections)

    async def _listen(self, route: Route) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_server(lambda: Connection(self, route).ends[0], _LOOPBACK, route.port)
        self.routes.add(route)

    def admit(self, connection: Connection) -> None:
        """Take a new connection in; one that is cut never reaches its node."""
        self.connections.add(connection)
        self._reshape({connection})
        if not connection.is_cut:
            task = asyncio.get_running_loop().create_task(connection.connect())
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    def _reshape(self, connections: set[Connection]) -> None:
        if self.links:
            self._find_sources(connections)
        for connection in list(connections):
            node, source = connection.route.node, connection.source
            # A node reaches itself whatever its network does.
            ends = () if node == source else (node, source)
            connection.reshape(Link.across([self.links[end] for end in ends if end in self.links]))

    def _find_sources(self, connections: set[Connection]) -> None:
        """See which connections come from nodes whose link is not as it should be: their processes have the other end.

        Asking costs some 8 ms for each process, so no other process is asked.
        """
        unknown = {
            (c.source_port, c.route.port): c for c in connections if c.source is None and c.route.whom == "peers"
        }
        for node in self.links.keys() & self.pids.keys() if unknown else ():
            with contextlib.suppress(psutil.Error):  # the process has ended
                for found in psutil.Process(self.pids[node]).net_connections("tcp"):
                    if found.raddr and (key := (found.laddr.port, found.raddr.port)) in unknown:
                        unknown[key].source = node


def _link(wanted: dict[str, Any]) -> Link:
    return Link(frozenset(wanted["cut"]), wanted["latency_ms"], wanted["bytes_per_second"])


async def _serve(path: str) -> None:
    """Obey the first who connects, until that connection ends."""
    proxy = Proxy()
    owner_is_gone = asyncio.Event()

    async def obey(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            try:
                await proxy.apply(json.loads(line))
                answer: dict[str, str] = {}
            except Exception as error:  # noqa: BLE001 - told to the owner, who raises it
                answer = {"error": f"{type(error).__name__}: {error}"}
            writer.write(json.dumps(answer).encode() + b"\n")
        owner_is_gone.set()

    await asyncio.start_unix_server(obey, path)
    await owner_is_gone.wait()


def main() -> None:
    """Serve one owner at the socket file named on the command line."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, _SOCKETS) if most > 0 else _SOCKETS, most))
    asyncio.run(_serve(sys.argv[1]))


if __name__ == "__main__":
    main()
