"""What went on in a cluster while something else was done: leaders, in-sync replicas, assignments and lag over time.

Each of these is asked in a thread of its own over a connection of its own, so that a dead coordinator leaves no hole
in the story of the leaders. Where nobody answers there is no sample; the next one comes when somebody does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol, Self

import pandas as pd
from kafka.errors import KafkaError

from kafkalab import Cluster
from kafkalab.clusters import members, tables
from kafkalab.clusters.admin import PatientAdmin
from kafkalab.errors import InvalidArgument, KafkalabError

__all__ = ["FiredFaults", "Timeline", "watch"]

# A paused broker takes a request and never answers: the next sample should come from another one soon. But a broker of
# a machine that is very busy takes a second.
_REQUEST_MS = 1500
_PATIENCE_SECONDS = 4.0
_FAULTS = {"fault": "str", "fired": "float64", "undone": "float64"}
_COLUMNS: Mapping[str, dict[str, str]] = {
    "isr": {"topic": "str", "partition": "int64", "leader": "int64", "replicas": "object", "isr": "object"},
    "assignments": {"state": "str", "member": "str", "topic": "str", "partition": "int64"},
    "lag": {"topic": "str", "partition": "int64", "committed": "int64", "end": "int64", "lag": "int64"},
}
_NOBODY = ("", "", -1)
_Rows = list[tuple[Any, ...]]


class FiredFaults(Protocol):
    """What is marked in a picture: a :class:`kafkalab.faults.Schedule` that ran."""

    @property
    def began_at(self) -> float:
        """When it began, of ``time.monotonic()``."""

    def frame(self) -> pd.DataFrame:
        """Return fault, fired, undone and more, in seconds from its beginning."""


class Timeline:
    """What :func:`watch` saw; read it at any time, also while it goes on.

    Seconds count from the start of the watch.

    Attributes:
        started_at: that start, of ``time.monotonic()``.
    """

    def __init__(self, samplers: Mapping[str, _Sampler]) -> None:
        self.started_at = time.monotonic()
        self._samplers = samplers
        self._marks: list[tuple[str, float]] = []

    def isr(self) -> pd.DataFrame:
        """Return second (float64), topic (str), partition, leader (int64; -1 for none), replicas, isr (tuples of ids).

        One row per sample and partition.

        Raises:
            InvalidArgument: no topic was watched.
        """
        return self._frame("isr", "topic")

    def assignments(self) -> pd.DataFrame:
        """Return second (float64), state, member, topic (str), partition (int64).

        One row per sample and partition that is read. A member without partitions has a row with topic "" and
        partition -1, and so has a group without members, with member "". While the group rebalances (its state is
        not ``Stable``), the coordinator still tells what they read before. A member keeps its name; one that
        comes back takes the name its like has left.

        Raises:
            InvalidArgument: no group was watched, or there was no such group all the time.
        """
        return self._frame("assignments", "group")

    def lag(self) -> pd.DataFrame:
        """Return second (float64), topic (str), partition, committed, end, lag (int64, records).

        One row per sample and partition that the group has committed.

        Raises:
            InvalidArgument: no group was watched, or there was no such group all the time.
        """
        return self._frame("lag", "group")

    def mark(self, name: str) -> None:
        """Note that something was done just now: it will be marked in the pictures."""
        self._marks.append((name, time.monotonic() - self.started_at))

    def faults(self, fired: FiredFaults | None = None) -> pd.DataFrame:
        """Return what to mark in a picture: fault (str), fired, undone (float64, seconds; NaN for not), in order.

        Args:
            fired: a schedule of faults, on whose clock the watch's is put; besides what :meth:`mark` noted.
        """
        frame = pd.DataFrame([(*mark, float("nan")) for mark in self._marks], columns=list(_FAULTS))
        if fired is not None:
            theirs = fired.frame()[list(_FAULTS)]
            theirs[["fired", "undone"]] += fired.began_at - self.started_at
            frame = pd.concat([frame, theirs]) if len(frame) else theirs
        return frame.astype(_FAULTS).sort_values("fired", kind="stable", ignore_index=True)

    def _frame(self, what: str, argument: str) -> pd.DataFrame:
        if what not in self._samplers:
            raise InvalidArgument(f"{what} were not watched: give watch() a {argument}= to watch.")
        return self._samplers[what].frame(self.started_at, _COLUMNS[what])


class _Sampler:
    """Asks one question again and again, in a thread of its own, and keeps the answers."""

    def __init__(self, admin: PatientAdmin, question: Callable[[Any], _Rows], every: float) -> None:
        self._admin = admin
        self._question = question
        self._every = every
        self._samples: list[tuple[float, _Rows]] = []
        self._refusal: InvalidArgument | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kafkalab-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._admin.close()

    def _run(self) -> None:
        while True:
            begun = time.monotonic()
            self._sample()
            if self._done.wait(max(0.0, begun + self._every - time.monotonic())):
                self._sample()  # the last state is what a picture ends with
                return

    def _sample(self) -> None:
        try:
            rows = self._admin.ask(self._question, _PATIENCE_SECONDS)
        except InvalidArgument as error:  # no such group yet
            self._refusal = error
        except (KafkalabError, KafkaError):  # brokers die while we look; another sample will tell
            pass
        else:
            self._samples.append((time.monotonic(), rows))

    def frame(self, start: float, columns: Mapping[str, str]) -> pd.DataFrame:
        samples = list(self._samples)
        if not samples and self._refusal is not None:
            raise self._refusal
        rows = [(at - start, *row) for at, of in samples for row in of]
        return pd.DataFrame(rows, columns=["second", *columns]).astype({"second": "float64", **columns})


@contextmanager
def watch(
    cluster: Cluster, *, topic: str | None = None, group: str | None = None, every: float = 0.1
) -> Iterator[Timeline]:
    """Watch a cluster until the block ends, and return what was seen.

    .. code-block:: python

        with observe.watch(cluster, topic=orders) as seen:
            cluster.broker(2).kill()
            ...
        plots.isr_timeline(seen.isr())

    Args:
        cluster: running, of one's own or borrowed.
        topic: whose leaders and in-sync replicas to watch.
        group: whose members, assignments and lag to watch; it need not be there yet.
        every: seconds from one sample to the next.

    Raises:
        InvalidArgument: nothing to watch, no such topic, or a number that is not possible.
    """
    if not isinstance(every, int | float) or isinstance(every, bool) or not every > 0:
        raise InvalidArgument(f"every={every!r} is not possible: give a number of seconds above 0.")
    questions = _questions(topic, group)
    if topic is not None:
        cluster.partitions(topic)  # refuses a topic that is not there
    samplers = {
        what: _Sampler(cluster.patient_admin(_REQUEST_MS), question, every) for what, question in questions.items()
    }
    seen = Timeline(samplers)
    with ExitStack() as running:
        for sampler in samplers.values():
            running.enter_context(sampler)
        yield seen


def _questions(topic: str | None, group: str | None) -> dict[str, Callable[[Any], _Rows]]:
    if topic is None and group is None:
        raise InvalidArgument("there is nothing to watch: give topic=, group= or both.")
    questions: dict[str, Callable[[Any], _Rows]] = {}
    if topic is not None:
        questions["isr"] = lambda admin: _rows(tables.partitions(admin, topic), "isr")
    if group is not None:
        names = members.MemberNames()
        questions["assignments"] = lambda admin: _assignments(members.describe(admin, group), names)
        questions["lag"] = lambda admin: _rows(tables.lag(admin, group), "lag")
    return questions


def _rows(frame: pd.DataFrame, what: str) -> _Rows:
    return list(frame[list(_COLUMNS[what])].itertuples(index=False, name=None))


def _assignments(group: members.Group, names: members.MemberNames) -> _Rows:
    named = names.of(group.members)
    rows = [
        (group.state, named[member.id], *read)
        for member in group.members
        for read in member.partitions or (_NOBODY[1:],)
    ]
    return rows or [(group.state, *_NOBODY)]
