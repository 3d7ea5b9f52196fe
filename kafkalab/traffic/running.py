"""A run: traffic while it flows, and in figures afterwards."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from kafkalab.clusters import Cluster
from kafkalab.errors import KafkalabError, TrafficFailed, WaitTimeout
from kafkalab.ledger import Ledger
from kafkalab.traffic import tables
from kafkalab.traffic.asked import Asked, Observation
from kafkalab.traffic.conducting import Conductor
from kafkalab.traffic.frontier import Settled
from kafkalab.traffic.group import members_frame

__all__ = ["Run"]

_LOOK_SECONDS = 0.2
_STOP_SECONDS = 30.0


class Run:
    """Traffic that was started; made by :func:`kafkalab.traffic.start`.

    As a context manager it stops the traffic at the end of the block. Times are ``time.monotonic()`` seconds.

    Attributes:
        ledger: what was sent and acknowledged so far; ``run.ledger.verify(cluster)`` gives the verdict.
    """

    def __init__(self, cluster: Cluster, asked: Asked, ledger: Ledger, *, progress: bool | None) -> None:
        self.ledger = ledger
        self._conductor = Conductor(cluster, asked, ledger, progress=progress)
        self._thread = threading.Thread(target=self._conduct, name="kafkalab-traffic", daemon=True)
        # Not the thread itself is waited for: Ctrl-C during its join() makes Python 3.11 take it for ended.
        self._ended = threading.Event()

    def _start(self) -> None:
        self._conductor.prepare()
        self._thread.start()

    def _conduct(self) -> None:
        try:
            self._conductor.conduct()
        finally:
            self._ended.set()

    # ---- while it runs ----------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether it still sends, or waits for outcomes."""
        return not self._ended.is_set()

    @property
    def topics(self) -> dict[str, str]:
        """The real name of each topic in use, by the name that the records carry."""
        return self._conductor.topics.names

    def observe(self) -> Observation:
        """Return how it goes: elapsed seconds, records sent and acknowledged."""
        return self._conductor.observe()

    def settled(self) -> Settled:
        """Return how far all outcomes are known, as a simulated time and offsets; for one thread at a time."""
        return self._conductor.frontier.look()

    def wait(self, timeout: float | None = None) -> Self:
        """Return this run when it has ended.

        Args:
            timeout: seconds to wait at most; None for as long as it takes.

        Raises:
            TrafficFailed: it could not go on; the error's ``run`` is this run, whose ledger stands.
            WaitTimeout: it still runs.
        """
        limit = None if timeout is None else time.monotonic() + timeout
        while self.running:
            left = _LOOK_SECONDS if limit is None else min(_LOOK_SECONDS, limit - time.monotonic())
            if left <= 0:
                seen = self.observe()
                raise WaitTimeout(f"the traffic still runs after {timeout:g} s: stop() it, or wait longer.", seen)
            self._ended.wait(left)
        self._raise()
        return self

    def stop(self, timeout: float = _STOP_SECONDS) -> Self:
        """Send no more, wait for the outcomes of what was sent, and return this run. May be called again.

        Args:
            timeout: seconds after which what has no outcome yet is left unknown.

        Raises:
            TrafficFailed: it had failed before.
        """
        self._end(timeout)
        self._raise()
        return self

    def _end(self, timeout: float = _STOP_SECONDS) -> None:
        self._conductor.signals.halt.set()
        self._ended.wait(timeout)
        self._conductor.signals.abandon.set()
        self._ended.wait()

    def _raise(self) -> None:
        error = self._conductor.error
        if isinstance(error, TrafficFailed):
            raise TrafficFailed(str(error), self) from error
        if isinstance(error, KafkalabError) or (error is not None and not isinstance(error, Exception)):
            raise error
        if error is not None:
            raise TrafficFailed(f"the traffic ended by {type(error).__name__}: {error}", self) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        if kind is None:
            self._raise()

    # ---- in figures -------------------------------------------------------------------------------------------

    @property
    def elapsed(self) -> float:
        """Seconds from the start to the last outcome, or until now."""
        return self._conductor.observe().elapsed

    @property
    def rate(self) -> float:
        """Records acknowledged per second, from the start to the last acknowledgement; 0 where there is none."""
        acknowledged_at = self._acknowledgements()["acknowledged_at"]
        seconds = acknowledged_at.max() - self._conductor.started if len(acknowledged_at) else 0.0
        return len(acknowledged_at) / seconds if seconds > 0 else 0.0

    def throughput(self, every: float = 1.0) -> pd.DataFrame:
        """Return one row per interval: second (float64, its begin), sent, acknowledged (int64, records).

        Args:
            every: length of an interval in seconds.

        Raises:
            InvalidArgument: it is not above 0.
        """
        acknowledged_at = self._times("acknowledged_at")
        return tables.throughput(self.ledger.sent_times(), acknowledged_at, self._conductor.started, every)

    def latency(self, every: float = 1.0) -> pd.DataFrame:
        """Return one row per interval with acknowledgements: second, p50_ms, p95_ms, p99_ms, max_ms (float64).

        A latency is the time from handing a record to the client until its acknowledgement is seen.

        Args:
            every: length of an interval in seconds.

        Raises:
            InvalidArgument: it is not above 0.
        """
        frame = self._acknowledgements()
        sent_at, acknowledged_at = frame["sent_at"].to_numpy(), frame["acknowledged_at"].to_numpy()
        return tables.latency(sent_at, acknowledged_at, self._conductor.started, every)

    def latency_percentiles(self) -> dict[str, float]:
        """Return p50_ms, p95_ms, p99_ms, max_ms of all acknowledged records; NaN where there is none."""
        return tables.latency_percentiles(self.ledger.latencies())

    def gaps(self) -> float:
        """Return the longest time in seconds without an acknowledgement; NaN with fewer than two of them."""
        return tables.longest_gap(self._times("acknowledged_at"))

    def members(self) -> pd.DataFrame:
        """Return one row per group consumer: group (str), member, records, crashes, restarts (int64)."""
        return members_frame(self._conductor.groups)

    def _acknowledgements(self) -> pd.DataFrame:
        return self.ledger.acknowledgements()

    def _times(self, column: str) -> npt.NDArray[np.float64]:
        times: npt.NDArray[np.float64] = self._acknowledgements()[column].to_numpy()
        return times

    def __repr__(self) -> str:
        state = "running" if self.running else "failed" if self._conductor.error else "ended"
        counts: Any = self.ledger.counts
        return f"<traffic, {state}: {counts.sent} records sent, {counts.acknowledged} acknowledged>"
