"""A handle on one broker (or controller): what lessons break on purpose."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TypeGuard

from kafkalab.clusters.backends.base import Backend, NodeState
from kafkalab.clusters.network import CLIENTS, EVERYBODY, PEERS
from kafkalab.clusters.proxy import Link
from kafkalab.clusters.spec import NodeSpec
from kafkalab.errors import InvalidArgument, NotRunning, UnsupportedByBackend

__all__ = ["Node", "checked_latency", "checked_speed", "checked_whom"]

_SHUT_DOWN_SECONDS = 30.0
_START_SECONDS = 60.0
_WHOM = {PEERS: frozenset({PEERS}), CLIENTS: frozenset({CLIENTS}), "all": EVERYBODY}
_REMEDIES = {"running": "it runs already.", "paused": "resume() it first.", "stopped": "start() it first."}


class Node:
    """One process of the cluster. What it cannot do in its present state raises ``NotRunning``.

    Attributes:
        id: Kafka's ``node.id``.
        roles: ``("broker",)``, ``("controller",)`` or both.
    """

    def __init__(self, spec: NodeSpec, backend: Backend, wait_joined: Callable[[int, float], None]) -> None:
        self.id = spec.id
        self.roles = spec.roles
        self._backend = backend
        self._wait_joined = wait_joined

    @property
    def state(self) -> NodeState:
        """``running``, ``paused`` or ``stopped``: what the process does, not what the cluster knows of it yet."""
        return self._backend.state(self.id)

    def kill(self) -> None:
        """End the process at once (SIGKILL), as a power cut would; returns when it is gone."""
        self._require("kill", "running", "paused")
        self._backend.kill(self.id)

    def stop(self, timeout: float = _SHUT_DOWN_SECONDS) -> None:
        """End the process in good order (SIGTERM): leaders move away first; returns when it is gone.

        Raises:
            WaitTimeout: it still runs after ``timeout`` seconds.
        """
        self._require("stop", "running")
        self._backend.shut_down(self.id, timeout)

    def pause(self) -> None:
        """Freeze the process (SIGSTOP): its connections stay open, and nothing is answered."""
        self._require("pause", "running")
        self._backend.pause(self.id)

    def resume(self) -> None:
        """Let a paused process go on (SIGCONT)."""
        self._require("resume", "paused")
        self._backend.resume(self.id)

    def start(self, *, wait: bool = True, timeout: float = _START_SECONDS) -> None:
        """Start an ended process again, on its old data and port.

        Args:
            wait: return only when every running broker knows it again.
            timeout: seconds to wait for that.

        Raises:
            BrokerFailed: it ended by itself.
            WaitTimeout: it did not join in time.
        """
        self._require("start", "stopped")
        self._backend.restart(self.id)
        if wait:
            self.wait_joined(timeout)

    def wait_joined(self, timeout: float = _START_SECONDS) -> None:
        """Return when every running broker knows this node; at once where it keeps no partitions.

        Raises:
            BrokerFailed: it ended by itself.
            WaitTimeout: it did not join in time.
        """
        self._wait_joined(self.id, timeout)

    def isolate(self, from_: str = "all") -> None:
        """Cut its network, as a pulled cable would: connections stay open and silent, new ones are not answered.

        Args:
            from_: ``"peers"`` (brokers and controllers), ``"clients"``, or ``"all"``; a node reaches itself always.

        Raises:
            UnsupportedByBackend: the cluster was not made with ``proxied=True``.
        """
        link, whom = self.link, checked_whom(from_)
        if whom <= link.cut:
            raise NotRunning(f"cannot isolate {self!r}: reconnect() it first.")
        self._backend.shape(self.id, replace(link, cut=link.cut | whom))

    def reconnect(self, to: str = "all") -> None:
        """Mend its network. Connections that lived through the cut are closed, so that clients make new ones.

        Args:
            to: ``"peers"``, ``"clients"``, or ``"all"``.
        """
        link, whom = self.link, checked_whom(to)
        if not whom & link.cut:
            raise NotRunning(f"cannot reconnect {self!r}: it is not isolated; isolate() does that.")
        self._backend.shape(self.id, replace(link, cut=link.cut - whom))

    def slow(self, latency_ms: float, bytes_per_second: float | None = None) -> None:
        """Make its network slow, in place of any slowness before.

        Args:
            latency_ms: what every round trip takes longer.
            bytes_per_second: of each connection in each direction; by default without limit.

        Raises:
            UnsupportedByBackend: the cluster was not made with ``proxied=True``.
        """
        latency = checked_latency(latency_ms)
        speed = checked_speed(bytes_per_second)
        self._backend.shape(self.id, replace(self.link, latency_ms=latency, bytes_per_second=speed))

    def full_speed(self) -> None:
        """Make its network quick again."""
        self.slow(0.0)

    @property
    def link(self) -> Link:
        """What the network does to it now.

        Raises:
            UnsupportedByBackend: the cluster was not made with ``proxied=True``.
        """
        return self._backend.link(self.id)

    @property
    def condition(self) -> str:
        """Its state, and what is wrong with its network: ``running, isolated from peers``."""
        try:
            link = self.link
        except UnsupportedByBackend:
            return self.state
        cut = f"isolated from {' and '.join(sorted(link.cut))}" if link.cut else ""
        slow = "slowed" if replace(link, cut=frozenset()) != Link() else ""
        return ", ".join(filter(None, [self.state, cut, slow]))

    def check_control(self) -> None:
        """Do nothing where this process can be killed and paused.

        Raises:
            UnsupportedByBackend: the cluster is borrowed.
        """
        self._backend.check_control()

    def logs(self, last: int | None = None) -> str:
        """Return what the process logged, or the ``last`` lines of it."""
        text = self._backend.log(self.id)
        return text if last is None else "\n".join(text.splitlines()[-last:])

    def _require(self, action: str, *states: NodeState) -> None:
        state = self.state
        if state not in states:
            self.check_control()  # its remedies are for those who can start and stop it
            raise NotRunning(f"cannot {action} {self!r}: {_REMEDIES[state]}")

    def __repr__(self) -> str:
        kind = "broker" if "broker" in self.roles else "controller"
        return f"<{kind} {self.id}: {self.condition}>"


def checked_whom(name: object) -> frozenset[str]:
    """Return whose network ``"peers"``, ``"clients"`` or ``"all"`` stands for.

    Raises:
        InvalidArgument: it is none of these.
    """
    if name not in _WHOM:
        raise InvalidArgument(f"{name!r} is nobody to be isolated from: choose from {', '.join(map(repr, _WHOM))}.")
    return _WHOM[str(name)]


def checked_latency(latency_ms: object) -> float:
    """Return ``latency_ms`` if it is a number of milliseconds from 0.

    Raises:
        InvalidArgument: it is not.
    """
    if not _is_number(latency_ms) or latency_ms < 0:
        raise InvalidArgument(f"latency_ms={latency_ms!r} is not possible: give a number of milliseconds from 0.")
    return float(latency_ms)


def checked_speed(bytes_per_second: object) -> float | None:
    """Return ``bytes_per_second`` if it is a number above 0, or None for no limit.

    Raises:
        InvalidArgument: it is neither.
    """
    if bytes_per_second is None:
        return None
    if not _is_number(bytes_per_second) or bytes_per_second <= 0:
        raise InvalidArgument(f"bytes_per_second={bytes_per_second!r} is not possible: give a number above 0.")
    return float(bytes_per_second)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
