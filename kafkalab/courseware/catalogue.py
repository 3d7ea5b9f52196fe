"""All declared exercises: the ``Exercise`` objects in the modules ``lesson_NN`` of a package.

The package is ``kafkalab.courseware.exercises``; a course of its own names another one in the environment
variable ``KAFKALAB_EXERCISES``.
"""

from __future__ import annotations

import difflib
import importlib
import os
import pkgutil
from collections.abc import Iterable, Iterator
from types import ModuleType

from kafkalab.courseware.declaration import Exercise
from kafkalab.errors import InvalidArgument

__all__ = ["Catalogue", "declared_exercises"]

PACKAGE = "kafkalab.courseware.exercises"


class Catalogue:
    """Exercises by name, in the order of the lessons and, within one, of their declaration.

    Raises:
        InvalidArgument: two exercises have the same name.
    """

    def __init__(self, exercises: Iterable[Exercise]) -> None:
        self._by_name: dict[str, Exercise] = {}
        for item in exercises:
            if item.name in self._by_name:
                raise InvalidArgument(f"exercise {item.name} is declared twice: give one another name.")
            self._by_name[item.name] = item

    def __iter__(self) -> Iterator[Exercise]:
        return iter(self._by_name.values())

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def find(self, name: str) -> Exercise:
        """Return the exercise of that name.

        Raises:
            InvalidArgument: there is none; the message names the nearest ones.
        """
        if name in self._by_name:
            return self._by_name[name]
        near = difflib.get_close_matches(str(name), self._by_name, n=3, cutoff=0.3)
        advice = f"did you mean {', '.join(near)}?" if near else "call progress() to see all of them."
        raise InvalidArgument(f"there is no exercise {name!r}: {advice}")

    def of_lesson(self, lesson: str) -> list[Exercise]:
        """Return the exercises of the lesson with these two digits."""
        return [item for item in self if item.lesson == lesson]


def _declared_in(module: ModuleType) -> Iterator[Exercise]:
    # A module keeps its names in the order in which they were bound: the order of declaration.
    number = module.__name__[-2:]
    for item in vars(module).values():
        if isinstance(item, Exercise):
            if item.lesson != number:
                raise InvalidArgument(
                    f"exercise {item.name} stands in {module.__name__}: move it to lesson_{item.lesson}."
                )
            yield item


def declared_exercises(package: str | None = None, *, lesson: str | None = None) -> Catalogue:
    """Import the ``lesson_NN`` modules of the package and return what they declare.

    Args:
        package: importable name; by default ``KAFKALAB_EXERCISES``, else kafkalab's own exercises.
        lesson: two digits: this lesson's module only, so that a mistake in another one does no harm here.

    Raises:
        InvalidArgument: the package cannot be imported, or a name occurs twice or in the wrong module.
    """
    name = package or os.environ.get("KAFKALAB_EXERCISES") or PACKAGE
    try:
        root = importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise InvalidArgument(
            f"the exercises package {name!r} cannot be imported ({error}): correct KAFKALAB_EXERCISES."
        ) from error
    found = sorted(item.name for item in pkgutil.iter_modules(root.__path__) if item.name[:7] == "lesson_")
    if lesson is not None:
        found = [item for item in found if item == f"lesson_{lesson}"]
    modules = [importlib.import_module(f"{name}.{item}") for item in found]
    return Catalogue(item for module in modules for item in _declared_in(module))
