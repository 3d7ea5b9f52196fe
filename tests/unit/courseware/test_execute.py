# mypy: disable-error-code="no-untyped-call"
# (nbformat has no type information for most of its functions)

from __future__ import annotations

from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from kafkalab.courseware.execute import ExecutionFailed, execute
from kafkalab.courseware.notebook import NotebookNode


def notebook(*cells: str, **metadata: list[str]) -> NotebookNode:
    made: NotebookNode = new_notebook(cells=[new_code_cell(text, metadata=metadata) for text in cells])
    return made


def test_outputs_are_those_of_a_fresh_kernel_in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKALAB_PROGRESS_FILE", str(tmp_path / "mine.json"))
    monkeypatch.setenv("MPLBACKEND", "Agg")
    ran = notebook(
        "import os, pathlib, sys\npathlib.Path('here').touch()",
        "for word in 'many small pieces'.split():\n    print(word, flush=True)",
        "os.environ['KAFKALAB_PROGRESS_FILE'], 'inline' in os.environ['MPLBACKEND']",
    )
    seen: list[tuple[int, int]] = []
    execute(ran, tmp_path, on_cell=lambda number, of: seen.append((number, of)))
    assert (tmp_path / "here").exists()
    assert [cell.execution_count for cell in ran.cells] == [1, 2, 3]
    assert [(output.name, output.text) for output in ran.cells[1].outputs] == [("stdout", "many\nsmall\npieces\n")]
    assert ran.cells[2].outputs[0].data["text/plain"] == "(':memory:', True)"
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert ran.metadata == {}
    assert all(cell.metadata == {} for cell in ran.cells)


def test_of_a_widget_only_its_words_are_kept(tmp_path: Path) -> None:
    ran = notebook("import ipywidgets\nipywidgets.IntSlider()")
    execute(ran, tmp_path)
    (output,) = ran.cells[0].outputs
    assert list(output.data) == ["text/plain"]
    assert output.data["text/plain"].startswith("IntSlider(")
    assert ran.metadata == {}


def test_a_failing_cell_is_named_with_its_text_and_its_error(tmp_path: Path) -> None:
    with pytest.raises(ExecutionFailed, match="cell 2 failed with KeyError: 'orders'") as caught:
        execute(notebook("topics = {}", "topics['orders']"), tmp_path)
    assert "topics['orders']" in str(caught.value)
    assert "\x1b" not in str(caught.value)


# From now on the kernel does not say that all outputs of a cell are out.
MUTE = """
session = get_ipython().kernel.session
send = session.send
session.send = lambda stream, kind, *more, **named: None if kind == "status" else send(stream, kind, *more, **named)
"""


def test_outputs_that_may_be_missing_are_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kafkalab.courseware.execute.CELL_TIMEOUT", 5)
    with pytest.raises(ExecutionFailed, match="cell 1 failed with CellTimeoutError"):
        execute(notebook(MUTE), tmp_path)


def test_a_kernel_that_dies_is_said(tmp_path: Path) -> None:
    with pytest.raises(ExecutionFailed, match="cell 1 failed with DeadKernelError"):
        execute(notebook("import os\nos._exit(7)"), tmp_path)


def test_an_expected_error_keeps_its_message_and_no_path(tmp_path: Path) -> None:
    ran = notebook("import json\njson.loads('{')", tags=["raises-exception"])
    execute(ran, tmp_path)
    (output,) = ran.cells[0].outputs
    assert output.ename == "JSONDecodeError"
    assert output.traceback == [f"JSONDecodeError: {output.evalue}"]


def test_an_open_exercise_is_one_message(tmp_path: Path) -> None:
    raising = "from kafkalab.courseware import NotDoneYet\nraise NotDoneYet('first line\\nsecond line')"
    ran = notebook(raising, tags=["raises-exception"])
    execute(ran, tmp_path)
    (output,) = ran.cells[0].outputs
    assert (output.ename, output.evalue) == ("NotDoneYet", "first line\nsecond line")
    assert output.traceback == ["first line", "second line"]
