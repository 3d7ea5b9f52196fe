"""Pictures of a city: districts hour by hour, how late readings come, and which sensors were found faulty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from kafkalab.errors import InvalidArgument
from kafkalab.observe.plots.look import (
    BLUE,
    GREY,
    LIGHT,
    ORANGE,
    SKY,
    VERMILLION,
    Picture,
    canvas,
    count,
    look,
    names,
    require,
)
from kafkalab.observe.plots.marks import legend_below

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["STATES", "district_hours", "reading_delays", "sensor_map"]

_Look = tuple[str, str, int]  # colour, marker, size
#: What may have come of looking for faulty sensors: colour, marker and size of each.
STATES = {
    "well": (LIGHT, "o", 30),
    "found": (BLUE, "D", 60),
    "missed": (VERMILLION, "X", 80),
    "accused": (ORANGE, "^", 80),
}
_HOUR_MS, _MINUTE_MS = 3_600_000, 60_000
_FATES: dict[str, _Look] = {"in time": (SKY, "o", 16), "too late": (VERMILLION, "X", 70)}
_MOST_HOURS = 24
_TICK_HOURS = 3
_PLATE = {"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.6}


def district_hours(values: pd.DataFrame, measured: str, unit: str) -> Picture:
    """Draw a heat map, one row for each district and one column for each hour, with the number in each cell.

    Args:
        values: float64, districts as rows and hours of the day as columns; NaN where nothing is known.
        measured: what is drawn, such as "speed".
        unit: of the values, such as "km/h".

    Returns:
        A picture whose data are district (str), hour (int64) and value (float64), by district and hour as given. Its
        text names each district's lowest value.

    Raises:
        InvalidArgument: no such table, an empty one, or one of more than 24 hours.
    """
    known = require(values, (), "heat_map(outputs)").astype("float64")
    if known.shape[1] > _MOST_HOURS:
        raise InvalidArgument(f"{known.shape[1]} hours have no room in this picture: give at most {_MOST_HOURS}.")
    cells, (rows, columns) = known.to_numpy(), known.shape
    data = pd.DataFrame({"district": np.repeat(known.index, columns), "hour": np.tile(known.columns, rows)})
    data["value"] = cells.ravel()
    with look():
        figure, (axes,) = canvas(1.6 + 0.42 * rows)
        image = axes.imshow(known, cmap="cividis", aspect="auto")
        axes.set_xticks(range(columns), list(map(str, known.columns)))
        axes.set_yticks(range(rows), list(map(str, known.index)))
        axes.grid(visible=False)
        axes.set_xlabel("hour of the day (UTC)")
        axes.set_title(f"Mean {measured}, by district and hour", pad=10)
        _write(axes, cells)
        figure.colorbar(image, ax=axes, label=f"{measured} ({unit})", pad=0.02)
    lowest = [f"{name} at {of.idxmin()}:00 ({of.min():.0f} {unit})" for name, of in known.iterrows()]
    return Picture(figure, data, f"Lowest mean {measured} of each district: {names(lowest)}.")


def _write(axes: Axes, values: npt.NDArray[np.float64]) -> None:
    """Write the number into each cell: black on the light half of the colours, white on the dark one."""
    middle = (np.nanmin(values) + np.nanmax(values)) / 2
    for (row, column), value in np.ndenumerate(values):
        if not np.isnan(value):
            colour = "black" if value > middle else "white"
            axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=8, color=colour)


def reading_delays(readings: pd.DataFrame, start_ms: int) -> Picture:
    """Draw each reading by the time it was measured and by how much later it was sent.

    Args:
        readings: measured_ms and timestamp (int64, milliseconds since 1970; the latter is the time of sending, as in
            ``cluster.messages(topic, timestamps=True)``) and too_late (bool: its window was closed by then).
        start_ms: when the day begins.

    Returns:
        A picture whose data are hour (float64, since ``start_ms``, of the measuring), delay (float64, minutes) and
        too_late (bool), in the order of ``readings``.

    Raises:
        InvalidArgument: no such table, or an empty one.
    """
    known = require(readings, ("measured_ms", "timestamp", "too_late"), "the readings of a topic")
    data = pd.DataFrame(
        {
            "hour": (known["measured_ms"] - start_ms) / _HOUR_MS,
            "delay": (known["timestamp"] - known["measured_ms"]) / _MINUTE_MS,
            "too_late": known["too_late"],
        }
    ).reset_index(drop=True)
    from matplotlib.ticker import MultipleLocator  # late, as all of matplotlib

    with look():
        figure, (axes,) = canvas(3.8)
        fates = zip((data[~data["too_late"]], data[data["too_late"]]), _FATES.items(), strict=True)
        handles = [_dots(axes, dots, drawn, fate) for dots, (fate, drawn) in fates]
        axes.xaxis.set_major_locator(MultipleLocator(_TICK_HOURS))
        axes.set(xlabel="measured at (hour of the day)", ylabel="sent so much later (min)")
        axes.set_title("How late the readings come", pad=10)
        legend_below(axes, handles)
    late, too_late = int((data["delay"] > 1).sum()), int(data["too_late"].sum())
    told = f"{count(len(data), 'reading')}; {late} sent more than a minute after the measuring; {too_late} too late."
    return Picture(figure, data, told)


def _dots(axes: Axes, places: pd.DataFrame, drawn: _Look, label: str) -> object:
    """Draw a dot for each row: x and y in the first two columns."""
    colour, marker, size = drawn
    x, y = (places.iloc[:, number] for number in (0, 1))
    return axes.scatter(x, y, s=size, c=colour, marker=marker, edgecolors=GREY, linewidths=0.4, label=label)


def sensor_map(sensors: pd.DataFrame) -> Picture:
    """Draw where the sensors stand, and what came of the search for faulty ones.

    Args:
        sensors: sensor_id, district (str), x_km, y_km (float64, east and north of the town hall) and state (one of
            :data:`STATES`: well, found, missed, or accused without being faulty).

    Returns:
        A picture whose data are these columns. Its text names the missed and the accused.

    Raises:
        InvalidArgument: no such table, an empty one, or another state.
    """
    columns = ["sensor_id", "district", "x_km", "y_km", "state"]
    data = require(sensors, columns, "city.sensors with a state")[columns].reset_index(drop=True)
    unknown = sorted(set(data["state"]) - set(STATES))
    if unknown:
        raise InvalidArgument(f"{unknown[0]!r} is no state of a sensor: choose from {', '.join(STATES)}.")
    with look():
        figure, (axes,) = canvas(5.4)
        counts = data["state"].value_counts()
        handles = [
            _dots(axes, data.loc[data["state"] == state, ["x_km", "y_km"]], drawn, f"{state} ({counts.get(state, 0)})")
            for state, drawn in STATES.items()
        ]
        _name_districts(axes, data)
        axes.set_aspect("equal")
        axes.margins(0.12)
        axes.set(xlabel="east of the town hall (km)", ylabel="north of it (km)")
        axes.set_title("Faulty sensors", pad=10)
        legend_below(axes, handles)
    return Picture(figure, data, _told(data))


def _name_districts(axes: Axes, data: pd.DataFrame) -> None:
    """Write each district's name above its sensors."""
    for district, of in data.groupby("district", observed=True):
        axes.annotate(str(district), (of["x_km"].mean(), of["y_km"].max()), xytext=(0, 9), textcoords="offset points",
                      ha="center", fontsize=9, bbox=_PLATE, zorder=3)  # fmt: skip


def _told(data: pd.DataFrame) -> str:
    of = {state: list(data.loc[data["state"] == state, "sensor_id"]) for state in STATES}
    rest = [f"{state.capitalize()}: {names(of[state]) if of[state] else 'none'}." for state in ("missed", "accused")]
    return " ".join([f"{len(of['found'])} of {count(len(data), 'sensor')} found faulty.", *rest])
