"""What can be done to a node on purpose, and how it is undone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from kafkalab.clusters.network import CLIENTS, EVERYBODY, PEERS
from kafkalab.clusters.node import Node

__all__ = ["Action", "Isolate", "Kill", "LeftOut", "Pause", "Restart", "Slow", "Stop"]

_WHOM = {frozenset({PEERS}): "peers", frozenset({CLIENTS}): "clients", EVERYBODY: "everybody"}


@dataclass(frozen=True)
class Action(ABC):
    """One way to break a node.

    Attributes:
        verb: the word for it.
        silences: whether the other brokers lose sight of the node, so that they elect others in its place.
        starts: whether the node is started again when it is undone.
    """

    verb: ClassVar[str]
    silences: ClassVar[bool] = True
    starts: ClassVar[bool] = False

    @property
    def suffix(self) -> str:
        """What stands after the target's name: ``from peers``; "" for nothing."""
        return ""

    def describe(self, target: str) -> str:
        """Return the action and its target in words: ``isolate broker 1 from peers``."""
        if not self.suffix:
            return f"{self.verb} {target}"
        return f"{self.verb} {target}{',' if ',' in target else ''} {self.suffix}"

    def check(self, node: Node) -> None:
        """Do nothing where it can be done to this node.

        Raises:
            UnsupportedByBackend: it cannot, on this kind of cluster.
        """
        node.check_control()

    @abstractmethod
    def do(self, node: Node) -> None:
        """Break it; returns when that is complete.

        Raises:
            NotRunning: it is not in a state for that.
        """

    @abstractmethod
    def undo(self, node: Node) -> None:
        """Mend it, if nobody has done so meanwhile; does not wait until it has joined."""


def _start_if_stopped(node: Node) -> None:
    if node.state == "stopped":
        node.start(wait=False)


class Kill(Action):
    """SIGKILL, as a power cut."""

    verb = "kill"
    starts = True

    def do(self, node: Node) -> None:
        node.kill()

    def undo(self, node: Node) -> None:
        _start_if_stopped(node)


class Stop(Action):
    """SIGTERM: leaders move away first."""

    verb = "stop"
    starts = True

    def do(self, node: Node) -> None:
        node.stop()

    def undo(self, node: Node) -> None:
        _start_if_stopped(node)


class Pause(Action):
    """SIGSTOP: connections stay open, and nothing is answered."""

    verb = "pause"

    def do(self, node: Node) -> None:
        node.pause()

    def undo(self, node: Node) -> None:
        if node.state == "paused":
            node.resume()


@dataclass(frozen=True)
class Restart(Action):
    """End it, in good order or not, and start it again at once."""

    verb = "restart"
    silences = False
    starts = True
    graceful: bool = True

    @property
    def suffix(self) -> str:
        return "" if self.graceful else "by SIGKILL"

    def do(self, node: Node) -> None:
        if self.graceful:
            node.stop()
        else:
            node.kill()
        node.start(wait=False)

    def undo(self, node: Node) -> None:
        _start_if_stopped(node)


@dataclass(frozen=True)
class Isolate(Action):
    """Cut its network: from ``"peers"``, ``"clients"`` or ``"all"``."""

    verb = "isolate"
    whom: frozenset[str]

    @property
    def silences(self) -> bool:  # type: ignore[override]
        """Clients are no voters: cut off from them only, a leader stays leader."""
        return PEERS in self.whom

    @property
    def suffix(self) -> str:
        return f"from {_WHOM[self.whom]}"

    def check(self, node: Node) -> None:
        assert node.link is not None

    def do(self, node: Node) -> None:
        node.isolate(self._name)

    def undo(self, node: Node) -> None:
        if self.whom & node.link.cut:
            node.reconnect(self._name)

    @property
    def _name(self) -> str:
        return "all" if self.whom == EVERYBODY else next(iter(self.whom))


@dataclass(frozen=True)
class Slow(Action):
    """Make its network slow: milliseconds more for a round trip, and bytes per second of a connection."""

    verb = "slow"
    silences = False
    latency_ms: float
    bytes_per_second: float | None = None

    @property
    def suffix(self) -> str:
        speed = f" and to {self.bytes_per_second:g} bytes/s" if self.bytes_per_second else ""
        return f"by {self.latency_ms:g} ms{speed}"

    def check(self, node: Node) -> None:
        assert node.link is not None

    def do(self, node: Node) -> None:
        node.slow(self.latency_ms, self.bytes_per_second)

    def undo(self, node: Node) -> None:
        node.full_speed()


@dataclass(frozen=True)
class LeftOut(Action):
    """Nothing, in the place of what cannot be done."""

    verb = "leave out"
    silences = False
    action: Action

    def describe(self, target: str) -> str:
        return f"left out: {self.action.describe(target)}"

    def do(self, node: Node) -> None:
        pass

    def undo(self, node: Node) -> None:
        pass
