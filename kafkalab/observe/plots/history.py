"""Pictures of what a log of events tells of the past: one balance over time, and how many things were in which state.

Times are those of the events, simulated ones, not seconds since a start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kafkalab.errors import InvalidArgument
from kafkalab.observe.plots.look import BLUE, GREY, ORANGE, VERMILLION, Picture, canvas, look, names, paint, require
from kafkalab.observe.plots.marks import legend_below

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["balance_history", "states_over_time"]

# Of ticks that are years, months, days, hours, minutes, seconds; and of those at the beginning of the next longer one.
_FORMATS = ["%Y", "%b", "%d %b", "%H:%M", "%H:%M", "%S.%f"]
_ZEROS = ["", "%Y", "%b", "%d %b", "%H:%M", "%H:%M"]
# One above the other, so that each shows where they are the same.
_LINES = ((BLUE, "-", 4.0), (ORANGE, "--", 2.0), (VERMILLION, ":", 2.0))


def balance_history(balances: Mapping[str, pd.DataFrame], title: str = "The balance of an account") -> Picture:
    """Draw a balance as steps over time, or up to three accounts of the same one.

    Args:
        balances: by name; each with time_ms (int, UTC) and balance (float, euros), one row per change in the order of
            its times: the balance from then on.
        title: above the picture.

    Returns:
        A picture whose data are line (str), time_ms (int64), balance (float64).

    Raises:
        InvalidArgument: not such tables, an empty one, or not one to three.
    """
    if not 1 <= len(balances) <= len(_LINES):
        raise InvalidArgument(f"{len(balances)} lines cannot be told apart: give one to {len(_LINES)}, by name.")
    tables = [require(table, ("time_ms", "balance"), "the history of an account") for table in balances.values()]
    data = pd.concat(
        [
            table[["time_ms", "balance"]].astype({"time_ms": "int64", "balance": "float64"}).assign(line=name)
            for name, table in zip(balances, tables, strict=True)
        ],
        ignore_index=True,
    )[["line", "time_ms", "balance"]]
    with look():
        figure, (axes,) = canvas(3.4)
        _draw_balances(axes, data, title)
    words = [_balance_words(name, of) for name, of in data.groupby("line", sort=False)]
    return Picture(figure, data, " ".join([*words, *_parting_words(data)]))


def _draw_balances(axes: Axes, data: pd.DataFrame, title: str) -> None:
    end = data["time_ms"].max()
    drawn = []
    for (colour, style, width), (name, of) in zip(_LINES, data.groupby("line", sort=False), strict=False):
        times, levels = [*of["time_ms"], end], [*of["balance"], of["balance"].iloc[-1]]
        drawn += axes.step(_dates(times), levels, style, where="post", color=colour, linewidth=width, label=name)
    axes.axhline(0, color=GREY, linewidth=1, zorder=1)
    axes.set_ylabel("balance (euros)")
    axes.set_title(title, pad=10)
    _time_axis(axes)
    legend_below(axes, drawn)


def _balance_words(name: object, of: pd.DataFrame) -> str:
    least, most, last = of["balance"].min(), of["balance"].max(), of["balance"].iloc[-1]
    return f"{name}: {len(of)} steps between {least:.2f} and {most:.2f} euros, the last at {last:.2f}."


def _parting_words(data: pd.DataFrame) -> list[str]:
    """Say when not all lines show the same."""
    levels = data.pivot_table(index="time_ms", columns="line", values="balance", aggfunc="last").ffill().dropna()
    apart = levels.ne(levels.iloc[:, 0], axis=0).any(axis=1)
    if levels.shape[1] < 2:
        return []
    if not apart.any():
        return ["They show the same."]
    first, last = apart.index[apart][[0, -1]]
    again = apart.index[apart.index > last]
    until = f"between {_moment(first)} and {_moment(again[0])}" if len(again) else f"from {_moment(first)} on"
    return [f"They differ {until}."]


def _moment(time_ms: int) -> str:
    return f"{pd.Timestamp(time_ms, unit='ms'):%d %b %H:%M}"


def states_over_time(changes: pd.DataFrame, states: Sequence[str], what: str = "orders") -> Picture:
    """Draw how many things are in each state, as areas one on top of the other over time.

    Args:
        changes: time_ms (int, UTC), key (what changes) and state (what it is from then on), one row per change, in any
            order; rows of the same time in their order.
        states: from the bottom of the picture.
        what: the things, in the plural.

    Returns:
        A picture whose data are time_ms (int64) and one column for each state (int64), one row per change: how many
        are in it from then on.

    Raises:
        InvalidArgument: not such a table, an empty one, or a state that is not in ``states``.
    """
    known = require(changes, ("time_ms", "key", "state"), "the changes of all orders")
    unknown = sorted(set(known["state"]) - set(states))
    if unknown:
        raise InvalidArgument(f"the state {unknown[0]!r} is not in states: name every state that there is.")
    data = _counted(known.sort_values("time_ms", kind="stable"), states)
    with look():
        figure, (axes,) = canvas(4.2)
        _draw_states(axes, data, states, what)
    ended = names([f"{data[state].iloc[-1]} {state}" for state in states if data[state].iloc[-1]])
    return Picture(figure, data, f"{known['key'].nunique()} {what} by their state over time; at last {ended}.")


def _counted(changes: pd.DataFrame, states: Sequence[str]) -> pd.DataFrame:
    """Count one more in the state that is entered, and one less in the one that is left."""
    left = changes.groupby("key")["state"].shift()
    steps = {state: (changes["state"] == state).astype(int) - (left == state).astype(int) for state in states}
    counts = pd.DataFrame(steps).cumsum()
    return pd.concat([changes["time_ms"].astype("int64"), counts.astype("int64")], axis=1).reset_index(drop=True)


def _draw_states(axes: Axes, data: pd.DataFrame, states: Sequence[str], what: str) -> None:
    edges = np.vstack([np.zeros(len(data)), np.cumsum(data[list(states)].to_numpy().T, axis=0)])
    times = _dates(data["time_ms"])
    areas = [
        axes.fill_between(times, edges[row], edges[row + 1], step="post", linewidth=0, label=state, **paint(row))
        for row, state in enumerate(states)
    ]
    axes.set_ylim(0)
    axes.margins(x=0)
    axes.set_ylabel(what)
    axes.set_title(f"{what.capitalize()} by their state", pad=10)
    _time_axis(axes)
    legend_below(axes, areas)


def _dates(times_ms: Sequence[int] | pd.Series[int]) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    return np.asarray(times_ms, "datetime64[ms]")


def _time_axis(axes: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator: Any = AutoDateLocator(maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    form: Any = ConciseDateFormatter(locator, formats=_FORMATS, zero_formats=_ZEROS, show_offset=False)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(form)
    axes.set_xlabel("time of the events (UTC)")
