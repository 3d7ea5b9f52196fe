"""What the rules look at: a built notebook, its cells with their numbers, tags, and the text of outputs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kafkalab.courseware.notebook import NotebookNode

__all__ = ["Built", "code_cells", "code_nodes", "numbered", "output_texts", "tags_of", "text_cells"]

TEXT_TYPES = ("text/plain", "text/html", "text/markdown", "image/svg+xml")


@dataclass(frozen=True)
class Built:
    """A notebook and the file it is, or will be, stored in."""

    notebook: NotebookNode
    path: Path


def numbered(built: Built) -> Iterator[tuple[int, NotebookNode]]:
    """Yield each cell with its number, from 1."""
    return enumerate(built.notebook.cells, start=1)


def code_cells(built: Built) -> list[tuple[int, NotebookNode]]:
    """Return the code cells with their numbers among all cells."""
    return [(number, cell) for number, cell in numbered(built) if cell.cell_type == "code"]


def code_nodes(built: Built) -> Iterator[tuple[int, ast.AST]]:
    """Yield every node of the code cells' syntax trees with its cell's number."""
    for number, cell in code_cells(built):
        # Magics and shell lines are not Python; what is left of the cell still is.
        plain = "\n".join("pass" if line[:1] in ("%", "!") else line for line in cell.source.splitlines())
        try:
            tree = ast.parse(plain)
        except SyntaxError:
            continue  # shown on purpose, or the execution has already failed
        yield from ((number, node) for node in ast.walk(tree))


def text_cells(built: Built) -> list[tuple[int, NotebookNode]]:
    """Return the markdown cells with their numbers among all cells."""
    return [(number, cell) for number, cell in numbered(built) if cell.cell_type == "markdown"]


def tags_of(cell: NotebookNode) -> list[str]:
    """Return the cell's tags."""
    return list(cell.metadata.get("tags", []))


def output_texts(cell: NotebookNode) -> Iterator[str]:
    """Yield whatever a reader sees as text in the cell's outputs."""
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            yield output.text
        elif output.output_type == "error":
            yield "\n".join([output.ename, output.evalue, *output.traceback])
        else:
            yield from (str(output.data[kind]) for kind in TEXT_TYPES if kind in output.data)
