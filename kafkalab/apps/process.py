"""The process of one application, as its owner sees it: what it is told, and how far it says it is."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from kafkalab.apps.figures import Figures, Steps
from kafkalab.traffic.child import Child
from kafkalab.traffic.frontier import Settled

__all__ = ["Ends", "Process"]

Ends = Mapping[tuple[str, int], int]
_END_SECONDS = 5.0


class Process(threading.Thread):
    """Starts the process with the thread, and hears how far it is.

    Args:
        name: of the application.
        settings: see :mod:`kafkalab.apps.member`.
        starts: by real topic and partition the first offset to read.

    Attributes:
        group: its consumer group, by its real name.
        steps: how far it is in each partition.
        ready: whether it has its partitions.
        finished: whether it has worked on all there is.
        error: why it ended by itself; "" where it did not.
    """

    def __init__(self, name: str, settings: Mapping[str, Any], starts: Ends) -> None:
        super().__init__(name=name, daemon=True)
        self.group: str = settings["group"]
        self.steps = {place: Steps(start) for place, start in starts.items()}
        self.ready = self.finished = False
        self.error = ""
        self._places = list(starts)
        self._topics: Mapping[str, str] = settings["topics"]
        self._promised = [place for place in starts if self._topics[place[0]] not in settings["derived"]]
        self._settings = settings
        self._told: dict[str, Any] = {}
        self._ending = False
        self._child: Child | None = None

    @property
    def read(self) -> int:
        """How many records it has read."""
        return int(self._told.get("read", 0))

    def start(self) -> None:
        """Start the process, too."""
        self._child = Child("kafkalab.apps.member", self._settings)
        super().start()

    def run(self) -> None:
        """Listen until the process ends."""
        assert self._child is not None
        for lines in self._child.heard():
            for line in lines:
                self._take(line)
        code = self._child.wait()
        if not self.finished and not self._ending and not self.error:
            self.error = f"{signal.Signals(-code).name}." if code < 0 else f"exit code {code}."

    def _take(self, line: bytes) -> None:
        if line.startswith(b"!"):
            self.error = line[1:].decode(errors="replace")
            return
        told = json.loads(line)
        if "ready" in told:
            self.ready = True
            return
        for index, count, at in told.pop("steps"):
            self.steps[self._places[index]].add(count, at)
        self._told = told
        self.finished = told["finished"]

    def promise(self, settled: Settled) -> None:
        """Tell it how far the run is, in those of its topics that the run sends to."""
        self._say(settled.ends, self._promised, finish=False, time_ms=settled.time_ms)

    def finish(self, ends: Ends) -> None:
        """Tell it that nothing comes behind these offsets."""
        self._say(ends, self._places, finish=True)

    def _say(self, ends: Ends, places: Iterable[tuple[str, int]], **more: Any) -> None:
        known = [(self._topics[place[0]], place[1], ends.get(place, self.steps[place].start)) for place in places]
        if self._child is not None:
            self._child.tell({"ends": known, **more})

    def look(self, latency: Mapping[str, float], ends: Ends | None) -> Figures:
        """Return how far it is; ``ends`` are those of its topics, None where they are not known."""
        return Figures(
            self.name,
            self.group,
            processed=sum(each.count for each in self.steps.values()),
            stored=None if ends is None else sum(ends[place] - each.start for place, each in self.steps.items()),
            latency=latency,
            last_at=np.fmax.reduce([each.last_at for each in self.steps.values()]),
            **self._told,
        )

    def release(self) -> None:
        """Tell it to end."""
        self._ending = True
        if self._child is not None:
            self._child.release()

    def end(self) -> None:
        """Return when it has ended."""
        if self._child is not None:
            self._child.end()
            self.join(_END_SECONDS)
