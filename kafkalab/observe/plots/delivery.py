"""Pictures of delivery: how often each record had its effect, and what each isolation level is shown of a log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from kafkalab.errors import InvalidArgument
from kafkalab.observe.plots.look import (
    GREY,
    LIGHT,
    ORANGE,
    SKY,
    Picture,
    canvas,
    label_rows,
    look,
    names,
    require,
    rows_of,
    short,
)
from kafkalab.observe.plots.marks import legend_below

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["effects_map", "isolation_map"]

_Looks = Mapping[str, tuple[str, str]]  # colour and hatch by the state that a legend names
_EFFECTS: _Looks = {"one effect": (SKY, ""), "none": ("white", "////"), "more than one": (ORANGE, "")}
_SHOWN: _Looks = {"shown": (SKY, ""), "not shown": ("white", "////"), "marker, never shown": (LIGHT, "")}
_MARKER = list(_SHOWN)[2]
_MOST = 16  # columns: more would leave no room for what stands in them
_BOX, _ROW_INCHES, _LONGEST = 0.94, 0.45, 12


def effects_map(effects: pd.DataFrame) -> Picture:
    """Draw how often each record had its effect: once is right, never is a loss, more is a duplicate.

    Args:
        effects: one column per program, by its name, and one row per record, by its name: how often it had its
            effect (what is missing counts as 0).

    Returns:
        A picture whose data are program, record (str), effects (int64) and state (str), by program and record as
        given.

    Raises:
        InvalidArgument: no such table, an empty one, or one of more than 16 records.
    """
    found = require(effects, (), "a table of counts").fillna(0).astype("int64")
    rows = [(str(program), str(name), number) for program in found for name, number in found[program].items()]
    data = pd.DataFrame(rows, columns=["program", "record", "effects"])
    data["state"] = data["effects"].clip(upper=2).map(dict(enumerate(("none", "one effect", "more than one"))))
    drawn = data.set_axis(["row", "column", "text", "state"], axis="columns")
    return Picture(_drawn(drawn, _EFFECTS, "record", "Effects of each record"), data, " ".join(_effects_of(data)))


def _effects_of(data: pd.DataFrame) -> list[str]:
    told = []
    for program, of in data.groupby("program", sort=False):
        odd = [f"{state} for {names(list(of.loc[of['state'] == state, 'record']))}"
               for state in ("none", "more than one") if (of["state"] == state).any()]  # fmt: skip
        told.append(f"{program}: {', '.join([*odd, 'one effect for each other record' if odd else 'one for each'])}.")
    return told


def isolation_map(messages: pd.DataFrame, committed: pd.DataFrame, batches: pd.DataFrame) -> Picture:
    """Draw the offsets of one partition, and at which of them a reader of each isolation level is shown a record.

    Args:
        messages: all its records, as ``cluster.messages(topic, partition)``.
        committed: what read_committed is shown, as ``cluster.messages(topic, partition, committed=True)``.
        batches: as ``cluster.batches(topic, partition)``: tells where markers end transactions.

    Returns:
        A picture whose data are level (str), offset (int64), holds (str: the record's value, or "marker") and state
        (str), by level and offset.

    Raises:
        InvalidArgument: not such tables, no record, or more than 16 offsets.
    """
    require(messages, ("offset", "value"), "cluster.messages(topic)")
    markers = require(batches, ("base_offset", "control"), "cluster.batches(topic)").query("control")["base_offset"]
    holds = dict(zip(messages["offset"], map(_text, messages["value"]), strict=True)) | dict.fromkeys(markers, "marker")
    rows = [
        (level, offset, holds[offset], _state(offset, set(of["offset"]), set(markers)))
        for level, of in {"read_uncommitted": messages, "read_committed": committed}.items()
        for offset in sorted(holds)
    ]
    data = pd.DataFrame(rows, columns=["level", "offset", "holds", "state"])
    drawn = data.set_axis(["row", "column", "text", "state"], axis="columns")
    return Picture(_drawn(drawn, _SHOWN, "offset", "What a reader is shown"), data, " ".join(_shown_of(data)))


def _text(value: object) -> str:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)


def _state(offset: int, shown: set[int], markers: set[int]) -> str:
    return _MARKER if offset in markers else "shown" if offset in shown else "not shown"


def _shown_of(data: pd.DataFrame) -> list[str]:
    markers = sorted(set(data.loc[data["state"] == _MARKER, "offset"]))
    told = [f"Markers at {_offsets(markers)}."] if markers else []
    for level, of in data.groupby("level", sort=False):
        hidden = list(of.loc[of["state"] == "not shown", "offset"])
        told.append(f"{level} is shown every record{f' but those at {_offsets(hidden)}' if hidden else ''}.")
    return told


def _offsets(found: Sequence[int]) -> str:
    return f"offset{'s' * (len(found) > 1)} {names(found)}"


def _drawn(data: pd.DataFrame, looks: _Looks, xlabel: str, title: str) -> Figure:
    """Return a figure with one box for each row of ``data``: row, column, text, state."""
    rows, columns = list(data["row"].unique()), list(data["column"].unique())
    if len(columns) > _MOST:
        raise InvalidArgument(f"{len(columns)} {xlabel}s have no room in this picture: give at most {_MOST}.")
    with look():
        figure, (axes,) = canvas()
        label_rows(axes, rows)
        figure.set_size_inches(figure.get_figwidth(), 1.5 + _ROW_INCHES * len(rows))
        for each in rows_of(data):
            _box(axes, rows.index(each.row), columns.index(each.column), str(each.text), looks[each.state])
        axes.set_xticks(range(len(columns)), [short(str(name), _LONGEST) for name in columns])
        axes.set(xlim=(-0.5, len(columns) - 0.5), xlabel=xlabel)
        axes.grid(visible=False)
        axes.set_title(title, pad=10)
        legend_below(axes, _legend({state: looks[state] for state in looks if state in set(data["state"])}))
    return figure


def _box(axes: Axes, row: int, column: int, text: str, style: tuple[str, str]) -> None:
    colour, hatch = style
    axes.barh(row, _BOX, 0.8, column - _BOX / 2, facecolor=colour, edgecolor=GREY, hatch=hatch, linewidth=0.8)
    plate = {"facecolor": "white" if hatch else "none", "edgecolor": "none", "boxstyle": "round,pad=0.1"}
    axes.text(column, row, short(text, _LONGEST), ha="center", va="center", fontsize=9, bbox=plate)


def _legend(looks: _Looks) -> Sequence[object]:
    from matplotlib.patches import Patch

    return [Patch(facecolor=colour, edgecolor=GREY, hatch=hatch, linewidth=0.8, label=state)
            for state, (colour, hatch) in looks.items()]  # fmt: skip
