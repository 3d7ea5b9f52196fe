"""A picture of replication: who leads each partition and who is in sync, over time."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pandas as pd

from kafkalab.observe.plots.look import (
    BLUE,
    GREY,
    SKY,
    Picture,
    canvas,
    label_rows,
    look,
    named,
    names,
    of_topic,
    require,
    rows_of,
    seconds_axis,
)
from kafkalab.observe.plots.marks import fault_words, legend_below, mark_faults
from kafkalab.observe.plots.spans import changes, spans, stories

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["isr_timeline"]

_COLUMNS = ("second", "topic", "partition", "leader", "replicas", "isr")
_LOOKS: dict[str, dict[str, Any]] = {
    "leader": {"facecolor": BLUE},
    "in sync": {"facecolor": SKY},
    "not in sync": {"facecolor": "white", "edgecolor": GREY, "hatch": "////"},
}


def isr_timeline(isr: pd.DataFrame, faults: pd.DataFrame | None = None) -> Picture:
    """Draw for each replica when it was leader, in sync, or neither; as the cluster's metadata had it.

    Args:
        isr: as ``seen.isr()`` of :func:`kafkalab.observe.watch`.
        faults: as ``seen.faults()``, to be marked.

    Returns:
        A picture whose data are topic (str), partition, broker (int64), role (str: "leader", "in sync", "not in
        sync"), begin, end (float64, seconds).

    Raises:
        InvalidArgument: not such a table, or an empty one.
    """
    samples = require(isr, _COLUMNS, "seen.isr()")
    end = float(samples["second"].max())
    data = _roles(samples, end)
    with look():
        figure, (axes,) = canvas()
        _draw(axes, data, end, faults)
    return Picture(figure, data, f"{_words(samples)}{fault_words(faults)}", _moves(samples))


def _roles(samples: pd.DataFrame, end: float) -> pd.DataFrame:
    one_each = samples.explode("replicas").rename(columns={"replicas": "broker"})
    one_each["role"] = [
        "leader" if broker == leader else "in sync" if broker in isr else "not in sync"
        for broker, leader, isr in zip(one_each["broker"], one_each["leader"], one_each["isr"], strict=True)
    ]
    found = [spans(of, "role", end).assign(broker=broker) for broker, of in one_each.groupby("broker")]
    columns = ["topic", "partition", "broker", "role", "begin", "end"]
    data = pd.concat(found)[columns].astype({"broker": "int64"})
    return data.sort_values(["topic", "partition", "broker", "begin"], ignore_index=True)


def _draw(axes: Axes, data: pd.DataFrame, end: float, faults: pd.DataFrame | None) -> None:
    rows = [tuple(row) for row in rows_of(data[["topic", "partition", "broker"]].drop_duplicates())]
    labels = zip(named([row[:2] for row in rows]), rows, strict=True)
    label_rows(axes, [f"{name}, broker {row[2]}" for name, row in labels])
    seconds_axis(axes, end)
    for span in rows_of(data):
        row = rows.index((span.topic, span.partition, span.broker))
        axes.barh(row, span.end - span.begin, 0.72, span.begin, linewidth=0, **_LOOKS[str(span.role)])
    for row, (before, after) in enumerate(pairwise(rows)):
        if before[:2] != after[:2]:
            axes.axhline(row + 0.5, color=GREY, linewidth=0.8)
    axes.set_title(f"Leader and in-sync replicas{of_topic(row[:2] for row in rows)}")
    legend_below(axes, _legend(set(data["role"])))
    mark_faults([axes], faults)


def _legend(there: set[str]) -> list[Any]:
    from matplotlib.patches import Patch

    return [Patch(label=role, **of) for role, of in _LOOKS.items() if role in there]


def _words(samples: pd.DataFrame) -> str:
    told: dict[str, list[Any]] = {}
    for key, of in samples.sort_values("second", kind="stable").groupby(["topic", "partition"]):
        told.setdefault(_story(of), []).append(key)
    return f"Who led and who was in sync: {stories(told)}."


def _story(of: pd.DataFrame) -> str:
    leaders = ", then ".join(map(_leader, changes(of["leader"])))
    isr = ", then ".join(f"({' '.join(map(str, ids)) or 'none'})" for ids in changes(of["isr"].map(tuple)))
    return f"leader {leaders}, in-sync replicas {isr}"


def _moves(samples: pd.DataFrame) -> str:
    data = spans(samples, "leader", float(samples["second"].max()))
    moved = data[data.duplicated(["topic", "partition"])]
    told = [f"{row.topic}-{row.partition} at {row.begin:.1f} s to {_leader(row.leader)}" for row in rows_of(moved)]
    return f"Leadership moved: {names(told)}." if told else ""


def _leader(broker: int) -> str:
    return "nobody" if broker == -1 else f"broker {broker}"
