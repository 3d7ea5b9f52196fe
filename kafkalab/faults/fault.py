"""A fault: what is done, to whom, when, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Self

from kafkalab.clusters import Cluster
from kafkalab.clusters.lodging import NotApplied, tell
from kafkalab.clusters.node import checked_latency, checked_speed, checked_whom
from kafkalab.errors import InvalidArgument, NotRunning
from kafkalab.faults.actions import Action, Isolate, Kill, LeftOut, Pause, Restart, Slow, Stop
from kafkalab.faults.firing import Firing
from kafkalab.faults.targets import Aim, Target, as_target
from kafkalab.faults.triggers import Trigger, checked_count, checked_seconds

__all__ = ["Fault", "RecoverableFault", "isolate", "kill", "pause", "restart", "slow", "stop"]


@dataclass(frozen=True)
class Fault:
    """A fault that is over when it has fired; each method returns a changed copy.

    Attributes:
        action: what is done.
        target: to whom.
        trigger: when; by default at once.
        optional: whether it is left out on a borrowed cluster, which would refuse it.
    """

    action: Action
    target: Target
    trigger: Trigger = field(default_factory=Trigger)
    optional: bool = False

    def after(self, seconds: float) -> Self:
        """Fire so long after the schedule began, or after the condition of :meth:`when` was met."""
        return replace(self, trigger=replace(self.trigger, after=checked_seconds("after", seconds)))

    def when(self, *, acknowledged: int | None = None, sent: int | None = None) -> Self:
        """Fire when so many records are acknowledged, or sent, or both."""
        given = {name: n for name, n in (("acknowledged", acknowledged), ("sent", sent)) if n is not None}
        if not given:
            raise InvalidArgument("when() needs acknowledged=N or sent=N.")
        counts = {name: checked_count(name, number) for name, number in given.items()}
        return replace(self, trigger=replace(self.trigger, **counts))

    def every(self, seconds: float, *, times: int) -> Self:
        """Fire ``times`` times, so long one after the other; the target is looked up anew each time."""
        every, count = checked_seconds("every", seconds), checked_count("times", times)
        return replace(self, trigger=replace(self.trigger, every=every, times=count))

    def where_possible(self) -> Self:
        """Leave it out on a borrowed cluster, with a warning, and let everything else go on."""
        return replace(self, optional=True)

    def check(self, cluster: Cluster) -> None:
        """Find out, before anything starts, what cannot be.

        Raises:
            InvalidArgument: there is no such broker, topic or partition.
            UnsupportedByBackend: this kind of cluster cannot do it, and must.
        """
        nodes = self.target.candidates(cluster)
        if self._is_left_out(cluster):
            what = self.action.describe(str(self.target))
            tell(f"this cluster is borrowed, so a fault is left out: {what}.", NotApplied)
            return
        for node in nodes:
            self.action.check(node)

    def find(self, cluster: Cluster) -> Aim | None:
        """Return whom it would hit now; None while nobody plays that part (a partition without a leader)."""
        return Aim((), str(self.target)) if self._is_left_out(cluster) else self.target.find(cluster)

    def _is_left_out(self, cluster: Cluster) -> bool:
        return self.optional and cluster.is_borrowed

    def fire(self, cluster: Cluster) -> Firing:
        """Do it now, whatever the trigger; return when it is done.

        Raises:
            InvalidArgument: there is no such broker, topic or partition.
            NotRunning: the target is not in a state for that, or nobody plays that part now.
            UnsupportedByBackend: this kind of cluster cannot do it.
        """
        self.check(cluster)
        aim = self.find(cluster)
        if aim is None:
            raise NotRunning(f"cannot {self.action.describe(str(self.target))}: there is none now; try again later.")
        firing = self.aimed(cluster, aim)
        try:
            firing.fire()
        except BaseException:  # of several targets some may be hit already
            firing.undo()
            raise
        if firing.recovers_itself:
            firing.wait_undone()
        return firing

    def aimed(self, cluster: Cluster, aim: Aim) -> Firing:
        """Return the firing at ``aim`` that has not been fired yet."""
        return Firing(self._action_on(cluster), cluster, aim, recovers_itself=True)

    def _action_on(self, cluster: Cluster) -> Action:
        return LeftOut(self.action) if self._is_left_out(cluster) else self.action

    def __str__(self) -> str:
        return f"{self.action.describe(str(self.target))} {self.trigger}"


@dataclass(frozen=True)
class RecoverableFault(Fault):
    """A fault that lasts until it is undone.

    Attributes:
        lasts: seconds until the schedule undoes it; None for its end.
    """

    lasts: float | None = None

    def undo_after(self, seconds: float) -> Self:
        """Undo it so long after it has fired; without this, when the schedule ends."""
        return replace(self, lasts=checked_seconds("undo_after", seconds))

    @contextmanager
    def on(self, cluster: Cluster) -> Iterator[Firing]:
        """Fire now, and undo at the end of the block, whatever ends it.

        Raises:
            what :meth:`fire` raises.
        """
        firing = self.fire(cluster)
        try:
            yield firing
        finally:
            firing.undo()

    def aimed(self, cluster: Cluster, aim: Aim) -> Firing:
        return Firing(self._action_on(cluster), cluster, aim, lasts=self.lasts)

    def __str__(self) -> str:
        return super().__str__() + (f", undone {self.lasts:g} s later" if self.lasts is not None else "")


def kill(target: object) -> RecoverableFault:
    """Kill (SIGKILL), as a power cut would; undone by starting again.

    Args:
        target: a broker's id, :func:`leader`, :func:`followers`, :func:`controller`, or a list of these.
    """
    return RecoverableFault(Kill(), as_target(target))


def stop(target: object) -> RecoverableFault:
    """Stop in good order (SIGTERM: leaders move away first); undone by starting again. Target: see :func:`kill`."""
    return RecoverableFault(Stop(), as_target(target))


def pause(target: object) -> RecoverableFault:
    """Freeze (SIGSTOP): connections stay open, nothing is answered; undone by resuming. Target: see :func:`kill`."""
    return RecoverableFault(Pause(), as_target(target))


def restart(target: object, *, graceful: bool = True) -> Fault:
    """Stop, or kill where not ``graceful``, and start again at once; over by itself. Target: see :func:`kill`."""
    return Fault(Restart(graceful), as_target(target))


def isolate(target: object, from_: str = "all") -> RecoverableFault:
    """Cut the network of a node, as a pulled cable would; undone by reconnecting.

    Args:
        target: see :func:`kill`.
        from_: ``"peers"`` (brokers and controllers), ``"clients"``, or ``"all"``.
    """
    return RecoverableFault(Isolate(checked_whom(from_)), as_target(target))


def slow(target: object, latency_ms: float, bytes_per_second: float | None = None) -> RecoverableFault:
    """Make the network of a node slow; undone by full speed.

    Args:
        target: see :func:`kill`.
        latency_ms: what every round trip takes longer.
        bytes_per_second: of each connection in each direction; by default without limit.
    """
    return RecoverableFault(Slow(checked_latency(latency_ms), checked_speed(bytes_per_second)), as_target(target))
