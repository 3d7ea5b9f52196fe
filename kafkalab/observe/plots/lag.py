"""A picture of lag: how far a group is behind the end of the log, over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from kafkalab.observe.plots.look import PALETTE, Picture, canvas, count, look, named, of_topic, require, seconds_axis
from kafkalab.observe.plots.marks import fault_words, legend_below, mark_faults

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["lag_curve"]

_FEW = len(PALETTE)
_PALE = "#B5B5B5"


def lag_curve(lag: pd.DataFrame, faults: pd.DataFrame | None = None) -> Picture:
    """Draw the lag of each partition, and of all together, over time.

    Of more than six partitions all lines are grey.

    Args:
        lag: as ``seen.lag()`` of :func:`kafkalab.observe.watch`.
        faults: as ``seen.faults()``, to be marked.

    Returns:
        A picture whose data are second (float64), topic (str), partition, lag (int64, records), sorted.

    Raises:
        InvalidArgument: not such a table, or an empty one.
    """
    columns = ["second", "topic", "partition", "lag"]
    data = require(lag, columns, "seen.lag()")[columns].sort_values(columns[:3], ignore_index=True)
    total = data.groupby("second")["lag"].sum()
    with look():
        figure, (axes,) = canvas()
        _draw(axes, data, total, faults)
    partitions = count(len(data[["topic", "partition"]].drop_duplicates()), "partition")
    alt = f"Lag of {partitions} together: {_shape(total.tolist())}.{fault_words(faults)}"
    return Picture(figure, data, alt, f"Highest lag {total.max()} records at {total.idxmax():.1f} s.")


def _draw(axes: Axes, data: pd.DataFrame, total: pd.Series[Any], faults: pd.DataFrame | None) -> None:
    from matplotlib.ticker import MaxNLocator

    groups: list[Any] = list(data.groupby(["topic", "partition"]))
    few, labels = len(groups) <= _FEW, named([key for key, _ in groups])
    handles = []
    for number, (_, of) in enumerate(groups):
        style: dict[str, Any] = {"color": PALETTE[number]} if few else {"color": _PALE, "linewidth": 1.0}
        (line,) = axes.plot(of["second"], of["lag"], **style)
        line.set_label(labels[number] if few else "each partition")
        handles.append(line)
    if len(groups) > 1:
        handles = handles if few else handles[:1]
        handles += axes.plot(total.index, total, color="black", linewidth=2.6, label="all together")
    seconds_axis(axes, float(total.index.max()))
    axes.set_ylim(bottom=0, top=None if total.max() else 1)
    axes.set_ylabel("lag (records)")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_locator(MaxNLocator(nbins="auto", integer=True))
    axes.set_title(f"Lag{of_topic((key for key, _ in groups), 'on')}")
    legend_below(axes, handles)
    mark_faults([axes], faults)


def _shape(total: list[int]) -> str:
    first, highest, last = total[0], max(total), total[-1]
    if highest == 0:
        return "none at any time"
    if highest == last == first:
        return "it stays as it is"
    parts = ["it grows"] if highest > first else []
    if last < highest:
        parts.append("is worked off to nothing" if last == 0 else "is worked off in part")
    return ", then ".join(parts) if parts[0].startswith("it") else f"it {parts[0]}"
