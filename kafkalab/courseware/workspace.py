"""A folder for the learner's own copies of the lessons, in which nothing the learner wrote is ever overwritten.

Lessons are never opened where they are built or installed: a checkout's ``git status`` and its notebook tests
stay clean, and an upgrade of the package cannot touch a learner's work. A copy starts without outputs: they
would answer what the lesson asks its reader to predict.

The texts of the cells decide what is work. The folder remembers those that were copied: a copy that still has
them may have been run, but has nothing that running it again would not give, so it is renewed when the lesson
changes. A copy with other texts is kept, and a newer version goes beside it as ``NN_topic.new-HASH.ipynb``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from filelock import FileLock, Timeout

from kafkalab.courseware.copies import fingerprint, fresh_copy
from kafkalab.courseware.files import checkout, lesson_files, lessons_folder, write_atomically
from kafkalab.errors import EnvironmentProblem

__all__ = ["Outcome", "Workspace", "default_workspace", "prepare_workspace"]

MEMORY = ".kafkalab-lessons.json"
LOCK_TIMEOUT = 30.0
"""Seconds to wait for another process that copies into the same folder."""


class Outcome(Enum):
    """What happened to one lesson."""

    COPIED = "copied: it was not there"
    RENEWED = "renewed: you had written nothing in it, and there is a newer version"
    CURRENT = "left, with the outputs of your runs: it is the current version"
    KEPT = "kept: you have worked on it"
    BESIDE = "kept: you have worked on it; a newer version lies beside it"


@dataclass(frozen=True)
class Workspace:
    """A prepared folder.

    Attributes:
        folder: where the copies are.
        first_lesson: the notebook to open first.
        outcomes: what happened to each lesson, by file name.
        beside: the newer versions that lie beside a learner's changed copies.
    """

    folder: Path
    first_lesson: Path
    outcomes: dict[str, Outcome]
    beside: tuple[Path, ...]

    @property
    def progress_file(self) -> Path:
        """Where the exercises done in this folder are kept: beside the work, for a cache may be shared."""
        return self.folder / ".kafkalab-progress.json"


def default_workspace() -> Path:
    """Return ``workspace`` in the root of a checkout, else ``kafkalab-lessons`` in the current folder."""
    root = checkout()
    return root / "workspace" if root else Path.cwd() / "kafkalab-lessons"


def prepare_workspace(folder: Path | None = None, lessons: Path | None = None) -> Workspace:
    """Copy the lessons into a folder, without their outputs, keeping whatever a learner wrote there.

    Args:
        folder: made where it is not there; by default ``default_workspace()``.
        lessons: the folder of the built lessons; by default this installation's.

    Raises:
        EnvironmentProblem: there are no lessons, one is damaged, or the folder cannot be written.
    """
    files = lesson_files(lessons or lessons_folder())
    if not files:
        raise EnvironmentProblem(f"no lessons in {lessons or lessons_folder()}: build them with make notebooks.")
    offers = [_offer(file) for file in files]
    place = (folder or default_workspace()).expanduser().absolute()
    try:
        place.mkdir(parents=True, exist_ok=True)
        with FileLock(place / ".kafkalab.lock", timeout=LOCK_TIMEOUT):
            if folder is None and checkout():
                write_atomically(place / ".gitignore", "*\n")
            outcomes, beside = _copy_all(offers, place)
    except (OSError, Timeout) as error:
        raise EnvironmentProblem(
            f"the workspace {place} cannot be written ({error}): name a folder of your own."
        ) from error
    return Workspace(place, place / files[0].name, outcomes, beside)


@dataclass(frozen=True)
class _Offer:
    """A lesson as it is offered to the learner."""

    name: str
    copy: str
    fingerprint: str


def _offer(file: Path) -> _Offer:
    text = file.read_text(encoding="utf-8")
    mark = fingerprint(text)
    if mark is None:
        raise EnvironmentProblem(f"the lesson {file} is damaged: install kafkalab again, or build the lessons.")
    return _Offer(file.name, fresh_copy(text), mark)


def _copy_all(offers: list[_Offer], place: Path) -> tuple[dict[str, Outcome], tuple[Path, ...]]:
    memory = _remembered(place / MEMORY)
    outcomes = {offer.name: _outcome(offer, place / offer.name, memory.get(offer.name)) for offer in offers}
    beside = []
    for offer in offers:
        outcome = outcomes[offer.name]
        if outcome in (Outcome.COPIED, Outcome.RENEWED):
            write_atomically(place / offer.name, offer.copy)
        elif outcome is Outcome.BESIDE:
            beside.append(_put_beside(offer, place))
        if outcome in (Outcome.COPIED, Outcome.RENEWED, Outcome.CURRENT):
            memory[offer.name] = offer.fingerprint
    write_atomically(place / MEMORY, json.dumps(memory, indent=1, sort_keys=True) + "\n")
    return outcomes, tuple(beside)


def _outcome(offer: _Offer, copy: Path, remembered: str | None) -> Outcome:
    if not copy.exists():
        return Outcome.COPIED
    present = fingerprint(copy.read_text(encoding="utf-8", errors="replace"))  # None: no notebook any more
    if present == offer.fingerprint:
        return Outcome.CURRENT
    if present is not None and present == remembered:
        return Outcome.RENEWED
    return Outcome.KEPT if remembered == offer.fingerprint else Outcome.BESIDE


def _put_beside(offer: _Offer, place: Path) -> Path:
    path = place / f"{Path(offer.name).stem}.new-{offer.fingerprint[:7]}.ipynb"
    if not path.exists():
        write_atomically(path, offer.copy)
    return path


def _remembered(path: Path) -> dict[str, str]:
    # Where nothing is remembered, every copy that differs counts as changed by the learner, and is kept.
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {name: value for name, value in content.items() if isinstance(value, str)}
