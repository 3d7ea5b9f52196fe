"""Tumbling windows of event time, kept until stream time has passed them, then given out and dropped."""

from __future__ import annotations

from typing import Any

from kafkalab.apps.merge import END_OF_TIME

__all__ = ["Windows"]


class Windows:
    """Windows of one size, each with something for every key that was seen in it.

    A window is closed when stream time, the time of the record that is looked at, is at or past its end and
    ``lateness_ms`` more ("allowed lateness" in "The Dataflow Model", the grace period of Kafka Streams, KIP-328).
    What comes for it then is too late.

    Args:
        size_ms: windows begin at whole multiples of it since 1970 (UTC).
        lateness_ms: for so long after its end a window takes what is measured in it.

    Attributes:
        due: stream time at which the next open window is to be closed.
    """

    def __init__(self, size_ms: int, lateness_ms: int = 0) -> None:
        self._size = size_ms
        self._hold = size_ms + lateness_ms
        self._open: dict[int, dict[str, Any]] = {}
        self.due = END_OF_TIME

    def at(self, event_ms: int, now_ms: int) -> dict[str, Any] | None:
        """Return what the window of this moment has for each key, to be changed in place; None if it is closed.

        Values have to be JSON-able, and no text key may be a number's.

        Args:
            event_ms: the moment, in event time.
            now_ms: stream time.
        """
        start = event_ms - event_ms % self._size
        window = self._open.get(start)
        if window is None and now_ms < start + self._hold:
            window = self._open[start] = {}
            self.due = min(self.due, start + self._hold)
        return window

    def close(self, now_ms: int) -> list[tuple[int, dict[str, Any]]]:
        """Drop the windows that stream time has passed; return them in order: begin, and what each key has."""
        past = sorted(start for start in self._open if start + self._hold <= now_ms)
        closed = [(start, self._open.pop(start)) for start in past]
        self.due = min(self._open) + self._hold if self._open else END_OF_TIME
        return closed

    def state(self) -> list[Any]:
        """Return the open windows, JSON-able."""
        return [[start, window] for start, window in self._open.items()]

    def restore(self, state: list[Any]) -> None:
        """Go on from a state."""
        self._open = {start: dict(window) for start, window in state}
        self.due = min(self._open) + self._hold if self._open else END_OF_TIME
