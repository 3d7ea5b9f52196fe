"""A run to watch: a live table on a terminal, plain lines elsewhere; both on standard error."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from abc import ABC, abstractmethod
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

from kafkalab.apps.runner import Applications
from kafkalab.cli.chronicle import Entry, chronicle
from kafkalab.cli.experiment import Experiment
from kafkalab.cli.meters import Meter, Readers
from kafkalab.cli.sight import Sight, look
from kafkalab.errors import NotRunning
from kafkalab.observe.looking import PartitionSeen
from kafkalab.traffic import Run

if TYPE_CHECKING:
    from rich.console import Group

    from kafkalab import Cluster

__all__ = ["LiveTable", "PlainLines", "Show", "show_of"]

_PER_SECOND = 2
_LOOK_SECONDS = 0.3
_END_SECONDS = 10.0


class Show(ABC):
    """Shows one run from entering to leaving.

    Args:
        run: the traffic.
        experiment: what was asked for.
        began: when, in ``time.monotonic()`` seconds.
    """

    def __init__(self, run: Run, experiment: Experiment, began: float) -> None:
        self._run = run
        self._experiment = experiment
        self._began = began

    def _entries(self) -> list[Entry]:
        kind = self._experiment.kind
        return chronicle(self._experiment.schedule.firings, self._began, kind) if kind else []

    @abstractmethod
    def look(self) -> None:
        """Show what is new; called several times a second."""

    @abstractmethod
    def say(self, sentence: str) -> None:
        """Show a sentence."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.look()


class PlainLines(Show):
    """A line for each thing that happens."""

    def __init__(self, run: Run, experiment: Experiment, began: float) -> None:
        super().__init__(run, experiment, began)
        self._told: set[str] = set()

    def look(self) -> None:
        """Print what has happened since the last look."""
        for entry in self._entries():
            # Once, though the time of a firing is known exactly only when it is complete.
            if entry.text not in self._told:
                self._told.add(entry.text)
                self.say(str(entry))

    def say(self, sentence: str) -> None:
        """Print a sentence."""
        click.echo(sentence, err=True)


class LiveTable(Show):
    """A table that is drawn anew twice a second, and taken away at the end.

    Args:
        cluster: where the run goes.
        applications: that read it.
        run, experiment, began: see :class:`Show`.
    """

    def __init__(
        self, cluster: Cluster, applications: Applications, run: Run, experiment: Experiment, began: float
    ) -> None:
        from rich.console import Console
        from rich.live import Live

        super().__init__(run, experiment, began)
        self._cluster = cluster
        self._sight = Sight()
        self._sentence = ""
        self._meter = Meter(run)
        self._readers = Readers(applications, run.ledger)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look_at_cluster, name="kafkalab-show", daemon=True)
        console = Console(stderr=True, highlight=False)
        self._live = Live(get_renderable=self._draw, console=console, refresh_per_second=_PER_SECOND, transient=True)

    def look(self) -> None:
        """Do nothing: it shows itself."""

    def say(self, sentence: str) -> None:
        """Show a sentence below the table."""
        self._sentence = sentence

    def __enter__(self) -> Self:
        self._thread.start()
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The terminal first: whatever comes then, it has its cursor back.
        self._live.stop()
        self._ended.set()
        self._thread.join(_END_SECONDS)

    def _look_at_cluster(self) -> None:
        # In a thread of its own: a broker frozen while it is asked keeps the question waiting; the counts should go on.
        with contextlib.suppress(NotRunning):
            while not self._ended.wait(_LOOK_SECONDS if self._sight.nodes else 0):
                self._sight = look(self._cluster, list(self._run.topics.values()), self._sight)

    def _draw(self) -> Group:
        from kafkalab.cli.drawing import Frame, draw

        traffic, experiment, sight = self._run.observe(), self._experiment, self._sight
        self._meter.look(traffic.elapsed, traffic.acknowledged)
        self._readers.look()
        return draw(
            Frame(
                title=str(experiment),
                records=experiment.records,
                done=traffic.sent if experiment.acks == "0" else traffic.acknowledged,
                elapsed=traffic.elapsed,
                sent=traffic.sent,
                acknowledged=traffic.acknowledged,
                speeds=self._meter.speeds,
                latency=self._meter.latency,
                readers=self._readers.rows,
                nodes=sight.nodes,
                partitions=sight.partitions,
                seen_ago=0.0 if sight.answered_at is None else time.monotonic() - sight.answered_at,
                watched=self._watched(sight),
                entries=self._entries(),
                coming=experiment.coming,
                sentence=self._sentence,
            )
        )

    def _watched(self, sight: Sight) -> PartitionSeen | None:
        target = self._experiment.target
        found = (each for each in sight.partitions if (each.topic, each.partition) == target)
        return next(found, None)


def show_of(cluster: Cluster, applications: Applications, run: Run, experiment: Experiment, began: float) -> Show:
    """Return what shows a run: a live table where standard error is a terminal, else plain lines."""
    if sys.stderr.isatty():
        return LiveTable(cluster, applications, run, experiment, began)
    return PlainLines(run, experiment, began)
