"""A lesson's source: jupytext percent text, read into cells with their exercises and checks."""

from __future__ import annotations

import ast
import hashlib
import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import jupytext  # type: ignore[import-untyped, unused-ignore]

from kafkalab.courseware.catalogue import Catalogue
from kafkalab.errors import KafkalabError

__all__ = ["Kind", "Source", "SourceCell", "SourceProblem", "read_source"]

BEGIN = "### BEGIN SOLUTION"
END = "### END SOLUTION"
FILE_NAME = re.compile(r"\d\d_[a-z0-9_]+\.py")
PLACEHOLDER = re.compile(r"\s*(\w+\s*=\s*)?\.\.\.\s*(#.*)?")


class SourceProblem(KafkalabError):
    """A lesson's source cannot be built as it is; the message names the file, the cell and the remedy."""


class Kind(Enum):
    """The two notebooks that are built from one source."""

    LESSON = "lesson"
    SOLUTION = "solution"


@dataclass(frozen=True)
class SourceCell:
    """One cell of a source.

    Attributes:
        number: its place in the source, from 1.
        cell_type: "markdown" or "code".
        text: as it stands in the source, solution included.
        metadata: as written in the cell's header.
        exercise: the name of the exercise that it is the stub and solution of, or None.
        check: the name of the exercise that it checks, or None.
    """

    number: int
    cell_type: str
    text: str
    metadata: dict[str, Any]
    exercise: str | None
    check: str | None

    def text_for(self, kind: Kind) -> str:
        """Return the text as the notebook of this kind has it."""
        if self.exercise is None:
            return self.text
        return _without_solution(self.text) if kind is Kind.LESSON else _without_stub(self.text)


@dataclass(frozen=True)
class Source:
    """A lesson's source file.

    Attributes:
        path: the file; its stem, ``NN_topic``, is the lesson's name.
        sha256: of the file's text, with line feeds as line ends.
        cells: its cells in order.
    """

    path: Path
    sha256: str
    cells: tuple[SourceCell, ...]

    @property
    def name(self) -> str:
        """The lesson's name, ``NN_topic``."""
        return self.path.stem

    @property
    def exercises(self) -> list[str]:
        """The names of its exercises, in order."""
        return [cell.exercise for cell in self.cells if cell.exercise]


def read_source(path: Path, catalogue: Catalogue) -> Source:
    """Read a source and hold it against the declared exercises.

    Raises:
        SourceProblem: the file is missing or misnamed; a solution is missing, empty or badly marked; an
            exercise is not declared, or declared but not used, used twice, or not checked below its cell.
    """
    if not FILE_NAME.fullmatch(path.name):
        raise SourceProblem(f"{path.name}: name the source NN_topic.py, for example 00_start_here.py.")
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SourceProblem(f"{path.name}: cannot be read ({error.strerror}).") from error
    cells = tuple(
        _cell(path, number, cell) for number, cell in enumerate(jupytext.reads(text, fmt="py:percent").cells, start=1)
    )
    source = Source(path, hashlib.sha256(text.encode("utf-8")).hexdigest(), cells)
    _hold_against(source, catalogue)
    return source


def _cell(path: Path, number: int, cell: Any) -> SourceCell:
    metadata = dict(cell.metadata)
    exercise = metadata.pop("exercise", None)
    check = None
    if cell.cell_type == "code":
        try:
            check = _checked_exercise(cell.source)
            _look_at_markers(cell.source, exercise)
        except ValueError as error:
            raise SourceProblem(f"{path.name}, cell {number}: {error}") from error
    return SourceCell(number, cell.cell_type, cell.source, metadata, exercise, check)


def _checked_exercise(text: str) -> str | None:
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return None  # a cell with a magic, or one that shows a syntax error: its execution tells
    calls = [
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "check"
        if node.args and isinstance(node.args[0], ast.Constant)
    ]
    if len(calls) > 1:
        raise ValueError("it calls check twice; give each check a cell of its own.")
    return str(calls[0]) if calls else None


def _look_at_markers(text: str, exercise: str | None) -> None:
    markers = [line.strip() for line in text.splitlines() if line.strip() in (BEGIN, END)]
    if exercise is None:
        if markers:
            raise ValueError('it has a solution but no name; write `# %% exercise="NN.name"` in its header.')
        return
    if not markers:
        raise ValueError(f"exercise {exercise} has no solution; put one between {BEGIN} and {END}.")
    if markers != [BEGIN, END] * (len(markers) // 2):
        raise ValueError(f"exercise {exercise} has {BEGIN} and {END} out of turn; close each region.")
    if _without_stub(text).strip() == _without_stub(_without_solution(text)).strip():
        raise ValueError(f"exercise {exercise} has an empty solution; write it between the markers.")
    if not _without_solution(text).strip():
        raise ValueError(f"exercise {exercise} has no stub; leave a line for the learner to start from.")
    for which, form in {"without": _without_solution(text), "with": _without_stub(text)}.items():
        try:
            ast.parse(form)
        except SyntaxError as error:
            raise ValueError(f"exercise {exercise} is no valid Python {which} its solution: {error}.") from error


def _without_solution(text: str) -> str:
    kept, inside = [], False
    for line in text.splitlines():
        if line.strip() in (BEGIN, END):
            inside = line.strip() == BEGIN
        elif not inside:
            kept.append(line)
    return "\n".join(kept).strip("\n")


def _without_stub(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip() not in (BEGIN, END)]
    return "\n".join(line for line in lines if not PLACEHOLDER.fullmatch(line)).strip("\n")


def _hold_against(source: Source, catalogue: Catalogue) -> None:
    used, module = source.exercises, f"exercises/lesson_{source.name[:2]}.py"
    declared = [item.name for item in catalogue.of_lesson(source.name[:2])]
    for name in used:
        if name not in declared:
            _refuse(source, f"exercise {name} is not declared; add it to {module}.")
        if used.count(name) > 1:
            _refuse(source, f"exercise {name} has two cells; keep one.")
    for name in declared:
        if name not in used:
            _refuse(source, f"exercise {name} of {module} has no cell and so no solution; add it, or remove it.")
    _look_at_checks(source)


def _look_at_checks(source: Source) -> None:
    asked: set[str] = set()
    checked: set[str] = set()
    for cell in source.cells:
        if cell.exercise:
            asked.add(cell.exercise)
        if cell.check:
            checked.add(cell.check)
            if cell.check not in asked:
                _refuse(source, f"cell {cell.number} checks {cell.check}, and no such exercise stands above.")
    for name in source.exercises:
        if name not in checked:
            _refuse(source, f'exercise {name} is never checked; add a cell with check("{name}", ...).')


def _refuse(source: Source, reason: str) -> None:
    raise SourceProblem(f"{source.path.name}: {reason}")
