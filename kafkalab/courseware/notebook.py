"""From a source to its two notebooks, before execution: the same bytes from the same source, each time."""

from __future__ import annotations

import copy
import hashlib
from collections import Counter
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from kafkalab.courseware.source import Kind, Source, SourceCell

__all__ = ["NotebookNode", "as_text", "assemble", "without_outputs"]

NotebookNode = nbformat.NotebookNode

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
# Without Python's version: it would differ from one machine to the next.
LANGUAGE = {
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "pygments_lexer": "ipython3",
}


def assemble(source: Source, kind: Kind) -> NotebookNode:
    """Return the unexecuted notebook of this kind, its source's hash in the metadata."""
    seen: Counter[str] = Counter()
    cells = [_assemble_cell(cell, kind, seen) for cell in source.cells]
    about = {"kind": kind.value, "lesson": source.name, "source_sha256": source.sha256}
    metadata = {"kafkalab": about, "kernelspec": dict(KERNEL), "language_info": dict(LANGUAGE)}
    notebook: NotebookNode = new_notebook(cells=cells, metadata=metadata)  # type: ignore[no-untyped-call]
    notebook.nbformat_minor = 5
    return notebook


def _assemble_cell(cell: SourceCell, kind: Kind, seen: Counter[str]) -> NotebookNode:
    text = cell.text_for(kind)
    make = new_code_cell if cell.cell_type == "code" else new_markdown_cell
    number = _cell_id(cell.cell_type, text, seen)
    node: NotebookNode = make(text, id=number, metadata=_metadata(cell, kind))  # type: ignore[no-untyped-call]
    return node


def _cell_id(cell_type: str, text: str, seen: Counter[str]) -> str:
    # From the content alone, so that a cell added above changes no other cell's id.
    content = f"{cell_type}\n{text}"
    seen[content] += 1
    return hashlib.sha256(f"{seen[content]}\n{content}".encode()).hexdigest()[:12]


def _metadata(cell: SourceCell, kind: Kind) -> dict[str, Any]:
    metadata = copy.deepcopy(cell.metadata)
    tags = list(metadata.pop("tags", []))
    if cell.check and kind is Kind.LESSON:
        # Unsolved, the check raises: with this tag Run All goes on, and nbval compares the message.
        tags.append("raises-exception")
    about = {"exercise": cell.exercise, "check": cell.check}
    named = {key: value for key, value in about.items() if value}
    if named:
        metadata["kafkalab"] = named
    if tags:
        metadata["tags"] = tags
    return metadata


def as_text(notebook: NotebookNode) -> str:
    """Return the notebook as its file's text: sorted keys, one space of indent, a line end at the end."""
    text: str = nbformat.writes(notebook, version=4, indent=1)  # type: ignore[no-untyped-call]
    return text.rstrip("\n") + "\n"


def without_outputs(notebook: NotebookNode) -> NotebookNode:
    """Return a copy as it was before execution."""
    bare = copy.deepcopy(notebook)
    for cell in bare.cells:
        if cell.cell_type == "code":
            cell.outputs = []
            cell.execution_count = None
    return bare
