"""The learner's desk: check an exercise, ask for a hint or the solution, look at the progress."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

from kafkalab.courseware.catalogue import Catalogue, declared_exercises
from kafkalab.courseware.declaration import Exercise, NotDoneYet
from kafkalab.courseware.report import ProgressReport, Solution, State
from kafkalab.courseware.solutions import solution_text
from kafkalab.courseware.store import Store, default_store
from kafkalab.errors import EnvironmentProblem, InvalidArgument

__all__ = ["Desk", "check", "hint", "leave_out", "progress", "solution"]

_left_out: set[str] = set()


class Desk:
    """Exercises on one side, what is done on the other; hints are counted per desk, that is per kernel.

    Args:
        catalogue: the exercises.
        store: keeps which are done.
        left_out: names of those that cannot be done on this cluster, now or later.
    """

    def __init__(self, catalogue: Catalogue, store: Store, left_out: Collection[str] = ()) -> None:
        self._catalogue = catalogue
        self._store = store
        self._left_out = left_out
        self._hints_given: dict[str, int] = {}

    def check(self, name: str, *observed: object, **answers: object) -> None:
        """See ``kafkalab.courseware.check``."""
        item = self._catalogue.find(name)
        try:
            seen = item.judge(*observed, **answers)
        except NotDoneYet as reason:
            raise NotDoneYet(_not_done(item, str(reason))) from None
        print(f"Done: {seen}")
        try:
            if self._store.add(name):
                self._say_when_lesson_is_done(item.lesson)
        except EnvironmentProblem as problem:
            print(f"Your progress could not be kept: {problem}")

    def _say_when_lesson_is_done(self, lesson: str) -> None:
        names = {item.name for item in self._catalogue.of_lesson(lesson)}
        if names <= self._store.done():
            print(f"All exercises of lesson {lesson} are done ({len(names)} of {len(names)}).")

    def hint(self, name: str) -> None:
        """See ``kafkalab.courseware.hint``."""
        item = self._catalogue.find(name)
        given = self._hints_given.get(name, 0)
        self._hints_given[name] = given + 1
        last = given >= len(item.hints) - 1
        print(f"Hint: {item.hints[-1] if last else item.hints[given]}")
        print(f'Still stuck? solution("{name}") shows it.' if last else "Call it again for a stronger hint.")

    def solution(self, name: str) -> Solution:
        """See ``kafkalab.courseware.solution``."""
        item = self._catalogue.find(name)
        return Solution(item.name, item.task, solution_text(item.name))

    def progress(self, lesson: str | None = None) -> ProgressReport:
        """See ``kafkalab.courseware.progress``."""
        items = list(self._catalogue) if lesson is None else self._catalogue.of_lesson(lesson)
        if not items:
            where = "in this course" if lesson is None else f"in lesson {lesson!r}"
            raise InvalidArgument(f"there are no exercises {where}: progress() shows those of all lessons.")
        done = self._store.done()
        return ProgressReport(tuple((item.name, item.task, self._state(item.name, done)) for item in items))

    def _state(self, name: str, done: Collection[str]) -> State:
        if name in done:
            return "done"
        return "left out" if name in self._left_out else "open"


def _not_done(item: Exercise, reason: str) -> str:
    return f'Not done yet: {reason}\nTask: {item.task}\nStuck? Call hint("{item.name}").'


@cache
def _store() -> Store:
    return default_store()


@cache
def _desk(lesson: str | None) -> Desk:
    catalogue = declared_exercises(lesson=lesson)
    if not list(catalogue):
        catalogue = declared_exercises()  # a misspelt name: the nearest of all are suggested
    return Desk(catalogue, _store(), _left_out)


def leave_out(name: str) -> None:
    """Let an exercise count as one that cannot be done here, unless it is done, as long as this kernel runs."""
    _left_out.add(name)


def check(name: str, /, *observed: object, **answers: object) -> None:
    """Check an exercise against the state of the cluster; print what was seen and remember it as done.

    Args:
        name: the exercise, for example ``"00.first-topic"``.
        observed: what the check looks at, usually the cluster.
        answers: the learner's answers by name; one that is still ``...`` is not done yet.

    Raises:
        NotDoneYet: with what was seen instead; a notebook shows just that message.
        InvalidArgument: there is no such exercise, or its check takes other arguments.
    """
    _desk(name[:2]).check(name, *observed, **answers)


def hint(name: str) -> None:
    """Print a hint for an exercise: the gentle one first, the stronger one from the second call on.

    Raises:
        InvalidArgument: there is no such exercise.
    """
    _desk(name[:2]).hint(name)


def solution(name: str) -> Solution:
    """Return the solution of an exercise; a notebook shows it folded away, a terminal as text.

    Raises:
        InvalidArgument: there is no such exercise.
        EnvironmentProblem: the solution notebooks are not installed.
    """
    return _desk(name[:2]).solution(name)


def progress(lesson: str | None = None) -> ProgressReport:
    """Return which exercises are done, of one lesson (``"00"``) or of all, kept between sittings.

    Raises:
        InvalidArgument: there is no such lesson, or it has no exercises.
        EnvironmentProblem: the progress file cannot be read.
    """
    return _desk(lesson).progress(lesson)
