"""A picture of a log on disk: its segments, what retention deleted, and what compaction took out of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from kafkalab.errors import InvalidArgument
from kafkalab.observe.plots.look import BLUE, GREY, LIGHT, ORANGE, Picture, canvas, label_rows, look, require, rows_of
from kafkalab.observe.plots.marks import legend_below

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["segment_map"]

_COLUMNS = ("segment", "end", "records", "bytes", "active")
_HEIGHT, _ROW_INCHES = 0.62, 0.85
_PLATE = {"facecolor": "white", "edgecolor": "none", "boxstyle": "round,pad=0.2", "alpha": 0.9}
_WIDE_ENOUGH = 0.085  # of the axes: a narrower segment has no room for its size


def segment_map(log: pd.DataFrame | Mapping[str, pd.DataFrame]) -> Picture:
    """Draw the segments of one log, or of several one below the other, such as before and after compaction.

    A box spans a segment's offsets, and is filled as high as the share of them that still has a record. What retention
    deleted is hatched. The active segment, which is written to and never compacted, has a colour of its own.

    Args:
        log: as ``cluster.log(topic, partition)``, or several such tables by name.

    Returns:
        A picture whose data are log (str), segment, end (int64, offset behind it), records, bytes (int64), kept
        (float64, records by offset), active (bool), sorted by log as given and segment.

    Raises:
        InvalidArgument: not such a table, or an empty one.
    """
    logs = log if isinstance(log, Mapping) else {"log": log}
    if not logs:
        raise InvalidArgument("there is nothing to draw: give at least one table, as cluster.log(topic).")
    data = pd.concat([_segments(name, of) for name, of in logs.items()], ignore_index=True)
    with look():
        figure, (axes,) = canvas()
        _draw(axes, data)
    return Picture(figure, data, " ".join(map(_words, _each(data))), " ".join(map(_figures, _each(data))))


def _segments(name: str, log: pd.DataFrame) -> pd.DataFrame:
    found = require(log, _COLUMNS, "cluster.log(topic)")[list(_COLUMNS)].sort_values("segment")
    offsets = found["end"] - found["segment"]
    # A segment that was just begun lacks nothing.
    kept = (found["records"] / offsets.clip(lower=1)).where(offsets > 0, 1.0)
    return found.assign(log=name, kept=kept)[["log", "segment", "end", "records", "bytes", "kept", "active"]]


def _each(data: pd.DataFrame) -> list[pd.DataFrame]:
    return [data[data["log"] == name] for name in data["log"].unique()]


def _draw(axes: Axes, data: pd.DataFrame) -> None:
    logs = list(data["log"].unique())
    label_rows(axes, logs)
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.set_size_inches(figure.get_figwidth(), 1.7 + _ROW_INCHES * len(logs))
    axes.set_xlim(0, data["end"].max())
    for row, of in enumerate(_each(data)):
        start = of["segment"].min()
        axes.barh(row, start, _HEIGHT, 0, facecolor="white", edgecolor=GREY, hatch="////", linewidth=0)
        _draw_log(axes, row, of)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("offset")
    axes.set_title("Segments of the log, oldest left", pad=10)
    legend_below(axes, _legend(data))


def _draw_log(axes: Axes, row: int, of: pd.DataFrame) -> None:
    bottom = row + _HEIGHT / 2  # the axis points down
    wide_enough = _WIDE_ENOUGH * axes.get_xlim()[1]
    for found in rows_of(of):
        width, height = found.end - found.segment, _HEIGHT * min(found.kept, 1.0)
        colour = ORANGE if found.active else BLUE
        axes.barh(row, width, _HEIGHT, found.segment, facecolor=LIGHT, linewidth=0)
        axes.barh(bottom - height / 2, width, height, found.segment, facecolor=colour, linewidth=0)
        axes.barh(row, width, _HEIGHT, found.segment, fill=False, edgecolor="white", linewidth=1.5)
        if width >= wide_enough:
            axes.text(
                found.segment + width / 2, row, _size(found.bytes), ha="center", va="center", fontsize=9, bbox=_PLATE
            )


def _legend(data: pd.DataFrame) -> list[object]:
    from matplotlib.patches import Patch

    entries = [
        (BLUE, "", "closed segment", not data["active"].all()),
        (ORANGE, "", "active segment", True),
        (LIGHT, "", "taken by compaction", bool((data["kept"] < 1).any())),
        ("white", "////", "deleted", bool(data.groupby("log")["segment"].min().gt(0).any())),
    ]
    return [
        Patch(facecolor=colour, edgecolor=GREY if hatch else "none", hatch=hatch, linewidth=0, label=label)
        for colour, hatch, label, there in entries
        if there
    ]


def _size(size: float) -> str:
    for unit in ("B", "kB"):
        if size < 999.5:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} MB"


def _words(of: pd.DataFrame) -> str:
    kept_all = bool((of["kept"] >= 1).all())
    head = "its oldest segments are deleted" if of["segment"].min() > 0 else "it begins at offset 0"
    body = "every later offset has its record" if kept_all else "compaction has taken records out of it"
    return f"{of['log'].iloc[0]}: {head}, {body}, and the last segment is active."


def _figures(of: pd.DataFrame) -> str:
    return (
        f"{of['log'].iloc[0]}: {len(of)} segments, offsets {of['segment'].min()} to {of['end'].max() - 1}, "
        f"{of['records'].sum()} records, {_size(of['bytes'].sum())}."
    )
