"""Random walks of many groups (symbols, sectors), known exactly at the moments of events and nowhere between.

Rows are events in the order of time; a group's code stands beside each. Nothing loops over groups or events.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Decay", "Groups", "Walks"]

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.float64]


class Groups:
    """The rows of each group, found once and used for several sums.

    Args:
        codes: a whole number from 0 to ``number - 1`` for each row; int16 is sorted quickest.
        number: of groups, with or without rows.
    """

    def __init__(self, codes: Ints, number: int) -> None:
        self._order = np.argsort(codes, kind="stable")
        counts = np.bincount(codes, minlength=number)
        self._present = np.flatnonzero(counts)
        self._counts = counts[self._present]
        self._last = np.cumsum(self._counts) - 1
        self._first = self._last - self._counts + 1

    def running_sum(self, values: npt.NDArray[Any], start: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return for each row its group's ``start`` plus the values of the group's rows up to it."""
        values = values[self._order]
        total = np.cumsum(values)
        before = (total - values)[self._first] - start[self._present]
        return self._back(total - np.repeat(before, self._counts))

    def elapsed(self, clock: Floats, since: Floats) -> Floats:
        """Return for each row the time since its group's row before; since ``since`` for the group's first."""
        ordered = clock[self._order]
        gaps = np.diff(ordered, prepend=0.0)
        gaps[self._first] = ordered[self._first] - since[self._present]
        return self._back(gaps)

    def keep_last(self, values: Floats, kept: Floats) -> None:
        """Write the value of each group's last row into ``kept``; a group without rows keeps what it has."""
        kept[self._present] = values[self._order[self._last]]

    def _back(self, ordered: npt.NDArray[Any]) -> npt.NDArray[Any]:
        rows = np.empty_like(ordered)
        rows[self._order] = ordered
        return rows


class Walks:
    """One walk per group, carried from block to block.

    Args:
        number: of groups; each walk begins at 0.
        clock: the time at which they begin.
    """

    def __init__(self, number: int, clock: float) -> None:
        self._value = np.zeros(number)
        self._clock = np.full(number, clock)

    def elapsed(self, groups: Groups, clock: Floats) -> Floats:
        """Return for each row the time since its group's row before, which may stand in an earlier block."""
        return groups.elapsed(clock, self._clock)

    def go(self, groups: Groups, clock: Floats, steps: Floats) -> Floats:
        """Go these steps, and return where each row's group stands after its own."""
        path: Floats = groups.running_sum(steps, self._value)
        groups.keep_last(path, self._value)
        groups.keep_last(clock, self._clock)
        return path

    def brownian(self, groups: Groups, clock: Floats, rng: np.random.Generator) -> Floats:
        """Go as standard Brownian motions, of variance 1 per unit of time, and return where they stand."""
        steps = rng.standard_normal(len(clock)) * np.sqrt(self.elapsed(groups, clock))
        return self.go(groups, clock, steps)


class Decay:
    """What shocks have left, per group: each fades by exp(-t / span).

    Args:
        number: of groups.
        span: minutes in which a shock fades to 37 %.
    """

    def __init__(self, number: int, span: float) -> None:
        self._left = np.zeros(number)
        self._span = span

    def at_rows(self, groups: Groups, codes: Ints, minutes: Floats, shocks: tuple[Ints, Floats], length: int) -> Floats:
        """Return what is left at each row of a block, a shock of that very row included.

        Args:
            groups: those of the rows.
            codes: each row's group.
            minutes: when each row is, since the block began.
            shocks: the rows that bring one, and its size.
            length: the block's length in minutes; what is left then is carried into the next.
        """
        rows, sizes = shocks
        brings = np.zeros(len(codes), np.int64)
        brings[rows] = 1
        # How many shocks the row's group has had in this block; none is column 0, what was left before.
        nth = groups.running_sum(brings, np.zeros(len(self._left), np.int64))
        raised = np.zeros((len(self._left), int(nth.max(initial=0)) + 1))
        raised[:, 0] = self._left
        # Raised by what will fade, sums need no recursion; a block is short enough for exp.
        raised[codes[rows], nth[rows]] = sizes * np.exp(minutes[rows] / self._span)
        raised = np.cumsum(raised, axis=1)
        self._left = raised[:, -1] * np.exp(-length / self._span)
        left: Floats = raised[codes, nth] * np.exp(-minutes / self._span)
        return left

    def before_minutes(self, shocks: Floats) -> Floats:
        """Return what is left at each whole minute of a block of the shocks of the minutes before it.

        Args:
            shocks: their sum in each minute (rows) and group (columns).
        """
        fade = np.exp(np.arange(len(shocks) + 1) / self._span)[:, np.newaxis]
        raised = np.concatenate([self._left[np.newaxis], shocks * fade[1:]])
        left: Floats = np.cumsum(raised, axis=0) / fade
        self._left = left[-1]
        return left[:-1]
