"""A picture of skew: how many records each partition has, and whose they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from kafkalab.observe.plots.look import BLUE, ORANGE, Picture, canvas, count, look, require, short
from kafkalab.observe.plots.marks import legend_below

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["partition_skew"]

_MOST_TICKS, _CHARACTER, _WIDTH = 16, 7.5, 680  # a letter and the axes, in pixels
_PLATE = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}


def partition_skew(records: pd.DataFrame, partitions: int | None = None) -> Picture:
    """Draw how many records each partition has; where keys are known, with the most frequent key marked.

    Args:
        records: partition (int), and optionally key (bytes, str or None) and records (int); without the last, every
            row is one record, as in ``cluster.messages(topic)``.
        partitions: how many the topic has; by default up to the highest that has a record.

    Returns:
        A picture whose data are partition, records, hottest (int64: those of the most frequent key; 0 without keys).

    Raises:
        InvalidArgument: not such a table, or an empty one.
    """
    known = require(records, ("partition",), "cluster.messages(topic)")
    counted = known.assign(records=known.get("records", 1))
    key = _hottest(counted)
    data = _by_partition(counted, key, partitions)
    with look():
        figure, (axes,) = canvas(3.6)
        _draw(axes, data, key)
    return Picture(figure, data, _words(data, key))


def _hottest(counted: pd.DataFrame) -> object:
    if "key" not in counted or counted["key"].isna().all():
        return None
    return counted.groupby("key")["records"].sum().idxmax()


def _by_partition(counted: pd.DataFrame, key: object, partitions: int | None) -> pd.DataFrame:
    numbers = range(max(int(counted["partition"].max()) + 1, partitions or 0))
    every = counted.groupby("partition")["records"].sum()
    hot = counted[counted["key"] == key].groupby("partition")["records"].sum() if key is not None else every * 0
    data = pd.DataFrame({"records": every, "hottest": hot}).reindex(numbers).fillna(0).astype("int64")
    return data.rename_axis("partition").reset_index().astype("int64")


def _draw(axes: Axes, data: pd.DataFrame, key: object) -> None:
    from matplotlib.ticker import MaxNLocator

    mean = float(data["records"].mean())
    others = axes.bar(data["partition"], data["records"] - data["hottest"], color=BLUE, label="all keys")
    handles = [others]
    if key is not None:
        others.set_label("other keys")
        label = f"the most frequent key, {short(_text(key))}"
        handles += [axes.bar(data["partition"], data["hottest"], bottom=data["records"] - data["hottest"], color=ORANGE,
                             hatch="///", edgecolor="white", linewidth=0, label=label)]  # fmt: skip
    line = axes.axhline(mean, color="black", linestyle="--", linewidth=1.3, label="if all had the same")
    _label_bars(axes, data)
    axes.set_ylim(0, 1.12 * max(1, int(data["records"].max())))
    axes.set_xlim(-0.6, len(data) - 0.4)
    axes.grid(visible=False, axis="x")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=_MOST_TICKS, integer=True))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("partition")
    axes.set_ylabel("records")
    axes.set_title("Records per partition", pad=10)
    legend_below(axes, [*handles, line])


def _label_bars(axes: Axes, data: pd.DataFrame) -> None:
    labels = [f"{records:,}" for records in data["records"]]
    if max(map(len, labels)) * _CHARACTER * len(labels) > _WIDTH:
        return
    for partition, (label, records) in enumerate(zip(labels, data["records"], strict=True)):
        axes.annotate(label, (partition, records), xytext=(0, 4), textcoords="offset points", ha="center", fontsize=9,
                      bbox=_PLATE)  # fmt: skip


def _text(key: object) -> str:
    return key.decode("utf-8", "backslashreplace") if isinstance(key, bytes) else str(key)


def _words(data: pd.DataFrame, key: object) -> str:
    total, fullest = int(data["records"].sum()), data.iloc[int(data["records"].argmax())]
    empty = int((data["records"] == 0).sum())
    parts = [
        f"{count(total, 'record')} in {count(len(data), 'partition')}",
        f"the fullest, {fullest['partition']}, has {fullest['records']} ({_percent(fullest['records'], total)})",
    ]
    if empty:
        parts.append(f"{empty} {'is' if empty == 1 else 'are'} empty")
    if key is not None:
        parts.append(f"the most frequent key is {_text(key)}, with {_percent(data['hottest'].sum(), total)} of all")
    return f"{'; '.join(parts)}."


def _percent(part: float, whole: int) -> str:
    return f"{100 * part / max(whole, 1):.0f}%"
