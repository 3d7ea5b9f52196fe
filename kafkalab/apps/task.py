"""The base of every application: what it reads, what it waits for, what it remembers, what it gives out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

import orjson

from kafkalab.apps.merge import Received
from kafkalab.apps.output import Output
from kafkalab.apps.windows import Windows

__all__ = ["HOUR_MS", "MINUTE_MS", "Task", "Together"]

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
Together = Literal["input", "partition", "all"]


class Task(ABC):
    """An application's work on the records that have to be seen together; as a task of Kafka Streams.

    It is given records in event-time order (:class:`~kafkalab.apps.merge.Merge`), knows no clock but theirs, draws no
    random numbers, and keeps a bounded memory: so the same records have the same outputs.
    :class:`~kafkalab.apps.application.Application` runs as many tasks as the inputs ask for.

    Attributes:
        reads: names of topics.
        gives: kinds of outputs.
        together: what one task has to see, and so to wait for: each ``input`` (a topic's partition) by itself, the
            same ``partition`` of all topics (they need the same key and number of partitions), or ``all`` of them.
            All but ``all`` may be spread over the members of a consumer group.
        window_ms, lateness_ms: of :attr:`windows`.
        windows: what is gathered for each window of event time.
        memory: for each key what outlives a window; JSON-able.
        too_late: how many readings came when their window was closed.
    """

    reads: ClassVar[tuple[str, ...]]
    gives: ClassVar[tuple[type[Output], ...]]
    together: ClassVar[Together]
    window_ms: ClassVar[int] = MINUTE_MS
    lateness_ms: ClassVar[int] = 0

    def __init__(self) -> None:
        self.windows = Windows(self.window_ms, self.lateness_ms)
        self.memory: dict[str, Any] = {}
        self.too_late = 0
        self._outputs: list[Output] = []
        self.give = self._outputs.append

    @abstractmethod
    def take(self, record: Received, now_ms: int) -> None:
        """Look at the next record; ``now_ms`` is stream time, the record's own unless it is late."""

    def close(self, start_ms: int, window: Mapping[str, Any]) -> None:  # noqa: B027 - not every task has windows
        """Look at a window that stream time has passed."""

    @classmethod
    def writes(cls) -> list[str]:
        """Return the topics of its outputs."""
        return [kind.topic for kind in cls.gives if kind.topic is not None]

    def window(self, event_ms: int, now_ms: int) -> dict[str, Any] | None:
        """Return the window of this moment, see :meth:`Windows.at`; None, and counted, where it is too late for it."""
        window = self.windows.at(event_ms, now_ms)
        if window is None:
            self.too_late += 1
        return window

    def run(self, records: Iterable[tuple[int, Received]], watermark_ms: int) -> list[Output]:
        """Take records with their times, in order; return the outputs, of windows before the watermark, too.

        A window is closed before the first record behind it, so that it does not matter how records are batched.
        """
        windows, take = self.windows, self.take
        for now, record in records:
            if now >= windows.due:
                self._close(now)
            take(record, now)
        if watermark_ms >= windows.due:
            self._close(watermark_ms)
        outputs = self._outputs.copy()
        self._outputs.clear()
        return outputs

    def _close(self, now_ms: int) -> None:
        for start, window in self.windows.close(now_ms):
            self.close(start, window)

    def state(self) -> dict[str, Any]:
        """Return what the task remembers, JSON-able; it shares nothing with the task."""
        kept = {"windows": self.windows.state(), "memory": self.memory, "too_late": self.too_late}
        copy: dict[str, Any] = orjson.loads(orjson.dumps(kept))
        return copy

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        copy = orjson.loads(orjson.dumps(state))
        self.windows.restore(copy["windows"])
        self.memory, self.too_late = copy["memory"], copy["too_late"]
