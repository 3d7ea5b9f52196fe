"""Which records stand behind one of the same key that was sent later."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from kafkalab.ledger.anomalies import Rows
from kafkalab.ledger.pages import Page, Places, positions

__all__ = ["later_minimum", "reordered"]

Integers = npt.NDArray[np.int64]
_NONE = np.iinfo(np.int64).max


def reordered(pages: Sequence[Page], places: Places) -> Iterator[Rows]:
    """Yield the reordered records of one session, page by page from the last, each page's in order.

    A record is reordered where, among the first copies in one partition, one of the same key that was sent later
    stands before it. Kafka promises order per partition and producer; what a reader builds on is the order per key.
    """

    # Nearly always nothing is out of order even without regard to keys; only what is, is looked at by key.
    def keyed(page: Page, rows: Integers) -> Integers:
        return places.with_keys(places.found(page, rows), page.key[rows])

    suspects = [np.unique(keyed(page, rows)) for page, rows in _overtaken(pages, places.found, len(places))]
    if suspects:
        known = np.unique(np.concatenate(suspects))
        for page, rows in _overtaken(pages, lambda page, rows: positions(known, keyed(page, rows)), len(known)):
            yield page.anomalies(rows)


def _overtaken(
    pages: Sequence[Page], groups: Callable[[Page, Integers], Integers], count: int
) -> Iterator[tuple[Page, Integers]]:
    """Yield pages from the last, with the rows that a later one of the same group stands before; group -1 is none."""
    minimum = np.full(count, _NONE)
    for page in reversed(pages):
        rows = np.flatnonzero(page.found)
        group = groups(page, rows)
        rows, group = rows[group >= 0], group[group >= 0]
        late = later_minimum(group, page.found_offset[rows], minimum) < page.found_offset[rows]
        if late.any():
            yield page, rows[late]


def later_minimum(groups: Integers, values: Integers, minimum: Integers) -> Integers:
    """Return for each value the least of its group from there on.

    Args:
        groups: the group of each value, an index into ``minimum``.
        values: int64.
        minimum: the least of each group among the values that come after these; is brought up to date.
    """
    if not len(values):
        return values
    order = np.argsort(groups, kind="stable")
    group, value = groups[order], values[order] - values.min()
    starts = np.ones(len(group), np.bool_)
    starts[1:] = np.diff(group) != 0
    # Each group is lifted above those before it, so that one running minimum from the end serves all.
    lift = np.cumsum(starts) * (value.max() + 1)
    least = np.minimum.accumulate((value + lift)[::-1])[::-1] - lift + values.min()
    least = np.minimum(least, minimum[group])
    minimum[group[starts]] = least[starts]
    result = np.empty(len(least), np.int64)
    result[order] = least
    return result
