"""Executing a notebook in a fresh kernel, and taking out of its outputs what differs between two runs."""

from __future__ import annotations

import copy
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, CellExecutionError, DeadKernelError

from kafkalab.courseware.notebook import NotebookNode
from kafkalab.errors import KafkalabError

__all__ = ["CELL_TIMEOUT", "ExecutionFailed", "execute"]

CELL_TIMEOUT = 300
"""Seconds for one cell; a whole lesson is meant to take less than sixty."""

ANSI = re.compile(r"\x1b\[[0-9;]*m")
TRACEBACK_LINES = 25
WIDGET = "application/vnd.jupyter.widget-view+json"


class ExecutionFailed(KafkalabError):
    """A cell failed that is not tagged raises-exception, or ran out of time; says which, and why."""


def execute(notebook: NotebookNode, folder: Path, *, on_cell: Callable[[int, int], None] | None = None) -> None:
    """Execute in place, in a fresh kernel of this Python, whose working folder is the one given.

    The kernel's exercises keep no progress: a learner's own is neither used nor changed.

    Args:
        notebook: unexecuted; afterwards with outputs.
        folder: the kernel's working folder.
        on_cell: called before each code cell with its number and the number of all cells.

    Raises:
        ExecutionFailed: names the cell, its text and the error.
    """
    running = {"number": 0}
    metadata = copy.deepcopy(notebook.metadata)

    def started(cell_index: int, **_: object) -> None:
        running["number"] = cell_index + 1
        if on_cell:
            on_cell(cell_index + 1, len(notebook.cells))

    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        # The kernel may answer before its outputs are here: by default they are missed after 4 s, and nobody is told.
        iopub_timeout=CELL_TIMEOUT,
        raise_on_iopub_timeout=True,
        kernel_name="python3",
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],  # the kernel's own warnings belong to no lesson
        resources={"metadata": {"path": str(folder)}},
        on_cell_start=started,
    )
    with tempfile.TemporaryDirectory(prefix="kafkalab-ipython-") as profile:
        try:
            client.execute(env=_environment(profile))
        except (CellControlSignal, DeadKernelError) as error:
            number = running["number"]
            raise ExecutionFailed(_describe(number, notebook.cells[number - 1], error)) from error
    notebook.metadata = metadata  # without the version of the Python that ran it
    _normalise(notebook)


def _environment(profile: str) -> dict[str, str]:
    # Neither the user's IPython start-up files nor a backend set for scripts may shape the outputs.
    environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    return environment | {"IPYTHONDIR": profile, "KAFKALAB_PROGRESS_FILE": ":memory:"}


def _describe(number: int, cell: NotebookNode, error: Exception) -> str:
    if isinstance(error, CellExecutionError):
        # nbclient's text quotes the cell, and ends with the kernel's traceback.
        shown = ANSI.sub("", error.traceback).splitlines()[-TRACEBACK_LINES:]
        return f"cell {number} failed with {error.ename}: {error.evalue}\n" + "\n".join(shown)
    return f"cell {number} failed with {type(error).__name__}: {error}\n{cell.source}"


def _normalise(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.metadata.pop("execution", None)
            cell.outputs = _coalesced(cell.outputs)
            for output in cell.outputs:
                # Without its kernel a page shows an error in a widget's place; its words stay.
                output.get("data", {}).pop(WIDGET, None)
                if output.output_type == "error":
                    output.traceback = _short_traceback(output)


def _coalesced(outputs: list[NotebookNode]) -> list[NotebookNode]:
    # How often a kernel flushes is chance: neighbouring pieces of one stream are one output.
    merged: list[NotebookNode] = []
    for output in outputs:
        last: Any = merged[-1] if merged else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            merged.append(output)
    return merged


def _short_traceback(output: NotebookNode) -> list[str]:
    # A full one names folders of the machine it was made on.
    if output.ename == "NotDoneYet":
        return list(output.traceback)
    return [f"{output.ename}: {output.evalue}"]
