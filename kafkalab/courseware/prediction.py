"""Predict first, then look: a guess that the learner commits to, set beside what is then observed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import EllipsisType

from kafkalab.errors import InvalidArgument

__all__ = ["Prediction", "predict"]


@dataclass(frozen=True, repr=False)
class Prediction:
    """A question, its choices and the guess; ``...`` stands for no guess.

    A guess that is not among the choices is said in the text, and then counts as none. An error would end Run
    All here, and leave an earlier question's guess to be compared further down.

    Raises:
        InvalidArgument: fewer than two choices, or one twice.
    """

    question: str
    choices: tuple[object, ...]
    guess: object | EllipsisType = ...

    def __post_init__(self) -> None:
        shown = [str(choice) for choice in self.choices]
        if len(shown) < 2 or len(set(shown)) != len(shown):
            raise InvalidArgument(f"a prediction needs two or more different choices, not {shown}.")

    def _listed(self) -> str:
        return ", ".join(repr(choice) for choice in self.choices)

    def __repr__(self) -> str:
        if self.guess is not ... and self.guess not in self.choices:
            listed = self._listed()
            return f"{self.question}\n{self.guess!r} is not one of the choices {listed}: choose one of them."
        said = "no guess yet: write one in place of `...`" if self.guess is ... else f"your guess: {self.guess}"
        return f"{self.question}\nChoices: {', '.join(map(str, self.choices))}; {said}."

    def compare(self, observed: object) -> None:
        """Print what was observed beside the guess.

        Raises:
            InvalidArgument: what was observed is none of the choices, so that nobody could have guessed it.
        """
        if observed not in self.choices:
            raise InvalidArgument(
                f"observed {observed!r}, and the last question run was {self.question!r} with the choices "
                f"{self._listed()}: run the question above this cell again, then this cell."
            )
        if self.guess is not ... and self.guess not in self.choices:
            print(f"Observed: {observed}. Your guess {self.guess!r} was none of the choices {self._listed()}.")
        elif self.guess is ...:
            print(f"Observed: {observed}. You made no guess; the next one is yours.")
        elif observed == self.guess:
            print(f"Observed: {observed}, as you predicted.")
        else:
            print(f"Observed: {observed}. You predicted {self.guess}: the text below says why it is not so.")


def predict(question: str, choices: Sequence[object], guess: object | EllipsisType = ...) -> Prediction:
    """Commit to a guess before running the cells that answer the question.

    Args:
        question: what will be observed.
        choices: two or more possible observations.
        guess: the one you expect; ``...``, or what is no choice, makes none, and the lesson goes on.

    Raises:
        InvalidArgument: fewer than two choices, or one twice.
    """
    return Prediction(question, tuple(choices), guess)
