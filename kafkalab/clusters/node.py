"""A handle on one broker (or controller): what lessons break on purpose."""

from __future__ import annotations

from collections.abc import Callable

from kafkalab.clusters.backends.base import Backend, NodeState
from kafkalab.clusters.spec import NodeSpec
from kafkalab.errors import NotRunning

__all__ = ["Node"]

_SHUT_DOWN_SECONDS = 30.0
_START_SECONDS = 60.0
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
            self._wait_joined(self.id, timeout)

    def logs(self, last: int | None = None) -> str:
        """Return what the process logged, or the ``last`` lines of it."""
        text = self._backend.log(self.id)
        return text if last is None else "\n".join(text.splitlines()[-last:])

    def _require(self, action: str, *states: NodeState) -> None:
        state = self.state
        if state not in states:
            raise NotRunning(f"cannot {action} {self!r}: {_REMEDIES[state]}")

    def __repr__(self) -> str:
        kind = "broker" if "broker" in self.roles else "controller"
        return f"<{kind} {self.id}: {self.state}>"
