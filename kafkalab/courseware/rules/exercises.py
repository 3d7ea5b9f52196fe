"""Rules about exercises, seen in the executed outputs: open in the lesson, solved in the solution."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from kafkalab.courseware.notebook import NotebookNode
from kafkalab.courseware.rules.cells import Built, code_cells, code_nodes, output_texts
from kafkalab.courseware.source import Kind

__all__ = ["open_exercises_say_so", "solved_exercises_say_so", "the_desk_is_imported"]

DESK = ("check", "hint", "solution", "progress")


def open_exercises_say_so(built: Built) -> list[str]:
    """In a lesson every check says "Not done yet", what it saw, the task, and how to get a hint."""
    complaints = []
    for number, name, cell in _checks(built, Kind.LESSON):
        errors = [output for output in cell.outputs if output.output_type == "error"]
        if [error.ename for error in errors] != ["NotDoneYet"]:
            seen = ", ".join(f"{error.ename}: {error.evalue}" for error in errors) or "no error"
            complaints.append(f"the stub of {name} gives {seen} in cell {number}; it must give NotDoneYet.")
            continue
        lines = errors[0].evalue.splitlines()
        helpful = len(lines) >= 3 and len(lines[0]) > 30 and lines[0].startswith("Not done yet: ")
        if not helpful or f'hint("{name}")' not in errors[0].evalue:
            complaints.append(f"the check of {name} in cell {number} is no help: {errors[0].evalue!r}.")
    return complaints


def solved_exercises_say_so(built: Built) -> list[str]:
    """In a solution every check prints "Done: " and what it saw."""
    return [
        f"the solution of {name} does not pass its check in cell {number}."
        for number, name, cell in _checks(built, Kind.SOLUTION)
        if not any(line.startswith("Done: ") for text in output_texts(cell) for line in text.splitlines())
    ]


def the_desk_is_imported(built: Built) -> list[str]:
    """Where a check stands, its learner is told to call hint and solution: all four of the desk are imported."""
    if not any(cell.metadata.get("kafkalab", {}).get("check") for _, cell in code_cells(built)):
        return []
    imported = {
        alias.asname or alias.name
        for _, node in code_nodes(built)
        if isinstance(node, ast.ImportFrom) and node.module == "kafkalab.courseware"
        for alias in node.names
    }
    missing = [name for name in DESK if name not in imported]
    return [f"it has exercises, and does not import {', '.join(missing)} from kafkalab.courseware."] if missing else []


def _checks(built: Built, kind: Kind) -> Iterator[tuple[int, str, NotebookNode]]:
    if built.notebook.metadata.get("kafkalab", {}).get("kind") == kind.value:
        for number, cell in code_cells(built):
            name = cell.metadata.get("kafkalab", {}).get("check")
            if name:
                yield number, name, cell
