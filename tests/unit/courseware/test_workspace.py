# mypy: disable-error-code="no-untyped-call"
# (nbformat has no type information for most of its functions)

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from kafkalab.courseware.files import checkout
from kafkalab.courseware.workspace import Outcome, Workspace, default_workspace, prepare_workspace
from kafkalab.errors import EnvironmentProblem

START, NEXT = "00_start.ipynb", "01_next.ipynb"


def write(path: Path, code: str, *, run: bool = True) -> None:
    outputs = [new_output("stream", text=f"output of {code}")]
    cell = new_code_cell(code, **({"execution_count": 1, "outputs": outputs} if run else {}))
    nbformat.write(new_notebook(cells=[cell]), path)


def cell_of(path: Path) -> Any:
    (cell,) = nbformat.read(path, as_version=4).cells
    return cell


@pytest.fixture
def lessons(tmp_path: Path) -> Path:
    folder = tmp_path / "lessons"
    folder.mkdir()
    write(folder / NEXT, "next, version 1")
    write(folder / START, "start, version 1")
    (folder / "other.txt").write_text("no lesson")
    return folder


def prepared(tmp_path: Path) -> Workspace:
    return prepare_workspace(tmp_path / "mine", tmp_path / "lessons")


def test_lessons_are_copied_and_the_first_is_named(lessons: Path, tmp_path: Path) -> None:
    workspace = prepared(tmp_path)
    assert workspace.first_lesson == tmp_path / "mine" / START
    assert cell_of(workspace.first_lesson).source == "start, version 1"
    assert set(workspace.outcomes.values()) == {Outcome.COPIED}
    visible = sorted(path.name for path in workspace.folder.iterdir() if not path.name.startswith("."))
    assert visible == [START, NEXT]
    assert workspace.progress_file.parent == workspace.folder


def test_a_copy_gives_no_answers_away_and_the_lesson_keeps_its_outputs(lessons: Path, tmp_path: Path) -> None:
    committed = (lessons / START).read_bytes()
    cell = cell_of(prepared(tmp_path).first_lesson)
    assert (cell.execution_count, cell.outputs) == (None, [])
    assert (lessons / START).read_bytes() == committed


def test_what_a_learner_wrote_is_kept(lessons: Path, tmp_path: Path) -> None:
    first = prepared(tmp_path).first_lesson
    write(first, "my work")
    mine = first.read_bytes()
    again = prepared(tmp_path)
    assert first.read_bytes() == mine
    assert again.outcomes == {START: Outcome.KEPT, NEXT: Outcome.CURRENT}
    assert again.beside == ()


def test_the_outputs_of_a_learners_run_are_kept(lessons: Path, tmp_path: Path) -> None:
    first = prepared(tmp_path).first_lesson
    write(first, "start, version 1")
    ran = first.read_bytes()
    assert prepared(tmp_path).outcomes[START] is Outcome.CURRENT
    assert first.read_bytes() == ran


def test_a_lesson_that_was_built_again_with_the_same_cells_is_no_newer_version(lessons: Path, tmp_path: Path) -> None:
    write(prepared(tmp_path).first_lesson, "my work")
    write(lessons / START, "start, version 1", run=False)
    assert prepared(tmp_path).outcomes == {START: Outcome.KEPT, NEXT: Outcome.CURRENT}


def test_a_newer_version_goes_beside_what_a_learner_wrote(lessons: Path, tmp_path: Path) -> None:
    first = prepared(tmp_path).first_lesson
    write(first, "my work")
    mine = first.read_bytes()
    write(lessons / START, "start, version 2")
    for _ in range(2):
        workspace = prepared(tmp_path)
        assert first.read_bytes() == mine
        (beside,) = workspace.beside
        assert beside.name.startswith("00_start.new-")
        assert (cell_of(beside).source, cell_of(beside).outputs) == ("start, version 2", [])
        assert workspace.first_lesson == first


def test_work_in_the_version_beside_is_kept_too(lessons: Path, tmp_path: Path) -> None:
    write(prepared(tmp_path).first_lesson, "my work")
    write(lessons / START, "start, version 2")
    (beside,) = prepared(tmp_path).beside
    write(beside, "more work")
    assert prepared(tmp_path).beside == (beside,)
    assert cell_of(beside).source == "more work"


@pytest.mark.parametrize("run", [False, True])
def test_a_copy_in_which_nobody_wrote_is_renewed(run: bool, lessons: Path, tmp_path: Path) -> None:
    first = prepared(tmp_path).first_lesson
    if run:
        write(first, "start, version 1")
    write(lessons / START, "start, version 2")
    workspace = prepared(tmp_path)
    assert (workspace.outcomes[START], workspace.beside) == (Outcome.RENEWED, ())
    assert (cell_of(first).source, cell_of(first).outputs) == ("start, version 2", [])
    # And what is remembered now is the second version.
    write(lessons / START, "start, version 3")
    assert prepared(tmp_path).outcomes[START] is Outcome.RENEWED


@pytest.mark.parametrize("memory", [None, "{", "[]", '{"00_start.ipynb": 3}'])
def test_where_nothing_is_remembered_everything_is_kept(memory: str | None, lessons: Path, tmp_path: Path) -> None:
    workspace = prepared(tmp_path)
    remembered = workspace.folder / ".kafkalab-lessons.json"
    remembered.unlink()
    if memory is not None:
        remembered.write_text(memory)
    write(lessons / START, "start, version 2")
    assert prepared(tmp_path).outcomes[START] is Outcome.BESIDE
    assert cell_of(workspace.first_lesson).source == "start, version 1"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"<<<<<<< mine"])
@pytest.mark.parametrize("memory", [True, False])
def test_what_is_no_notebook_any_more_is_kept(memory: bool, content: bytes, lessons: Path, tmp_path: Path) -> None:
    workspace = prepared(tmp_path)
    workspace.first_lesson.write_bytes(content)
    if not memory:
        (workspace.folder / ".kafkalab-lessons.json").unlink()
    write(lessons / START, "start, version 2")
    assert prepared(tmp_path).outcomes[START] is Outcome.BESIDE
    assert workspace.first_lesson.read_bytes() == content


def test_a_lesson_that_was_thrown_away_comes_back(lessons: Path, tmp_path: Path) -> None:
    prepared(tmp_path).first_lesson.unlink()
    assert prepared(tmp_path).outcomes[START] is Outcome.COPIED


def test_a_folder_that_cannot_be_made_is_one_sentence(lessons: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentProblem, match="name a folder of your own"):
        prepare_workspace(tmp_path / "file" / "mine", lessons)


def test_no_lessons_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(EnvironmentProblem, match="no lessons"):
        prepare_workspace(tmp_path / "mine", tmp_path / "empty")
    assert not (tmp_path / "mine").exists()


def test_a_damaged_lesson_is_one_sentence(lessons: Path, tmp_path: Path) -> None:
    (lessons / NEXT).write_text("{")
    with pytest.raises(EnvironmentProblem, match=r"01_next\.ipynb is damaged: install kafkalab again"):
        prepared(tmp_path)
    assert not (tmp_path / "mine").exists()


def test_in_a_checkout_the_workspace_is_a_folder_of_its_own() -> None:
    root = checkout()
    assert root is not None
    assert default_workspace() == root / "workspace"
