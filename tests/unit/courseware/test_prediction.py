from __future__ import annotations

import pytest

from kafkalab.courseware.prediction import predict
from kafkalab.errors import InvalidArgument


def test_the_question_its_choices_and_the_guess_are_shown() -> None:
    assert repr(predict("How many?", (0, 3, 6), guess=3)) == "How many?\nChoices: 0, 3, 6; your guess: 3."
    assert "no guess yet" in repr(predict("How many?", (0, 3, 6)))


@pytest.mark.parametrize(
    ("guess", "said"),
    [
        (6, "Observed: 6, as you predicted.\n"),
        (3, "Observed: 6. You predicted 3: the text below says why it is not so.\n"),
        (..., "Observed: 6. You made no guess; the next one is yours.\n"),
        (4, "Observed: 6. Your guess 4 was none of the choices 0, 3, 6.\n"),
    ],
)
def test_what_is_observed_is_set_beside_the_guess(guess: object, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    predict("How many?", (0, 3, 6), guess).compare(6)
    assert capsys.readouterr().out == said


@pytest.mark.parametrize("guess", [4, "three", [0], None])
def test_a_guess_that_is_no_choice_is_said_and_goes_on(guess: object) -> None:
    said = repr(predict("How many?", (0, 3), guess))
    assert said == f"How many?\n{guess!r} is not one of the choices 0, 3: choose one of them."


@pytest.mark.parametrize("choices", [(), ("one",), ("one", "one"), (1, "1")])
def test_a_question_without_a_choice_is_refused(choices: tuple[object, ...]) -> None:
    with pytest.raises(InvalidArgument, match="two or more different choices"):
        predict("How many?", choices)


def test_an_observation_that_nobody_could_guess_is_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"observed 5, .*'How many\?' with .* 0, 3: run the question above"):
        predict("How many?", (0, 3), guess=3).compare(5)
