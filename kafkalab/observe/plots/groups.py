"""Pictures of a consumer group: who reads what, now and over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kafkalab.observe.plots.look import (
    GREY,
    LIGHT,
    PALETTE,
    Picture,
    canvas,
    in_order,
    label_rows,
    look,
    named,
    names,
    of_topic,
    paint,
    require,
    rows_of,
    seconds_axis,
    short,
)
from kafkalab.observe.plots.marks import fault_words, legend_below, mark_faults
from kafkalab.observe.plots.spans import changes, partitions_words, spans, stories

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["REBALANCING", "assignment_map", "rebalance_timeline"]

#: Stands for the reader of a partition while the group rebalances: the coordinator still tells the one before then.
REBALANCING = "(rebalancing)"
_STILL = ("Stable", "Empty", "Dead")
_KEY = ["topic", "partition"]


def assignment_map(members: pd.DataFrame, partitions: pd.DataFrame | None = None) -> Picture:
    """Draw which member of a group reads which partition: partitions left, members right, a line for "reads".

    Args:
        members: as ``cluster.members(group)``.
        partitions: as ``cluster.partitions(topic)``, to show those that nobody reads, too.

    Returns:
        A picture whose data are member, topic (str), partition (int64), sorted: a member without partitions has topic
        "" and partition -1, a partition without reader has member "".

    Raises:
        InvalidArgument: not such a table, or an empty one.
    """
    data = _assignment(require(members, ("member", *_KEY), "cluster.members(group)"), partitions)
    with look():
        figure, (axes,) = canvas()
        _draw_assignment(axes, data)
    return Picture(figure, data, f"Who reads what: {_assignment_words(data)}.")


def _assignment(members: pd.DataFrame, partitions: pd.DataFrame | None) -> pd.DataFrame:
    read = members[["member", *_KEY]]
    if partitions is not None:
        known = require(partitions, _KEY, "cluster.partitions(topic)")[_KEY].merge(read, how="left", on=_KEY)
        unread = known[known["member"].isna()].assign(member="")
        read = pd.concat([read, unread[["member", *_KEY]]])
    return read.sort_values(["member", *_KEY], ignore_index=True)


def _draw_assignment(axes: Axes, data: pd.DataFrame) -> None:
    left = _tops(data)
    right = in_order(set(data["member"]) - {""})
    label_rows(axes, [""] * max(len(left), len(right)))
    places = _spread(len(left), max(len(left), len(right)))
    heights = dict(zip(left, places, strict=True))
    axes.set_yticks(places, named(left))
    axes.tick_params(axis="y", pad=10)
    _draw_members(axes, data, right, heights)
    for key in left:
        member = data.loc[(data["topic"] == key[0]) & (data["partition"] == key[1]), "member"].iloc[0]
        fill = PALETTE[right.index(member) % len(PALETTE)] if member else "white"
        axes.plot(0, heights[key], "s", markersize=11, color=fill, markeredgecolor=GREY, clip_on=False)
    axes.set_xlim(0, 1)
    axes.set_xticks([])
    axes.spines[:].set_visible(False)
    axes.set_title(f"Who reads the partitions{of_topic(left)}", pad=10)


def _tops(data: pd.DataFrame) -> list[tuple[str, int]]:
    """Return the partitions in order."""
    known = data.loc[data["partition"] >= 0, _KEY].drop_duplicates().sort_values(_KEY)
    return [(str(topic), int(number)) for topic, number in rows_of(known)]


def _spread(number: int, rows: int) -> list[float]:
    """Return heights for ``number`` things, evenly over so many rows."""
    return [(place + 0.5) * rows / max(number, 1) - 0.5 for place in range(number)]


def _draw_members(axes: Axes, data: pd.DataFrame, members: list[str], heights: Mapping[tuple[str, int], float]) -> None:
    beside = axes.twinx()
    beside.set_ylim(axes.get_ylim())
    rows = round(abs(np.diff(axes.get_ylim())[0]) - 0.2)
    places = _spread(len(members), rows)
    for number, (member, height) in enumerate(zip(members, places, strict=True)):
        read = _tops(data[data["member"] == member])
        colour = PALETTE[number % len(PALETTE)]
        for key in read:
            axes.add_patch(_curve(heights[key], height, colour))
        axes.plot(1, height, "o", markersize=13, color=colour if read else "white", markeredgecolor=GREY, clip_on=False)
    counts = data[data["partition"] >= 0].groupby("member").size()
    beside.set_yticks(places, [f"  {short(name)}{'' if name in counts else ' (idle)'}" for name in members])
    beside.tick_params(axis="y", length=0)
    beside.grid(visible=False)
    beside.spines[:].set_visible(False)


def _curve(left: float, right: float, colour: str) -> Any:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    corners = [(0.0, left), (0.5, left), (0.5, right), (1.0, right)]
    path = Path(corners, [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4])
    return PathPatch(path, facecolor="none", edgecolor=colour, linewidth=2.5)


def _assignment_words(data: pd.DataFrame) -> str:
    parts = [f"{member} {_reads(data[data['member'] == member])}" for member in in_order(set(data["member"]) - {""})]
    unread = _tops(data[data["member"] == ""])
    return "; ".join(parts + ([f"nobody reads {partitions_words(unread)}"] if unread else []))


def _reads(of: pd.DataFrame) -> str:
    read = _tops(of)
    return f"reads {partitions_words(read)}" if read else "is idle"


def rebalance_timeline(assignments: pd.DataFrame, faults: pd.DataFrame | None = None) -> Picture:
    """Draw who read each partition over time: a row per partition, a colour per member.

    While a group rebalances, its coordinator does not tell who reads what, but who did before it began: such times are
    hatched.

    Args:
        assignments: as ``seen.assignments()`` of :func:`kafkalab.observe.watch`.
        faults: as ``seen.faults()``, to be marked.

    Returns:
        A picture whose data are topic (str), partition (int64), reader (str: a member, "" for nobody, or
        ``(rebalancing)``), begin, end (float64, seconds): who read what from when to when.

    Raises:
        InvalidArgument: not such a table, or an empty one.
    """
    samples = require(assignments, ("second", "state", "member", *_KEY), "seen.assignments()")
    end = float(samples["second"].max())
    data = spans(_readers(samples), "reader", end)
    with look():
        figure, (axes,) = canvas()
        _draw_timeline(axes, data, end, faults)
    return Picture(figure, data, f"Who read what: {_timeline_words(data)}.{fault_words(faults)}", _rebalances(samples))


def _readers(samples: pd.DataFrame) -> pd.DataFrame:
    """Return topic, partition, second, reader: one row per partition and sample."""
    keys = _tops(samples)
    rows = [
        (*key, second, read.get(key, nobody))
        for second, of in samples.groupby("second")
        for nobody, read in [_reading(of)]
        for key in keys
    ]
    return pd.DataFrame(rows, columns=[*_KEY, "second", "reader"])


def _reading(of: pd.DataFrame) -> tuple[str, dict[tuple[str, int], str]]:
    if of["state"].iloc[0] not in _STILL:
        return REBALANCING, {}  # a coordinator tells then what was so before
    keys = zip(of["topic"].tolist(), of["partition"].tolist(), strict=True)
    return "", dict(zip(keys, of["member"].tolist(), strict=True))


def _draw_timeline(axes: Axes, data: pd.DataFrame, end: float, faults: pd.DataFrame | None) -> None:
    keys = _tops(data)
    label_rows(axes, named(keys))
    seconds_axis(axes, end)
    readers = in_order(set(data["reader"]) - {"", REBALANCING})
    looks = {reader: paint(number) for number, reader in enumerate(readers)}
    looks |= {"": {"facecolor": "white", "edgecolor": LIGHT}}
    looks |= {REBALANCING: {"facecolor": LIGHT, "edgecolor": GREY, "hatch": "////"}}
    for span in rows_of(data):
        row = keys.index((span.topic, span.partition))
        axes.barh(row, span.end - span.begin, 0.72, span.begin, linewidth=0, **looks[span.reader])
    axes.set_title(f"Who reads which partition{of_topic(keys)}")
    legend_below(axes, _legend(looks, set(data["reader"])))
    mark_faults([axes], faults)


def _legend(looks: Mapping[str, Mapping[str, Any]], there: set[str]) -> list[Any]:
    from matplotlib.patches import Patch

    words = {"": "nobody", REBALANCING: "rebalancing"}
    return [Patch(label=words.get(name, short(name)), **of) for name, of in looks.items() if name in there]


def _timeline_words(data: pd.DataFrame) -> str:
    told: dict[str, list[Any]] = {}
    for key, of in data.groupby(_KEY):
        readers = changes(reader or "nobody" for reader in of["reader"] if reader != REBALANCING)
        told.setdefault(", then ".join(readers) or "not known", []).append(key)
    return stories(told) or "nothing was read"


def _rebalances(samples: pd.DataFrame) -> str:
    states = samples.drop_duplicates("second").assign(topic="", partition=0)
    states["moving"] = ~states["state"].isin(_STILL)
    found = spans(states, "moving", float(samples["second"].max()))
    lasted = [f"{row.end - row.begin:.1f} s from {row.begin:.1f} s on" for row in rows_of(found[found["moving"]])]
    return f"Rebalancing for {names(lasted)}." if lasted else ""
