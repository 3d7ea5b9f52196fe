# mypy: disable-error-code="no-untyped-call"
# (nbformat has no type information for most of its functions)

from __future__ import annotations

from typing import Any

import nbformat
import pytest
from ipykernel.ipkernel import IPythonKernel
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from kafkalab.courseware.copies import fingerprint, fresh_copy


def text_of(*cells: Any) -> str:
    text: str = nbformat.writes(new_notebook(cells=list(cells), metadata={"language_info": {"name": "python"}}))
    return text


def lesson(code: str = "1 + 1", **ran: Any) -> str:
    tags = {"tags": ["raises-exception"]}
    return text_of(new_markdown_cell("# 98"), new_code_cell(code, id="a", metadata=tags, **ran))


RAN = lesson(execution_count=3, outputs=[new_output("stream", text="2")])


def test_a_fresh_copy_has_not_been_run() -> None:
    cell = nbformat.reads(fresh_copy(RAN), as_version=4).cells[1]
    assert (cell.execution_count, cell.outputs) == (None, [])
    assert (cell.source, cell.id, cell.metadata) == ("1 + 1", "a", {"tags": ["raises-exception"]})


def test_a_fresh_copy_describes_its_language_as_the_kernel_does() -> None:
    assert nbformat.reads(fresh_copy(RAN), as_version=4).metadata.language_info == IPythonKernel.language_info


def test_running_and_copying_change_no_fingerprint() -> None:
    assert fingerprint(RAN) == fingerprint(lesson()) == fingerprint(fresh_copy(RAN)) is not None


def test_the_empty_cell_that_jupyterlab_adds_changes_no_fingerprint() -> None:
    assert fingerprint(text_of(new_code_cell("1"), new_code_cell(""))) == fingerprint(text_of(new_code_cell("1")))


@pytest.mark.parametrize(
    "changed",
    [
        lesson("1 + 2"),
        text_of(new_markdown_cell("# 98")),
        text_of(new_markdown_cell("# 98"), new_markdown_cell("1 + 1")),
        text_of(new_markdown_cell("# 98"), new_code_cell("1 + 1"), new_markdown_cell("a note of mine")),
        text_of(new_code_cell("1 + 1"), new_markdown_cell("# 98")),
    ],
)
def test_whatever_a_learner_writes_changes_the_fingerprint(changed: str) -> None:
    assert fingerprint(changed) not in (None, fingerprint(lesson()))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "{}", '{"cells": 3}', '{"cells": [{}]}', '{"cells": [3]}'])
def test_what_is_no_notebook_has_no_fingerprint(text: str) -> None:
    assert fingerprint(text) is None
