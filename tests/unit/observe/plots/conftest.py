"""Hand-made tables, and a look at every label of a picture."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

LONG = "payments.of.the.european.online.shop.for.customers-eu-west-1"
FAULTS = pd.DataFrame(
    {
        "fault": ["kill broker 2, leader of orders-0", "pause broker 3", f"slow broker 1 {'and more ' * 9}", "cut 2"],
        "fired": [3.0, 3.05, 3.2, 9.9],
        "undone": [6.0, float("nan"), 5.0, float("nan")],
    }
)
_TOLERANCE = 1.0  # pixels


def complaints(figure: Figure) -> list[str]:
    """Return which labels overlap, or lie outside the figure."""
    _draw(figure)
    boxes = [(text.get_text(), text.get_window_extent()) for text in _texts(figure) if text.get_text()]
    width, height = figure.canvas.get_width_height()
    outside = [
        f"outside: {name}"
        for name, box in boxes
        if min(box.x0, box.y0) < -_TOLERANCE or box.x1 > width + _TOLERANCE or box.y1 > height + _TOLERANCE
    ]
    return outside + [f"overlap: {a[0]} / {b[0]}" for a, b in combinations(boxes, 2) if _overlap(a[1], b[1])]


def _draw(figure: Figure) -> None:
    FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]


def _texts(figure: Figure) -> Iterator[Text]:
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes)]
    for legend in legends:
        yield from legend.get_texts() if legend is not None else ()
    axes: Any
    for axes in figure.axes:
        yield from (axes._left_title, axes.xaxis.label, axes.yaxis.label, *axes.texts)
        for axis in (axes.xaxis, axes.yaxis):
            for tick in axis._update_ticks():
                yield from (label for label in (tick.label1, tick.label2) if label.get_visible())


def _overlap(a: Any, b: Any) -> bool:
    return bool(min(a.x1, b.x1) - max(a.x0, b.x0) > _TOLERANCE and min(a.y1, b.y1) - max(a.y0, b.y0) > _TOLERANCE)


def shown(figure: Figure) -> list[str]:
    """Return every text in a picture."""
    _draw(figure)
    return [text.get_text() for text in _texts(figure) if text.get_text()]


def bars(figure: Figure) -> list[tuple[float, float, float]]:
    """Return row, begin and end of every horizontal bar of the first axes."""
    patches = figure.axes[0].patches
    return [
        (round(p.get_y() + p.get_height() / 2), p.get_x(), p.get_x() + p.get_width())  # type: ignore[attr-defined]
        for p in patches
    ]
