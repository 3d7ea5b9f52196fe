"""The text of solutions, read from the built solution notebooks: they are what an installation carries."""

from __future__ import annotations

import json
from pathlib import Path

from kafkalab.courseware.files import lesson_files, lessons_folder
from kafkalab.errors import EnvironmentProblem

__all__ = ["solution_text"]


def solution_text(name: str, folder: Path | None = None) -> str:
    """Return the code of the solved cell of an exercise.

    Args:
        name: the exercise.
        folder: where the solution notebooks lie; by default this installation's.

    Raises:
        EnvironmentProblem: no solution notebook has it.
    """
    place = folder or lessons_folder() / "solutions"
    for path in lesson_files(place):
        if path.name[:2] == name[:2]:
            for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
                if cell["metadata"].get("kafkalab", {}).get("exercise") == name:
                    return "".join(cell["source"])
    raise EnvironmentProblem(
        f"no notebook in {place} has the solution of {name}: install kafkalab again, or build the lessons."
    )
