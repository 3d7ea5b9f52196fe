"""Faults in a picture of time, and the legend below a picture."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kafkalab.observe.plots.look import VERMILLION, names, require, rows_of, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["FAULT_COLUMNS", "fault_words", "legend_below", "mark_faults"]

FAULT_COLUMNS = ("fault", "fired", "undone")
_CLOSE = 0.035  # of the width: nearer numbers would run into each other
_LONGEST = 60  # characters of a fault's name
_CHARACTER, _HANDLE, _WIDTH = 7.0, 62, 680  # pixels, of a legend's letter, line and row
_LEGEND_ROW = 0.19  # inches
_MOST_NAMED = 12
_BELOW = 38  # points: the ticks' labels and the axis' own


def mark_faults(axes: Sequence[Axes], faults: pd.DataFrame | None) -> None:
    """Draw a numbered line where each fault fired, shaded until it was undone, and name the faults below the figure.

    Args:
        axes: one above the other; the numbers stand above the first.
        faults: fault (str), fired, undone (float64, seconds; NaN where it did not come to that), as
            ``Schedule.frame()`` has them; None for none.
    """
    shown = _shown(faults)
    for fault in rows_of(shown):
        for one in axes:
            one.axvline(fault.fired, color=VERMILLION, linestyle="--", linewidth=1.3)
            if pd.notna(fault.undone):
                one.axvspan(fault.fired, fault.undone, color=VERMILLION, alpha=0.08, linewidth=0, zorder=0)
    _number(axes[0], shown["fired"].tolist())
    handles = [_entry(number, name) for number, name in enumerate(shown["fault"][:_MOST_NAMED], 1)]
    _legend_of(axes[0], handles + ([_entry("…", "more")] if len(shown) > _MOST_NAMED else []))


def _shown(faults: pd.DataFrame | None) -> pd.DataFrame:
    if faults is None or (isinstance(faults, pd.DataFrame) and faults.empty):
        return pd.DataFrame(columns=list(FAULT_COLUMNS))
    known = require(faults, FAULT_COLUMNS, "Schedule.frame()")
    return known[known["fired"].notna()].sort_values("fired", kind="stable")


def _number(axes: Axes, fired: Sequence[float]) -> None:
    """Write the faults' numbers above their lines; those of lines that are close together into one text."""
    low, high = axes.get_xlim()
    groups: list[tuple[float, list[str]]] = []
    for number, second in enumerate(fired, 1):
        if groups and second - groups[-1][0] < _CLOSE * len(groups[-1][1]) * (high - low):
            groups[-1][1].append(str(number))
        else:
            groups.append((second, [str(number)]))
    for second, numbers in groups:
        axes.annotate(
            ",".join(numbers),
            (second, 1),
            xytext=(0, 2),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            color=VERMILLION,
            fontsize=9,
            fontweight="bold",
            ha="center",
        )


def _entry(number: object, name: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=VERMILLION, linestyle="--", linewidth=1.3, label=f"{number}: {short(name, _LONGEST)}")


def _legend_of(axes: Axes, handles: Sequence[Any]) -> None:
    figure = axes.get_figure(root=True)
    if handles and figure is not None:
        figure.legend(handles=list(handles), loc="outside lower left", ncols=_columns(handles))
        _make_room(figure, handles)


def legend_below(axes: Axes, handles: Sequence[Any]) -> None:
    """Put a legend below the axes and their label, in as many columns as fit."""
    from matplotlib.transforms import ScaledTranslation

    figure = axes.get_figure(root=True)
    if not handles or figure is None:
        return
    below = axes.transAxes + ScaledTranslation(0, -_BELOW / 72, figure.dpi_scale_trans)
    axes.legend(handles=list(handles), loc="upper left", bbox_to_anchor=(0, 0), bbox_transform=below,
                borderaxespad=0, borderpad=0, ncols=_columns(handles))  # fmt: skip
    _make_room(figure, handles)


def _make_room(figure: Figure, handles: Sequence[Any]) -> None:
    """Make the figure higher for the legend's rows beyond the first, and the axes stay as high as they are."""
    rows = ceil(len(handles) / _columns(handles))
    figure.set_figheight(figure.get_figheight() + _LEGEND_ROW * (rows - 1))


def _columns(handles: Sequence[Any]) -> int:
    widths = [len(str(handle.get_label())) * _CHARACTER + _HANDLE for handle in handles]
    fitting = [
        columns
        for columns in range(1, len(widths) + 1)
        # As matplotlib fills them.
        if sum(max(part) for part in np.array_split(widths, columns)) <= _WIDTH
    ]
    return max(fitting, default=1)


def fault_words(faults: pd.DataFrame | None) -> str:
    """Return a sentence that names the faults in their order; "" for none."""
    shown = _shown(faults)
    return f" Marked: {names(shown['fault'].tolist())}." if len(shown) else ""
