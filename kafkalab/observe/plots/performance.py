"""A picture of a run: throughput and latency over time, with what was done to the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kafkalab.observe.plots.look import (
    BLUE,
    GREEN,
    ORANGE,
    SKY,
    VERMILLION,
    Picture,
    canvas,
    look,
    require,
    seconds_axis,
)
from kafkalab.observe.plots.marks import fault_words, legend_below, mark_faults

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["throughput_and_latency"]

_COUNTS = ("second", "sent", "acknowledged")
_QUANTILES = {"p50_ms": (GREEN, "-"), "p95_ms": (ORANGE, "--"), "p99_ms": (VERMILLION, ":")}
_PAUSE = 0.05  # of the median rate: fewer acknowledgements than that are a pause
_RISE = 5.0  # times the median of before: so much more is a rise


def throughput_and_latency(
    throughput: pd.DataFrame, latency: pd.DataFrame, faults: pd.DataFrame | None = None
) -> Picture:
    """Draw records per second, sent and acknowledged, above their latency (logarithmic), with faults marked.

    Args:
        throughput: as ``run.throughput()``: second (begin of an interval), sent, acknowledged (records).
        latency: as ``run.latency()`` with the same intervals: second, p50_ms, p95_ms, p99_ms.
        faults: as ``Schedule.frame()``, to be marked.

    Returns:
        A picture whose data are second, sent_rate, acknowledged_rate (float64, records/s), p50_ms, p95_ms, p99_ms
        (float64; NaN where nothing was acknowledged), a row per interval.

    Raises:
        InvalidArgument: not such tables, or empty ones.
    """
    counts = require(throughput, _COUNTS, "run.throughput()")
    times = require(latency, ("second", *_QUANTILES), "run.latency()")
    every = float(counts["second"].diff().min()) if len(counts) > 1 else 1.0
    data = _rates(counts, every).merge(times[["second", *_QUANTILES]], how="left", on="second").astype("float64")
    with look():
        figure, (above, below) = canvas(5.2, (3, 2))
        _draw_rates(above, data, every)
        _draw_latency(below, data, every)
        seconds_axis(below, float(data["second"].max()) + every)
        legend_below(below, _handles(above, below))
        mark_faults([above, below], faults)
    told = f"{_counts(counts)}{_pauses(data, faults)}{_rise(data, faults)}{fault_words(faults)}"
    return Picture(figure, data, told, _figures(data))


def _rates(counts: pd.DataFrame, every: float) -> pd.DataFrame:
    rates = {"second": counts["second"], "sent_rate": counts["sent"] / every}
    return pd.DataFrame({**rates, "acknowledged_rate": counts["acknowledged"] / every})


def _draw_rates(axes: Axes, data: pd.DataFrame, every: float) -> None:
    edges = np.append(data["second"], data["second"].iloc[-1] + every)
    axes.stairs(data["acknowledged_rate"], edges, fill=True, color=SKY, label="acknowledged")
    axes.stairs(data["sent_rate"], edges, color=BLUE, linewidth=1.8, label="sent", baseline=None)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_ylabel("records/s")
    axes.set_title("Throughput and latency")


def _draw_latency(axes: Axes, data: pd.DataFrame, every: float) -> None:
    from matplotlib.ticker import NullLocator

    for name, (colour, line) in _QUANTILES.items():
        # A point as well, or a value between two pauses would not show.
        axes.plot(data["second"] + every / 2, data[name], line, color=colour, marker=".", markersize=5,
                  label=f"latency, {name.removesuffix('_ms')}")  # fmt: skip
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylabel("latency (ms)")


def _handles(*axes: Axes) -> list[Any]:
    return [handle for one in axes for handle in one.get_legend_handles_labels()[0]]


def _counts(counts: pd.DataFrame) -> str:
    sent, acknowledged = (int(counts[name].sum()) for name in _COUNTS[1:])
    quantiles = "median, 95th and 99th percentile"
    return f"{sent:,} records sent and {acknowledged:,} acknowledged, per second, above their latency ({quantiles})."


def _rise(data: pd.DataFrame, faults: pd.DataFrame | None) -> str:
    """Say whether latency rose after the first fault, where there is a time before it."""
    fired = faults["fired"].min() if faults is not None and len(faults) else float("nan")
    before, after = (data.loc[part, "p99_ms"] for part in (data["second"] < fired, data["second"] >= fired))
    rose = bool(after.max() > _RISE * before.median())
    return " Latency is many times higher after the first fault." if rose else ""


def _pauses(data: pd.DataFrame, faults: pd.DataFrame | None) -> str:
    """Say whether acknowledgements paused after the first fault, and came back."""
    if faults is None or not len(faults) or faults["fired"].isna().all():
        return ""
    after = data.loc[data["second"] >= faults["fired"].min(), "acknowledged_rate"].to_numpy()
    paused = np.flatnonzero(after < _PAUSE * data["acknowledged_rate"].median())
    if not len(paused):
        return " Acknowledgements go on all the time."
    back = bool((after[paused[0] :] >= _PAUSE * data["acknowledged_rate"].median()).any())
    return f" Acknowledgements pause and {'come back' if back else 'do not come back'}."


def _figures(data: pd.DataFrame) -> str:
    return (
        f"Median {data['acknowledged_rate'].median():,.0f} records/s acknowledged; "
        f"highest p99 latency {data['p99_ms'].max():,.0f} ms."
    )
