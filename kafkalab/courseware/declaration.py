"""What an exercise is, and how one is declared: name, task, two hints, and a check of the cluster's state."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass

from kafkalab.errors import BorrowedCluster, InvalidArgument, KafkalabError

__all__ = ["Exercise", "NotDoneYet", "exercise", "expect"]

NAME = re.compile(r"(?P<lesson>\d\d)\.[a-z0-9]+(-[a-z0-9]+)*")


class NotDoneYet(KafkalabError):
    """An exercise is not solved yet; the message says what was seen and what is asked for.

    A notebook shows the message alone: an exercise that waits for its learner is no failure of a program.
    """

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback."""
        return str(self).splitlines()


@dataclass(frozen=True)
class Exercise:
    """One exercise, refused at declaration where something is missing.

    Attributes:
        name: lesson number, a dot, words: ``"00.first-topic"``.
        task: what to do, in one sentence.
        hints: the gentle one and the stronger one.
        check: looks at the cluster's state and returns what it saw, or raises NotDoneYet.
        own_brokers: whether it cannot be done on a borrowed cluster.

    Raises:
        InvalidArgument: the name is malformed, the task is empty, or there are not two different hints.
    """

    name: str
    task: str
    hints: tuple[str, str]
    check: Callable[..., str]
    own_brokers: bool = False

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise InvalidArgument(
                f"exercise name {self.name!r} is malformed: write the lesson's two digits, a dot and words, "
                f'as in "00.first-topic".'
            )
        if not self.task.strip():
            raise InvalidArgument(f"exercise {self.name} has no task: say in one sentence what to do.")
        if not _two_different_texts(self.hints):
            raise InvalidArgument(f"exercise {self.name} needs two different hints: a gentle one and a stronger one.")

    @property
    def lesson(self) -> str:
        """The two digits of the lesson it belongs to."""
        return self.name[:2]

    def judge(self, *observed: object, **answers: object) -> str:
        """Return what the check saw.

        Raises:
            BorrowedCluster: it needs brokers of one's own; said before anything is asked of the learner.
            NotDoneYet: an answer is still its placeholder, or the check found the exercise unsolved.
            InvalidArgument: the check takes other arguments, or passed without saying what it saw.
        """
        self._refuse_what_does_not_fit(*observed, **answers)
        if self.own_brokers and any(getattr(each, "is_borrowed", False) for each in observed):
            raise BorrowedCluster(f"this cluster is borrowed, and exercise {self.name} needs brokers of your own")
        waiting = [name for name, answer in answers.items() if answer is ...]
        if waiting:
            raise NotDoneYet(f"`{waiting[0]}` is still `...`: put your answer in its place.")
        seen: object = self.check(*observed, **answers)
        if not isinstance(seen, str) or not seen.strip():
            raise InvalidArgument(f"the check of exercise {self.name} must return what it saw, as text.")
        return seen

    def _refuse_what_does_not_fit(self, *observed: object, **answers: object) -> None:
        wanted = inspect.signature(self.check)
        try:
            wanted.bind(*observed, **answers)
        except TypeError as problem:
            each = [_as_passed(parameter) for parameter in wanted.parameters.values()]
            call = f"check({', '.join([repr(self.name), *each])})".replace("'", '"')
            raise InvalidArgument(f"{problem}: call {call}, as the lesson does.") from None


def _as_passed(parameter: inspect.Parameter) -> str:
    return f"{parameter.name}={parameter.name}" if parameter.kind is parameter.KEYWORD_ONLY else parameter.name


def _two_different_texts(hints: object) -> bool:
    # A notebook's author may not run a type checker: look.
    if not isinstance(hints, tuple) or len(hints) != 2:
        return False
    texts = {hint.strip() for hint in hints if isinstance(hint, str)}
    return len(texts) == 2 and all(texts)


def exercise(
    name: str, *, task: str, hints: tuple[str, str], own_brokers: bool = False
) -> Callable[[Callable[..., str]], Exercise]:
    """Declare the decorated check as an exercise; the name in the module is then the ``Exercise``.

    Raises:
        InvalidArgument: as ``Exercise`` does.
    """

    def declare(check: Callable[..., str]) -> Exercise:
        return Exercise(name, task, hints, check, own_brokers)

    return declare


def expect(condition: object, reason: str) -> None:
    """Raise NotDoneYet with the reason unless the condition is true; for use in checks."""
    if not condition:
        raise NotDoneYet(reason)
