"""Promises on the progress of event time, kept until the records before them have been read."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping

from kafkalab.apps.merge import Input

__all__ = ["Promises"]


class Promises:
    """Who sends knows the time before which nothing is on its way, and how far each partition goes by then.

    A reader may rely on that for an input when it has come so far in it (:meth:`Application.advance
    <kafkalab.apps.application.Application.advance>`). So a partition that gets no record holds nobody up, without a
    look at any clock.
    """

    def __init__(self) -> None:
        self._waiting: dict[Input, deque[tuple[int, int]]] = defaultdict(deque)

    def add(self, time_ms: int, ends: Iterable[tuple[str, int, int]]) -> None:
        """Take a promise; times and ends never go back.

        Args:
            time_ms: what comes behind the ends is not before it.
            ends: topic, partition and the offset behind the last record.
        """
        for topic, partition, end in ends:
            waiting = self._waiting[topic, partition]
            if waiting and waiting[-1][0] == end:
                waiting.pop()
            waiting.append((end, time_ms))

    def due(self, reached: Mapping[Input, int]) -> Iterator[tuple[str, int, int]]:
        """Give out, and forget, what holds now: topic, partition and time of each input that came to its end.

        Args:
            reached: of each input the offset behind the last record that was read.
        """
        for given, waiting in self._waiting.items():
            time_ms = None
            while waiting and reached[given] >= waiting[0][0]:
                _, time_ms = waiting.popleft()
            if time_ms is not None:
                yield *given, time_ms
