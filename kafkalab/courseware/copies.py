"""The learner's copy of a lesson: not run yet, and told from work of the learner's own by its cells' texts."""

from __future__ import annotations

import hashlib
import json

import nbformat

from kafkalab.courseware.notebook import as_text, without_outputs

__all__ = ["fingerprint", "fresh_copy"]


def fingerprint(text: str) -> str | None:
    """Return the SHA-256 of the cells' types and texts, or None where the text is no notebook.

    What running a notebook changes has no part in it: outputs, execution counts, metadata, and the empty cell
    that JupyterLab adds below the last one.
    """
    try:
        cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(text)["cells"]]
    except (ValueError, KeyError, TypeError):
        return None
    written = [cell for cell in cells if cell[1].strip()]
    return hashlib.sha256(json.dumps(written).encode()).hexdigest()


def fresh_copy(text: str) -> str:
    """Return a built lesson as a learner should first see it: nothing has run, and nothing gives answers away.

    Its language is described as the kernel of this Python does. Where the two differ, JupyterLab adopts the
    kernel's words, and marks as unsaved what nobody has touched.

    Raises:
        ValueError: the text is no notebook.
    """
    from ipykernel.ipkernel import IPythonKernel  # late: half a second

    notebook = without_outputs(nbformat.reads(text, as_version=4))  # type: ignore[no-untyped-call]
    notebook.metadata["language_info"] = dict(IPythonKernel.language_info)
    return as_text(notebook)
