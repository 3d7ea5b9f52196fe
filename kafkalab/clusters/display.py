"""How a cluster shows itself: as text, and as the same table in a notebook."""

from __future__ import annotations

from html import escape

from kafkalab.clusters.node import Node

__all__ = ["as_html", "as_text"]

_MARKS = {"running": "●", "paused": "◐", "stopped": "○"}


def as_text(title: str, nodes: list[Node]) -> str:
    """Return the title and a line per node."""
    return "\n".join([title, *(f"  {_MARKS[n.state]} {_kind(n)} {n.id}: {n.condition}" for n in nodes)])


def as_html(title: str, nodes: list[Node]) -> str:
    """Return the title and a table of the nodes; says in words what it says in marks."""
    rows = "".join(
        f"<tr><td>{_kind(node)} {node.id}</td><td>{' + '.join(node.roles)}</td>"
        f"<td>{_MARKS[node.state]} {node.condition}</td></tr>"
        for node in nodes
    )
    head = "<tr><th>node</th><th>roles</th><th>state</th></tr>"
    return f"<table><caption>{escape(title)}</caption><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _kind(node: Node) -> str:
    return "broker" if "broker" in node.roles else "controller"
