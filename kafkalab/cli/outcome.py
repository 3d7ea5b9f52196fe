"""What came of a run: as text for whoever watched it, and as one object for a program."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kafkalab.apps.figures import Figures
from kafkalab.cli.chronicle import chronicle, firing_as_dict
from kafkalab.cli.experiment import Experiment
from kafkalab.ledger import Verdict
from kafkalab.traffic import Run

__all__ = ["Outcome"]

_PERCENTILES = ("p50", "p95", "p99", "max")
_SHOWN = _PERCENTILES[:3]
_HEADS = ("application", "records", "decisions", "fingerprint", *_SHOWN)
# Decision 0016.
_FORGETS = (
    "Records are stored twice where a retry crosses a restart: a broker that loads its log forgets idempotent "
    "producers whose last record is over a day old (producer.id.expiration.ms), and these have simulated times."
)


@dataclass(frozen=True)
class Outcome:
    """A run that has ended, and its verdict.

    Attributes:
        experiment: what was asked for.
        run: the traffic.
        verdict: on what was sent.
        began: when, in ``time.monotonic()`` seconds.
        applications: how far each that read it came.
        interrupted: whether it was told to stop before its end.
        error: what kept it from its end; None for nothing.
    """

    experiment: Experiment
    run: Run
    verdict: Verdict
    began: float
    applications: Sequence[Figures] = ()
    interrupted: bool = False
    error: str | None = None

    @property
    def latency(self) -> dict[str, float | None]:
        """The milliseconds from send to acknowledgement: p50, p95, p99 and max; None where nothing was acknowledged."""
        found = self.run.latency_percentiles()
        return {name: _known(found[f"{name}_ms"]) for name in _PERCENTILES}

    @property
    def good(self) -> bool:
        """Whether the verdict is clean, and every application worked on every stored record exactly once."""
        return self.verdict.clean and all(each.complete for each in self.applications)

    @property
    def processed_per_second(self) -> float | None:
        """Records of the run per second, from the first send until the last application had worked on the last one."""
        sent_at = self.run.ledger.sent_times()
        if not self.applications or not len(sent_at) or not all(each.finished for each in self.applications):
            return None
        seconds = max(each.last_at for each in self.applications) - sent_at.min()
        return len(sent_at) / seconds if seconds > 0 else None

    @property
    def topics(self) -> dict[str, dict[str, Any]]:
        """By the name that the source has for it, each topic's real name and the records acknowledged in it."""
        counts = self.run.ledger.acknowledgements()["topic"].value_counts()
        return {
            planned: {"name": name, "acknowledged": int(counts.get(name, 0))}
            for planned, name in self.run.topics.items()
        }

    def as_dict(self) -> dict[str, Any]:
        """Return all of it, ready for JSON: seconds of the run, latencies in ms, None for what is not known."""
        asked = self.experiment
        return {
            "scenario": asked.scenario,
            "seed": asked.seed,
            "client": asked.client,
            "producers": asked.producers,
            "acks": asked.acks,
            "records": asked.records,
            "rate": asked.pace,
            "speed": asked.speed,
            "elapsed": self.run.elapsed,
            "throughput": self.run.rate,
            "latency": self.latency,
            "longest_gap": _known(self.run.gaps()),
            "topics": self.topics,
            "consumers": self.run.members().to_dict("records"),
            "applications": [_as_dict(each) for each in self.applications],
            "processed_per_second": self.processed_per_second,
            "fault": asked.fault,
            "faults": [
                firing_as_dict(firing, self.began, self.verdict.recoveries) for firing in asked.schedule.firings
            ],
            "verdict": self._verdict(),
            "clean": self.verdict.clean,
            "verified": self.verdict.verified,
            "interrupted": self.interrupted,
            "error": self.error,
        }

    def _verdict(self) -> dict[str, Any]:
        told = self.verdict.as_dict()
        told["recoveries"] = [{**each, "at": each["at"] - self.began} for each in told["recoveries"]]
        return told

    def lines(self) -> Iterator[str]:
        """Iterate what is told before the verdict."""
        yield f"{self.experiment}: {self._how_it_ended} after {self.run.elapsed:.1f} s"
        yield ""
        yield f"throughput   {self.run.rate:,.0f} records/s acknowledged"
        yield f"latency      {self._latency_in_words()}"
        yield from self._lines_of_topics()
        yield from self._lines_of_consumers()
        yield ""
        yield from self._lines_of_applications()
        yield from self._lines_of_fault()

    @property
    def _how_it_ended(self) -> str:
        if self.interrupted:
            return "stopped"
        return "broken off" if self.error else "done"

    def _latency_in_words(self) -> str:
        known = [f"{name} {value:,.1f} ms" for name, value in self.latency.items() if value is not None]
        return ", ".join(known) or "not known: nothing was acknowledged"

    def _lines_of_topics(self) -> Iterator[str]:
        rows = [(topic["name"], f"{topic['acknowledged']:,}") for topic in self.topics.values()]
        names, numbers = (max((len(row[column]) for row in rows), default=0) for column in (0, 1))
        for index, (name, count) in enumerate(rows):
            yield f"{'' if index else 'topics':<12} {name:<{names}}  {count:>{numbers}}"

    def _lines_of_consumers(self) -> Iterator[str]:
        members = self.run.members()
        if len(members):
            read = ", ".join(f"{count:,}" for count in members["records"])
            yield f"consumers    {read} records read by {len(members)} of group {members['group'][0]}"

    def _lines_of_applications(self) -> Iterator[str]:
        if not self.applications:
            return
        rows = [_HEADS, *(_row(each) for each in self.applications)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for name, *cells in rows:
            padded = (f"{cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True))
            yield f"{name:<{widths[0]}}  {'  '.join(padded)}"
        if (speed := self.processed_per_second) is not None:
            yield f"{speed:,.0f} records/s from the first send until the last application had worked on all of them."
        for each in self.applications:
            if not each.complete:
                stored = "not known" if each.stored is None else f"{each.stored:,}"
                yield f"{each.name} has worked on {each.processed:,} records; stored in its topics: {stored}."
        yield ""

    def _lines_of_fault(self) -> Iterator[str]:
        kind = self.experiment.kind
        if kind is None:
            return
        firings = self.experiment.schedule.firings
        for entry in chronicle(firings, self.began, kind, self.verdict.recoveries):
            yield str(entry)
        if not firings:
            yield f"{self.experiment.fault} has not fired: the run ended before."
        elif not math.isnan(gap := self.run.gaps()):
            yield f"Longest time without any acknowledgement: {gap:.2f} s."
        if self.verdict.duplicated and kind.restarts:
            yield _FORGETS
        yield ""


def _row(seen: Figures) -> tuple[str, ...]:
    latency = (_known(seen.latency[f"{name}_ms"]) for name in _SHOWN)
    told = ("" if value is None else f"{value:,.1f} ms" for value in latency)
    return (seen.name, f"{seen.processed:,}", f"{seen.decided:,}", seen.fingerprint, *told)


def _as_dict(seen: Figures) -> dict[str, Any]:
    """Return an application ready for JSON: latencies in ms, None for what is not known."""
    return {
        "name": seen.name,
        "group": seen.group,
        "records": seen.processed,
        "stored": seen.stored,
        "complete": seen.complete,
        "decisions": seen.decided,
        "kinds": dict(seen.decisions),
        "fingerprint": seen.fingerprint,
        "latency": {name: _known(seen.latency[f"{name}_ms"]) for name in _PERCENTILES},
        "late": seen.late,
        "too_late": seen.too_late,
        "redelivered": seen.redelivered,
    }


def _known(number: float) -> float | None:
    return None if math.isnan(number) else number
