"""Where the lessons lie, and writing a file so that it is whole or as it was."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import kafkalab
from kafkalab.errors import EnvironmentProblem

__all__ = ["LESSON", "checkout", "lesson_files", "lessons_folder", "write_atomically"]

LESSON = re.compile(r"\d\d_[a-z0-9_]+\.ipynb")
"""The file name of a lesson: two digits and its topic."""
PACKAGE = Path(kafkalab.__file__).resolve().parent


def checkout() -> Path | None:
    """Return the root of the checkout that this package is used from, or None where it is installed."""
    root = PACKAGE.parent
    return root if (root / "notebooks" / "source").is_dir() and (root / "pyproject.toml").is_file() else None


def lessons_folder() -> Path:
    """Return the folder of the built lessons; its ``solutions`` folder holds the solved ones.

    Raises:
        EnvironmentProblem: this installation has no lessons.
    """
    root = checkout()
    folder = root / "notebooks" if root else PACKAGE / "_lessons"
    if not folder.is_dir():
        raise EnvironmentProblem(f"no lessons at {folder}: install kafkalab again.")
    return folder


def lesson_files(folder: Path) -> list[Path]:
    """Return the lesson notebooks directly in a folder, by number; other files there are no lessons."""
    return sorted(path for path in folder.glob("*.ipynb") if LESSON.fullmatch(path.name))


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write the content beside the path and move it there: a reader sees the old file or the new one."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        part.chmod(0o644)  # a temporary file is for its owner's eyes only
        part.replace(path)
    except BaseException:
        part.unlink()
        raise
