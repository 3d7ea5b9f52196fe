"""Pictures of social media: mentions of brands over time, and how often an analysis of sentiment is right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kafkalab.observe.plots.look import (
    BLUE,
    GREY,
    PALETTE,
    VERMILLION,
    Picture,
    canvas,
    count,
    look,
    names,
    require,
    rows_of,
)
from kafkalab.observe.plots.marks import legend_below

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["mention_curves", "opinion_map"]

_MINUTE_MS = 60_000
_OTHERS = "brands without an alert"


def mention_curves(mentions: pd.DataFrame, spikes: pd.DataFrame, start_ms: int) -> Picture:
    """Draw the mentions per minute of every brand, and where an alert was raised.

    Args:
        mentions: brand (str), time_ms (int64, the minute's begin) and count; minutes without a mention have no row.
        spikes: brand and time_ms (when the alert was raised); may be empty.
        start_ms: when the time of the picture begins, milliseconds since 1970.

    Returns:
        A picture whose data are minute (int64, since the start), brand (str), mentions (int64) for every minute up to
        the last that has a row, and alert (bool: one was raised at the end of this minute).

    Raises:
        InvalidArgument: not such tables, or no mentions.
    """
    counted = require(mentions, ("time_ms", "brand", "count"), "as_frame(Mentions, outputs)")
    data = _by_minute(counted, start_ms)
    raised = {(_minute(spike.time_ms, start_ms) - 1, spike.brand) for spike in rows_of(spikes)}
    data["alert"] = [(row.minute, row.brand) in raised for row in rows_of(data)]
    with look():
        figure, (axes,) = canvas(3.6)
        _draw_curves(axes, data)
    return Picture(figure, data, _curve_words(data))


def _minute(time_ms: Any, start_ms: int) -> Any:
    return (time_ms - start_ms) // _MINUTE_MS


def _by_minute(mentions: pd.DataFrame, start_ms: int) -> pd.DataFrame:
    minute = _minute(mentions["time_ms"], start_ms)
    wide = mentions.assign(minute=minute).pivot_table("count", "minute", "brand", "sum")
    wide = wide.reindex(range(int(minute.max()) + 1)).fillna(0).astype("int64")
    long = wide.rename_axis("minute").reset_index().melt("minute", var_name="brand", value_name="mentions")
    return long.astype({"minute": "int64"})


def _draw_curves(axes: Axes, data: pd.DataFrame) -> None:
    alerted = list(dict.fromkeys(data.loc[data["alert"], "brand"]))
    handles: dict[str, Any] = {}
    for brand, of in data.groupby("brand"):
        loud = brand in alerted
        style = {"color": PALETTE[alerted.index(str(brand)) % len(PALETTE)]} if loud else {"color": GREY, "alpha": 0.5}
        # A minute's count holds from its begin to its end.
        (line,) = axes.plot([*of["minute"], of["minute"].max() + 1], [*of["mentions"], of["mentions"].iloc[-1]],
                            drawstyle="steps-post", linewidth=2.0 if loud else 1.0, **style)  # fmt: skip
        line.set_label(str(brand) if loud else _OTHERS)
        handles.setdefault(str(line.get_label()), line)
    for minute in sorted(set(data.loc[data["alert"], "minute"])):
        line = axes.axvline(minute + 1, color=VERMILLION, linestyle="--", linewidth=1.3, label="alert")
        handles.setdefault("alert", line)
    axes.set_xlim(0, int(data["minute"].max()) + 1)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("time since the start (min)")
    axes.set_ylabel("mentions per minute")
    axes.set_title("Mentions of each brand", pad=10)
    legend_below(axes, list(handles.values()))


def _curve_words(data: pd.DataFrame) -> str:
    alerts = [
        f"{row.brand} has {row.mentions} in minute {row.minute}, and an alert is raised at its end."
        for row in rows_of(data[data["alert"]].sort_values("minute", kind="stable"))
    ]
    brands = data["brand"].nunique()
    calm = data[~data["brand"].isin(data.loc[data["alert"], "brand"])]
    rest = f"{'No other brand' if alerts else 'No brand'} has more than {calm['mentions'].max()}." if len(calm) else ""
    parts = [f"Mentions per minute of {count(brands, 'brand')} in {count(data['minute'].nunique(), 'minute')}."]
    return " ".join(filter(None, [*parts, *alerts, rest]))


def opinion_map(confusion: pd.DataFrame, rates: pd.DataFrame) -> Picture:
    """Draw which sentiment was taken for which, beside the share of right opinions for each figure of speech.

    Args:
        confusion: as ``kafkalab.apps.social.confusion``: counts, a row for each true sentiment, the opinions as columns
            of the same names.
        rates: as ``kafkalab.apps.social.hit_rates``: figure (str), texts (int64), right (float64, 0 to 1).

    Returns:
        A picture whose data are ``rates``, sorted from the figure that is right most often.

    Raises:
        InvalidArgument: not such tables, or empty ones.
    """
    table = require(confusion, (), "confusion(opinions, truth)")
    data = require(rates, ("figure", "texts", "right"), "hit_rates(opinions, truth)")
    data = data.sort_values(["right", "figure"], ascending=[False, True], ignore_index=True)
    with look():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, 3.2), dpi=100, layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1, 1))
        _draw_confusion(left, table)
        _draw_rates(right, data)
    return Picture(figure, data, _opinion_words(table, data))


def _draw_confusion(axes: Axes, table: pd.DataFrame) -> None:
    """A square's colour is its share of the row, so that rare sentiments show as well; the number is a count."""
    shares = table.div(table.sum(axis=1), axis=0).fillna(0.0).to_numpy()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), texts in np.ndenumerate(table.to_numpy()):
        axes.text(column, row, f"{texts:,}", ha="center", va="center",
                  color="white" if shares[row, column] > 0.5 else "black")  # fmt: skip
    axes.set_xticks(range(len(table.columns)), list(table.columns))
    axes.set_yticks(range(len(table)), list(table.index))
    axes.set(xlabel="opinion of the analysis", ylabel="truth")
    axes.grid(visible=False)
    axes.set_title("Texts, by truth and opinion", pad=10)


def _draw_rates(axes: Axes, data: pd.DataFrame) -> None:
    axes.barh(range(len(data)), 100 * data["right"], color=BLUE)
    for row, share in enumerate(data["right"]):
        inside = share > 0.5
        axes.text(100 * share + (-2 if inside else 2), row, f"{share:.0%}", va="center",
                  ha="right" if inside else "left", color="white" if inside else "black")  # fmt: skip
    axes.set_yticks(range(len(data)), list(data["figure"]))
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("right (% of the texts)")
    axes.set_title("Right, by kind of text", pad=10)


def _opinion_words(table: pd.DataFrame, data: pd.DataFrame) -> str:
    total = int(table.to_numpy().sum())
    right = int(sum(table.loc[name, name] for name in table.index))
    kinds = names([f"{row.right:.0%} of the {row.texts} {row.figure} ones" for row in rows_of(data)])
    most = table.sum(axis=1)
    return (
        f"{right} of {count(total, 'text')} are classified rightly ({right / total:.0%}): {kinds}. To say "
        f"{most.idxmax()} of each would be right for {most.max() / total:.0%}."
    )
