"""How a schedule shows what became of its faults: as a DataFrame, as text, and as a table in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import pandas as pd

from kafkalab.faults.firing import Firing

__all__ = ["as_frame", "as_html", "as_text"]

_COLUMNS = {
    "fault": "str",
    "targets": "object",
    "fired": "float64",
    "done": "float64",
    "undo": "float64",
    "undone": "float64",
    "in_sync": "float64",
    "seen": "float64",
    "leader": "Int64",
    "isr": "object",
    "sent": "Int64",
    "acknowledged": "Int64",
    "error": "object",
}


def as_frame(firings: Sequence[Firing], began_at: float) -> pd.DataFrame:
    """Return one row per firing; see :meth:`kafkalab.faults.Schedule.frame`."""
    rows = [_row(firing, began_at) for firing in firings]
    return pd.DataFrame(rows, columns=list(_COLUMNS), dtype="object").astype(_COLUMNS)


def _row(firing: Firing, began_at: float) -> tuple[object, ...]:
    seen = firing.observed
    return (
        firing.name,
        firing.targets,
        *(
            float("nan") if at is None else at - began_at
            for at in (firing.at, firing.done_at, firing.undo_at, firing.undone_at, firing.in_sync_at)
        ),
        seen.seconds if seen else float("nan"),
        seen.leader if seen else None,
        seen.isr if seen else None,
        firing.sent,
        firing.acknowledged,
        firing.error,
    )


def as_text(title: str, firings: Sequence[Firing], began_at: float) -> str:
    """Return the title and a line per firing."""
    return "\n".join([title, *(f"  {firing.at - began_at:.2f} s: {firing}" for firing in list(firings))])


def as_html(title: str, firings: Sequence[Firing], began_at: float) -> str:
    """Return the title and a table of the firings."""
    rows = "".join(
        f"<tr><td>{firing.at - began_at:.2f} s</td><td>{escape(firing.name)}</td>"
        f"<td>{escape(str(firing.error or firing.observed or ''))}</td><td>{_undone(firing)}</td></tr>"
        for firing in list(firings)
    )
    head = "<tr><th>at</th><th>fault</th><th>what the others saw</th><th>undone after</th></tr>"
    return f"<table><caption>{escape(title)}</caption><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _undone(firing: Firing) -> str:
    return f"{firing.undone_at - firing.at:.2f} s" if firing.undone_at else ""
