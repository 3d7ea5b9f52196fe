"""What is measured, against which limit, and what came out: pure data and arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

__all__ = ["Benchmark", "Measure", "Result", "Tick", "describe", "longest_gap", "missing_and_doubled"]

_FORMATS = {"MB": ".0f", "records/s": ",.0f"}
_NO_TARGET = "for information"
Tick = Callable[[str], None]
"""Called before each step with what is measured next; moves the progress bar."""


@dataclass(frozen=True)
class Measure:
    """One figure of the report.

    Attributes:
        name: what is measured, as the report's row says it.
        unit: ``"s"``, ``"MB"``, ``"records/s"``, or ``""`` for a ratio.
        limit: the largest figure that meets the target; None where there is no such.
        floor: the smallest figure that meets the target; None where there is no such. With neither, the figure is
            for information.
    """

    name: str
    unit: str
    limit: float | None = None
    floor: float | None = None

    def shown(self, value: float) -> str:
        """Return ``value`` with this measure's precision and unit."""
        return f"{value:{_FORMATS.get(self.unit, '.2f')}} {self.unit}".rstrip()

    @property
    def target(self) -> str:
        """The limit or the floor in words."""
        bounds = (("at most", self.limit), ("at least", self.floor))
        return ", ".join(f"{word} {self.shown(bound)}" for word, bound in bounds if bound is not None) or _NO_TARGET

    def is_met_by(self, value: float) -> bool:
        """Return whether ``value`` meets the target; always true where there is none."""
        return (self.limit is None or value <= self.limit) and (self.floor is None or value >= self.floor)


@dataclass(frozen=True)
class Result:
    """What a measure came to.

    Attributes:
        measure: what was measured.
        figure: the median, or the ratio of two medians; None where it was left out, for the reason in ``detail``.
        detail: the figures behind it.
        fault: what went wrong although the figure may be good, such as a lost record; "" for nothing.
    """

    measure: Measure
    figure: float | None
    detail: str
    fault: str = ""

    @property
    def met(self) -> bool:
        """Whether the target is met; always true for what is for information or left out, unless there was a fault."""
        return not self.fault and (self.figure is None or self.measure.is_met_by(self.figure))

    @property
    def shown(self) -> str:
        """The figure, as the report's row shows it."""
        return "-" if self.figure is None else self.measure.shown(self.figure)

    @property
    def verdict(self) -> str:
        """The last word of the report's row."""
        if self.fault:
            return f"not met: {self.fault}"
        if self.figure is None:
            return "left out"
        if self.measure.target == _NO_TARGET:
            return "-"
        return "met" if self.met else "not met"


@dataclass(frozen=True)
class Benchmark:
    """Several measures taken together.

    Attributes:
        name: for ``--only``.
        measures: the rows it adds to the report.
        method: how it is measured, for the report.
        rounds: how many rounds a full run takes.
        steps: calls of the tick for each round.
        run: takes rounds and a tick, returns a result for each measure.
    """

    name: str
    measures: tuple[Measure, ...]
    method: str
    rounds: int
    steps: int
    run: Callable[[int, Tick], list[Result]]


def describe(name: str, values: Sequence[float], measure: Measure) -> str:
    """Return ``name`` with the median of ``values`` and, from two on, their range."""
    text = f"{name} {measure.shown(median(values))}"
    if len(values) == 1:
        return text
    return f"{text} ({measure.shown(min(values))} to {measure.shown(max(values))})"


def longest_gap(times: Sequence[float], since: float) -> float:
    """Return the longest time between neighbours of ``times`` whose later one comes after ``since``.

    Args:
        times: when records were acknowledged, ascending, in seconds.
        since: when the broker was killed, on the same clock.

    Raises:
        ValueError: no pair reaches past ``since``: nothing can be said of the gap.
    """
    gaps = [after - before for before, after in pairwise(times) if after > since]
    if not gaps:
        raise ValueError(f"no acknowledgement after {since:g} has one before it: the gap was not observed.")
    return max(gaps)


def missing_and_doubled(acknowledged: Sequence[int], stored: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return the acknowledged records that are not stored, and those that are stored more than once."""
    there: set[int] = set()
    doubled: set[int] = set()
    for number in stored:
        (doubled if number in there else there).add(number)
    return sorted(set(acknowledged) - there), sorted(doubled)
