"""The owner's side of the proxy: what the network does to each node of a cluster."""

from __future__ import annotations

import json
import socket
import sys
import threading

from kafkalab.clusters import proxy
from kafkalab.clusters.processes import SupervisedProcesses
from kafkalab.clusters.properties import NodeAddress
from kafkalab.clusters.proxy import Link, Route
from kafkalab.errors import BrokerFailed
from kafkalab.waiting import wait_until

__all__ = ["CLIENTS", "EVERYBODY", "PEERS", "Network"]

CLIENTS = "clients"
PEERS = "peers"
EVERYBODY = frozenset({CLIENTS, PEERS})
_NAME = "proxy"
_START_SECONDS = 20.0
_ANSWER_SECONDS = 30.0


class Network:
    """The network of one cluster: a proxy process, and a :class:`~kafkalab.clusters.proxy.Link` for each node.

    What is told of nodes holds from the next :meth:`apply` on. Safe to use from several threads.

    Args:
        processes: of the cluster; the proxy ends with them.
    """

    def __init__(self, processes: SupervisedProcesses) -> None:
        self._lock = threading.RLock()
        self.routes: list[Route] = []
        self._pids: dict[int, int] = {}
        self._links: dict[int, Link] = {}
        self._control: socket.socket | None = None
        self._path = processes.folder / _NAME
        self._log = processes.folder / f"{_NAME}.log"
        # A file and not a module: the proxy needs nothing of kafkalab, and is up sooner. -P keeps the names of the
        # modules beside it from standing in for those of Python.
        processes.spawn(
            _NAME, [sys.executable, "-P", proxy.__file__, str(self._path)], cwd=processes.folder, log=self._log
        )

    def add(self, node_id: int, address: NodeAddress) -> None:
        """Put the proxy in front of those of a node's listeners that have a port behind them."""
        behind = address.bound
        ports = [
            (CLIENTS, address.client_port, behind.client_port),
            (PEERS, address.internal_port, behind.internal_port),
            (PEERS, address.controller_port, behind.controller_port),
        ]
        self.routes += [Route(node_id, whom, port, bound) for whom, port, bound in ports if port != bound]

    def started(self, node_id: int, pid: int) -> None:
        """Tell which process a node is now, so that its connections are known for its own."""
        self._pids[node_id] = pid

    def link(self, node_id: int) -> Link:
        """Return what the network does to a node now."""
        return self._links.get(node_id, Link())

    def shape(self, node_id: int, link: Link) -> None:
        """Make a node's network like ``link``; returns when it is."""
        with self._lock:
            self._links.pop(node_id, None)
            if link != Link():
                self._links[node_id] = link
            self.apply()

    def apply(self) -> None:
        """Make the proxy do what it was told of; returns when it does.

        Raises:
            BrokerFailed: it could not, or is gone; shows its reason.
        """
        with self._lock:
            links = {node_id: {**vars(link), "cut": sorted(link.cut)} for node_id, link in self._links.items()}
            state = {"routes": self.routes, "pids": self._pids, "links": links}
            answer = self._exchange(json.dumps(state).encode() + b"\n")
        if "error" in answer:
            raise BrokerFailed(f"the cluster's proxy could not do it: {answer['error']}.")

    def _exchange(self, request: bytes) -> dict[str, str]:
        try:
            self._control = self._control or self._connected()
            self._control.sendall(request)
            with self._control.makefile("rb") as answers:
                answer: dict[str, str] = json.loads(answers.readline())
        except TimeoutError as error:
            self.close()
            raise BrokerFailed(
                f"the cluster's proxy did not answer within {_ANSWER_SECONDS:g} s: start a new cluster."
            ) from error
        except (OSError, ValueError) as error:
            said = self._log.read_text(errors="replace").strip() if self._log.exists() else ""
            raise BrokerFailed(f"the cluster's proxy is gone: start a new cluster. {said[-400:]}") from error
        return answer

    def _connected(self) -> socket.socket:
        control = socket.socket(socket.AF_UNIX)
        control.settimeout(_ANSWER_SECONDS)
        try:
            wait_until(
                lambda: control.connect_ex(str(self._path)) == 0,
                what="the cluster's proxy",
                timeout=_START_SECONDS,
                every=0.01,
            )
        except BaseException:
            control.close()
            raise
        return control

    def close(self) -> None:
        """Let the proxy go; may be called again."""
        with self._lock:
            if self._control is not None:
                self._control.close()
                self._control = None
