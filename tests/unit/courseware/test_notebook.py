# mypy: disable-error-code="no-untyped-call"
# (nbformat has no type information for most of its functions)

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from kafkalab.courseware.catalogue import declared_exercises
from kafkalab.courseware.notebook import as_text, assemble, without_outputs
from kafkalab.courseware.source import Kind, Source, read_source


@pytest.fixture
def source(course: Path) -> Source:
    return read_source(course / "source" / "98_trial.py", declared_exercises())


@pytest.mark.parametrize("kind", Kind)
def test_the_notebook_is_valid_and_says_where_it_comes_from(source: Source, kind: Kind) -> None:
    notebook = assemble(source, kind)
    nbformat.validate(notebook)
    assert notebook.metadata.kafkalab == {
        "kind": kind.value,
        "lesson": "98_trial",
        "source_sha256": source.sha256,
    }
    assert notebook.metadata.kernelspec.name == "python3"
    assert "version" not in notebook.metadata.language_info


@pytest.mark.parametrize("kind", Kind)
def test_the_same_source_gives_the_same_text(source: Source, kind: Kind) -> None:
    assert as_text(assemble(source, kind)) == as_text(assemble(source, kind))
    assert as_text(assemble(source, kind)).endswith("}\n")


def test_only_the_lessons_check_is_expected_to_raise(source: Source) -> None:
    lesson, solution = (
        next(cell for cell in assemble(source, kind).cells if "check" in cell.metadata.get("kafkalab", {}))
        for kind in Kind
    )
    assert lesson.metadata == {"kafkalab": {"check": "98.pair"}, "tags": ["raises-exception"]}
    assert solution.metadata == {"kafkalab": {"check": "98.pair"}}


def test_the_exercise_can_be_found(source: Source) -> None:
    texts = [
        cell.source
        for kind in Kind
        for cell in assemble(source, kind).cells
        if cell.metadata.get("kafkalab", {}).get("exercise") == "98.pair"
    ]
    assert texts == ["# Make a list of two.\nanswer = ...", "# Make a list of two.\nanswer = [1, 2]"]


def test_an_id_depends_on_nothing_but_the_content(course: Path, source: Source) -> None:
    before = [cell.id for cell in assemble(source, Kind.LESSON).cells]
    path = course / "source" / "98_trial.py"
    path.write_text("# %% [markdown]\n# A new first cell.\n\n" + path.read_text())
    after = [cell.id for cell in assemble(read_source(path, declared_exercises()), Kind.LESSON).cells]
    assert after[1:] == before
    assert len(set(after)) == len(after)


def test_equal_cells_have_different_ids(course: Path) -> None:
    path = course / "source" / "97_equal.py"
    path.write_text("# %%\n1\n\n# %%\n1\n\n# %% [markdown]\n# 1\n")
    cells = assemble(read_source(path, declared_exercises()), Kind.LESSON).cells
    assert len({cell.id for cell in cells}) == 3


def test_outputs_are_taken_away_from_a_copy(source: Source) -> None:
    notebook = assemble(source, Kind.LESSON)
    bare = as_text(notebook)
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="1\n")]
    notebook.cells[1].execution_count = 1
    assert as_text(without_outputs(notebook)) == bare
    assert notebook.cells[1].execution_count == 1
