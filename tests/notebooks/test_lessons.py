"""What strict nbval cannot see of the committed lessons.

nbval runs every cell and compares the outputs; here each lesson and each solution is held against its source
and against the house rules. That every rule can fail is shown in ``tests/unit/courseware/test_rules.py``.
"""

# mypy: disable-error-code="no-untyped-call"
# (nbformat has no type information for most of its functions)

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest

from kafkalab.courseware.build import target_path
from kafkalab.courseware.catalogue import declared_exercises
from kafkalab.courseware.files import checkout, lesson_files
from kafkalab.courseware.notebook import as_text, assemble
from kafkalab.courseware.rules import RULES, Built
from kafkalab.courseware.rules.steps import out_of_step
from kafkalab.courseware.solutions import solution_text
from kafkalab.courseware.source import Kind, Source, read_source

ROOT = checkout()
assert ROOT is not None, "the lessons are tested in a checkout"
NOTEBOOKS = ROOT / "notebooks"
SOURCES = sorted((NOTEBOOKS / "source").glob("*.py"))
EXERCISES = [item.name for item in declared_exercises()]
REGION = re.compile(r"^[ ]*### BEGIN SOLUTION\n.*?^[ ]*### END SOLUTION\n", re.MULTILINE | re.DOTALL)

each_source = pytest.mark.parametrize("path", SOURCES, ids=[path.stem for path in SOURCES])
each_notebook = pytest.mark.parametrize(
    ("path", "kind"),
    [pytest.param(path, kind, id=f"{path.stem}-{kind.value}") for path in SOURCES for kind in Kind],
)


def read(path: Path, kind: Kind) -> Built:
    built = target_path(NOTEBOOKS, path.stem, kind)
    return Built(nbformat.read(built, as_version=4), built)


def source_of(path: Path) -> Source:
    return read_source(path, declared_exercises())


def test_the_first_lesson_is_there() -> None:
    assert [path.name[:3] for path in SOURCES][:1] == ["00_"]


@pytest.mark.parametrize("folder", [NOTEBOOKS, NOTEBOOKS / "solutions"], ids=["lessons", "solutions"])
def test_every_notebook_has_a_source_and_every_source_a_notebook(folder: Path) -> None:
    assert [path.stem for path in lesson_files(folder)] == [path.stem for path in SOURCES]
    assert len(list(folder.glob("*.ipynb"))) == len(SOURCES)


@each_notebook
@pytest.mark.parametrize("rule", RULES)
def test_keeps_the_house_rule(rule: str, path: Path, kind: Kind) -> None:
    assert RULES[rule](read(path, kind)) == []


@each_notebook
def test_is_in_step_with_its_source(path: Path, kind: Kind) -> None:
    assert out_of_step(read(path, kind).notebook, source_of(path), kind) == []


@each_notebook
def test_carries_the_hash_of_its_source(path: Path, kind: Kind) -> None:
    recorded = read(path, kind).notebook.metadata.kafkalab.source_sha256
    assert recorded == hashlib.sha256(path.read_bytes()).hexdigest()


@each_notebook
def test_unexecuted_it_is_built_the_same_twice(path: Path, kind: Kind) -> None:
    assert as_text(assemble(source_of(path), kind)) == as_text(assemble(source_of(path), kind))


@each_notebook
def test_the_file_is_as_the_build_writes_it(path: Path, kind: Kind) -> None:
    built = read(path, kind)
    assert built.path.read_text(encoding="utf-8") == as_text(built.notebook)


def cells_of(path: Path) -> list[dict[str, Any]]:
    """Read without any part of the build, as another program would."""
    cells: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return cells


@each_source
def test_the_lesson_is_the_source_without_its_solutions(path: Path) -> None:
    open_text = REGION.sub("", path.read_text(encoding="utf-8"))
    expected = [cell.source for cell in jupytext.reads(open_text, fmt="py:percent").cells]
    assert [
        "".join(cell["source"]) for cell in cells_of(target_path(NOTEBOOKS, path.stem, Kind.LESSON))
    ] == expected


@each_source
def test_lesson_and_solution_differ_in_nothing_but_the_exercises(path: Path) -> None:
    lesson, solution = (cells_of(target_path(NOTEBOOKS, path.stem, kind)) for kind in Kind)
    assert len(lesson) == len(solution)
    differing = [
        left["metadata"].get("kafkalab", {}).get("exercise", "no exercise")
        for left, right in zip(lesson, solution, strict=True)
        if left["source"] != right["source"]
    ]
    assert differing == source_of(path).exercises


@each_source
def test_no_part_of_a_solution_is_left_in_the_lesson(path: Path) -> None:
    text = target_path(NOTEBOOKS, path.stem, Kind.LESSON).read_text(encoding="utf-8")
    assert "SOLUTION" not in text


@pytest.mark.parametrize("name", EXERCISES)
def test_the_solution_of_every_exercise_can_be_shown(name: str) -> None:
    shown = solution_text(name)
    assert len(shown.splitlines()) >= 1
    assert "### " not in shown
    compile(shown, name, "exec")


@each_source
def test_a_lesson_has_two_to_four_exercises(path: Path) -> None:
    assert 2 <= len(source_of(path).exercises) <= 4
