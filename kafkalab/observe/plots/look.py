"""One look for all pictures, and what a plotting function returns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import pandas as pd

from kafkalab.errors import InvalidArgument

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "HATCHES",
    "LIGHT",
    "ORANGE",
    "PALETTE",
    "SKY",
    "STYLE",
    "VERMILLION",
    "Picture",
    "canvas",
    "count",
    "in_order",
    "label_rows",
    "look",
    "named",
    "names",
    "of_topic",
    "paint",
    "require",
    "rows_of",
    "seconds_axis",
    "short",
]

# Okabe and Ito, "Color Universal Design" (2008): told apart with every kind of colour vision. Their yellow is left
# out, for on white it is too pale for a line.
BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
GREY, LIGHT = "#6B6B6B", "#E3E3E3"
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION)
#: Beyond the palette colours come again, with the next of these.
HATCHES = ("", "///", "...", "xxx")
STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": GREY,
    "axes.facecolor": "white",
    "axes.grid": True,
    "axes.labelsize": 10,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlepad": 18,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "figure.facecolor": "white",
    "font.family": "sans-serif",
    "font.size": 10,
    "grid.color": LIGHT,
    "grid.linewidth": 0.8,
    "hatch.linewidth": 0.8,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 2.0,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
}
_WIDTH, _DPI = 8.0, 100  # inches, pixels per inch: 800 pixels fit a notebook's column
_ROW, _CLOSEST_ROWS, _HIGHEST = 0.27, 0.2, 20.0  # inches
_LONGEST_NAME, _LONGEST_TITLE = 32, 28  # characters
_FEW_NAMES = 8


@dataclass(frozen=True, eq=False, repr=False)
class Picture:
    """What a plotting function returns; ``show(picture.figure, picture.alt)`` puts it into a lesson.

    Attributes:
        figure: a matplotlib figure that pyplot does not know of, so nothing is left open.
        data: what was drawn; its columns are in the function's docstring.
        alt: what the picture says, in words. No seconds and no rates stand in it, so that two runs in which the same
            happened have the same text.
        measured: the figures that differ from run to run; "" where there are none.
    """

    figure: Figure
    data: pd.DataFrame
    alt: str
    measured: str = ""

    def __repr__(self) -> str:
        return f"<Picture: {self.alt}>"


@contextmanager
def look() -> Iterator[None]:
    """Draw in kafkalab's style within this context; the user's own settings come back after it."""
    import matplotlib as mpl  # late: it takes a quarter of a second

    style: Any = STYLE  # its names are literals to matplotlib's types
    with mpl.rc_context(style):
        yield


def canvas(height: float = 4.0, ratios: Sequence[float] = (1,)) -> tuple[Figure, list[Axes]]:
    """Return a figure, 8 inches wide, with one axes above the other, their heights as ``ratios`` say, sharing x."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), dpi=_DPI, layout="constrained")
    grid = figure.subplots(len(ratios), 1, sharex=True, squeeze=False, height_ratios=list(ratios))
    return figure, [row[0] for row in grid]


def label_rows(axes: Axes, labels: Sequence[str]) -> None:
    """Label rows from the top, and give the figure the height they need; of very many, only some are labelled."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    height = min(_HIGHEST, 1.6 + _ROW * len(labels))
    figure.set_size_inches(_WIDTH, height)
    step = ceil(len(labels) * _CLOSEST_ROWS / (height - 1.4))
    axes.set_yticks(range(0, len(labels), step), labels[::step])
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


def seconds_axis(axes: Axes, end: float) -> None:
    """Make x seconds, from 0 to ``end``."""
    axes.set_xlabel("time since the start (s)")
    axes.set_xlim(0.0, max(end, 0.1))


def short(name: str, longest: int = _LONGEST_NAME) -> str:
    """Return ``name``, or its beginning and its end around an ellipsis, ``longest`` characters together."""
    if len(name) <= longest:
        return name
    tail = (longest - 1) // 2
    return f"{name[: longest - 1 - tail]}…{name[-tail:]}"


def paint(number: int) -> dict[str, Any]:
    """Return the colour and the hatch of the ``number``-th thing of a kind."""
    hatch = HATCHES[number // len(PALETTE) % len(HATCHES)]
    return {"facecolor": PALETTE[number % len(PALETTE)], "edgecolor": "white", "hatch": hatch}


def require(frame: object, columns: Sequence[str], source: str) -> pd.DataFrame:
    """Return ``frame`` if it is a table that can be drawn.

    Args:
        frame: what was given.
        columns: those it must have.
        source: the call that makes such a table.

    Raises:
        InvalidArgument: it is no DataFrame, has other columns, or no row.
    """
    if not isinstance(frame, pd.DataFrame):
        raise InvalidArgument(
            f"{type(frame).__name__} is no table that can be drawn: give a DataFrame, as {source} does."
        )
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise InvalidArgument(
            f"the table has no column {missing[0]!r}: give one with {', '.join(columns)}, as {source}."
        )
    if frame.empty:
        raise InvalidArgument(f"there is nothing to draw, for the table has no rows: look at what {source} returned.")
    return frame


def count(number: int, noun: str) -> str:
    """Return ``1 member``, ``2 members``."""
    return f"{number} {noun}{'s' * (number != 1)}"


def names(found: Sequence[object]) -> str:
    """Return ``a``, ``a and b``, ``a, b and c``; of more than eight the first, and how many more there are."""
    texts = [str(name) for name in found[:_FEW_NAMES]]
    if len(found) > _FEW_NAMES:
        texts.append(f"{len(found) - _FEW_NAMES} more")
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def in_order(found: Iterable[str]) -> list[str]:
    """Return names sorted as people do: ``reader-2`` before ``reader-10``."""
    return sorted(found, key=lambda name: [(part.isdecimal(), int(part) if part.isdecimal() else 0, part)
                                           for part in re.split(r"(\d+)", name)])  # fmt: skip


def of_topic(keys: Iterable[tuple[str, int]], word: str = "of") -> str:
    """Return `` of orders`` for a title if all partitions are of one topic, else ""."""
    topics = {topic for topic, _ in keys}
    return f" {word} {short(topics.pop(), _LONGEST_TITLE)}" if len(topics) == 1 else ""


def named(keys: Sequence[tuple[str, int]]) -> list[str]:
    """Return what partitions are called in a picture: ``partition 0`` if its title has their topic, or ``orders-0``."""
    return [f"partition {number}" if of_topic(keys) else short(f"{topic}-{number}") for topic, number in keys]


def rows_of(frame: pd.DataFrame) -> list[Any]:
    """Return the rows as named tuples."""
    return list(frame.itertuples(index=False))
