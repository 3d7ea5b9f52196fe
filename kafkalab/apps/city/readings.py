"""What all who read sensors share: a reading counts once, in the window of its event time, while that is open."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from kafkalab.apps.merge import Received
from kafkalab.apps.output import Output
from kafkalab.apps.task import HOUR_MS, MINUTE_MS, Task

__all__ = ["MOST_LATE_MS", "ReadingTask", "TooLate"]

#: Allowed lateness for who wants (nearly) every reading: half an hour and an outage's rest.
MOST_LATE_MS = 40 * MINUTE_MS
_SEEN = ""  # no sensor and no district has this name


@dataclass(frozen=True, slots=True)
class TooLate(Output):
    """A reading whose window was closed; ``time_ms`` is when it came.

    It may be a duplicate of one that came in time: what was in a closed window is forgotten.

    Attributes:
        sensor_id: whose reading.
        measured_ms: its event time.
    """

    key: ClassVar = "sensor_id"
    sensor_id: str
    measured_ms: int


class ReadingTask(Task):
    """Counts each reading of a sensor once, by the time it was measured.

    A sensor that gets no acknowledgement sends again: the same reading is then two records, at two offsets, and only
    the sensor and the time of measuring tell that they are one. A reading is late when it comes after newer ones; its
    window takes it until ``lateness_ms`` after its end. The merge is by the time of sending, so that whether a reading
    is too late hangs on the reading alone and not on how partitions interleave.
    """

    window_ms: ClassVar[int] = HOUR_MS

    def window_of(self, record: Received, now_ms: int) -> dict[str, Any] | None:
        """Return the window that a reading belongs to; None where it is too late, or was there before."""
        value = record.value
        measured, sensor = value["measured_ms"], value["sensor_id"]
        window = self.window(measured, now_ms)
        if window is None:
            self.give(TooLate(now_ms, sensor, measured))
            return None
        seen = window.get(_SEEN)
        if seen is None:
            seen = window[_SEEN] = {}
        name = f"{sensor} {measured}"
        if name in seen:
            return None
        seen[name] = 1
        return window

    def close(self, start_ms: int, window: Mapping[str, Any]) -> None:
        self.sum_up(start_ms, {name: gathered for name, gathered in window.items() if name != _SEEN})

    @abstractmethod
    def sum_up(self, start_ms: int, window: dict[str, Any]) -> None:
        """Look at what was gathered in a window that is closed."""
