"""Faults on a schedule: one thread that fires them, undoes them, and notes what the cluster saw."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pandas as pd

from kafkalab.clusters import Cluster
from kafkalab.errors import InvalidArgument, KafkalabError, NotRunning
from kafkalab.faults import display
from kafkalab.faults.fault import Fault
from kafkalab.faults.firing import Firing
from kafkalab.faults.targets import is_over
from kafkalab.faults.triggers import Progress

__all__ = ["Schedule"]

_STEP_SECONDS = 0.005
_LOOK_SECONDS = 0.05


class Schedule:
    """Faults, and what became of them.

    Args:
        faults: each fires by its own trigger; those due at the same moment fire in this order.

    Attributes:
        faults: the same.
        firings: of the last run, in the order of firing; the list grows while it runs.

    Raises:
        InvalidArgument: something is no fault.
    """

    def __init__(self, *faults: Fault) -> None:
        for fault in faults:
            if not isinstance(fault, Fault):
                raise InvalidArgument(f"{fault!r} is no fault: make one with faults.kill(...), faults.pause(...), ...")
        self.faults = faults
        self.firings: list[Firing] = []
        self.began_at = 0.0
        self._run: _Run | None = None

    def check(self, cluster: Cluster) -> None:
        """Find out, before anything starts, what cannot be.

        Raises:
            InvalidArgument: there is no such broker, topic or partition.
            UnsupportedByBackend: this kind of cluster cannot do it.
        """
        for fault in self.faults:
            fault.check(cluster)

    @contextmanager
    def running(self, cluster: Cluster, observe: Callable[[], Progress]) -> Iterator[Schedule]:
        """Run the schedule in a thread until the end of the block; then undo everything, whatever ended it.

        Times count from entering. What is due at once has fired when the block begins. After the block every
        broker that was hit runs and is known to all the others.

        Args:
            cluster: to break.
            observe: returns how far the traffic is; called some 200 times a second, from the thread.

        Raises:
            InvalidArgument: a fault that cannot be, as in :meth:`check`; nothing was started.
            NotRunning: this schedule runs already.
            KafkalabError: something could not be undone, or the thread failed; raised at the end of the block.
        """
        if self._run is not None:
            raise NotRunning("this schedule runs already: wait for its end, or make another of the same faults.")
        self.check(cluster)
        self.firings, self.began_at = [], time.monotonic()
        self._run = _Run(self.faults, cluster, observe, self.firings, self.began_at)
        try:
            with self._run:
                yield self
        finally:
            self._run = None

    def frame(self) -> pd.DataFrame:
        """Return one row per firing of the last run, in the order of firing.

        Columns: fault (str), targets (tuple of ids), fired, done, undo, undone, in_sync (float64, seconds from the
        beginning, NaN where it did not come to that: ``at``, ``done_at``, ``undo_at``, ``undone_at`` and
        ``in_sync_at`` of :class:`Firing`), seen (float64, seconds from the firing until all other brokers saw it),
        leader (Int64), isr (tuple of ids or None), sent, acknowledged (Int64, records at the firing), error (str or
        None).
        """
        return display.as_frame(self.firings, self.began_at)

    def __repr__(self) -> str:
        return display.as_text(self._title(), self.firings, self.began_at)

    def _repr_html_(self) -> str:
        return display.as_html(self._title(), self.firings, self.began_at)

    def _title(self) -> str:
        return "Faults: " + ("; ".join(map(str, self.faults)) or "none")


@dataclass
class _Plan:
    """A fault, when its condition was met, and how often it has fired."""

    fault: Fault
    met_at: float | None = None
    fired: int = 0

    def is_due(self, now: float, progress: Progress) -> bool:
        trigger = self.fault.trigger
        if self.fired == trigger.times:
            return False
        if self.met_at is None and trigger.is_met(progress):
            self.met_at = now
        return self.met_at is not None and now - self.met_at >= trigger.seconds(self.fired)


class _Run:
    """One run of a schedule: enter to start, leave to undo everything."""

    def __init__(
        self,
        faults: tuple[Fault, ...],
        cluster: Cluster,
        observe: Callable[[], Progress],
        firings: list[Firing],
        began_at: float,
    ) -> None:
        self._plans = [_Plan(fault, began_at if fault.trigger.is_unconditional else None) for fault in faults]
        self._cluster = cluster
        self._observe = observe
        self._firings = firings
        self._looked_at = 0.0
        self._error: BaseException | None = None
        self._stop = threading.Event()
        # A daemon: a block that never ends must not keep Python from ending.
        self._thread = threading.Thread(target=self._work, name="kafkalab-faults", daemon=True)

    def __enter__(self) -> None:
        try:
            self._step()
            self._thread.start()
        except BaseException:
            self._undo_all()
            raise

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            self._finish()
        except KafkalabError as also:
            if error is None:
                raise
            error.add_note(f"Besides, {also}")

    def _finish(self) -> None:
        with ExitStack() as stack:
            stack.callback(self._undo_all)
            self._stop.set()
            self._thread.join()
        if self._error is not None:
            raise self._error

    def _undo_all(self) -> None:
        with ExitStack() as stack:  # runs backwards: first all are mended, the last hit first; then all are waited for
            for firing in self._firings:
                stack.callback(firing.wait_undone)
            for firing in self._firings:
                stack.callback(firing.begin_undo)

    def _work(self) -> None:
        try:
            while not self._stop.wait(_STEP_SECONDS):
                self._step()
        except BaseException as error:  # noqa: BLE001 - raised again at the end of the block
            self._error = None if is_over(self._cluster) else error

    def _step(self) -> None:
        progress = self._observe()
        for plan in self._plans:
            if plan.is_due(time.monotonic(), progress):
                self._fire(plan, progress)
        for firing in self._firings:
            if firing.is_due_for_undo:
                firing.begin_undo()
        self._look()

    def _fire(self, plan: _Plan, progress: Progress) -> None:
        aim = plan.fault.find(self._cluster)
        if aim is None:  # a partition between two leaders: it will have one
            return
        plan.fired += 1
        firing = plan.fault.aimed(self._cluster, aim)
        firing.sent, firing.acknowledged = progress.sent, progress.acknowledged
        self._firings.append(firing)
        try:
            firing.fire()
        except KafkalabError as error:
            firing.error = str(error)

    def _look(self) -> None:
        now = time.monotonic()
        waiting = [firing for firing in self._firings if not firing.is_settled]
        if not waiting or now - self._looked_at < _LOOK_SECONDS:
            return
        self._looked_at = now
        views = self._cluster.broker_views(sorted({f.partition[0] for f in waiting if f.partition}))
        for firing in waiting:
            firing.look(views)
