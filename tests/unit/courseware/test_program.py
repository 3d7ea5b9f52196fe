from __future__ import annotations

import json
import math as maths
from collections import Counter
from time import monotonic
from typing import Any

import pytest

from kafkalab.courseware.program import Program, Step
from kafkalab.errors import InvalidArgument

LIMITS = {"low": 1, "high": [3, b"x", None]}
HELD = object()


def helped(value: float) -> float:
    return maths.floor(value) + LIMITS["low"]  # type: ignore[operator]


def whole(values: list[float]) -> dict[str, Any]:
    found = Counter(json.dumps(helped(value)) for value in values)
    return dict(found)


def looped(values: list[int]) -> int:
    total = 0
    while values:
        value = values.pop(
            0,
        )
        if value > 1:
            total += value
    return total


def timed() -> float:
    return monotonic()


def recursive(depth: int) -> int:
    return recursive(depth - 1) + 1 if depth else 0


def holding() -> object:
    return HELD


def ran(program: Program, *arguments: object) -> Any:
    names: dict[str, Any] = {}
    exec(compile(program.text, "<test>", "exec"), names)
    return names[program.name](*arguments)


def test_the_text_runs_elsewhere_with_all_that_the_function_uses() -> None:
    assert ran(Program(whole), [1.5, 1.2, 7]) == {"2": 2, "8": 1}
    assert ran(Program(timed)) > 0


def test_a_function_that_calls_itself_is_there_once() -> None:
    assert Program(recursive).text.count("def recursive") == 1
    assert ran(Program(recursive), 3) == 3


def test_a_function_inside_another_sees_what_it_uses() -> None:
    def outer() -> list[int]:
        return [int(maths.sqrt(each)) for each in (4, 9)]

    assert ran(Program(outer)) == [2, 3]


def test_steps_are_the_statements_with_their_own_lines() -> None:
    program = Program(looped)
    first = next(step.line for step in program.steps if step.text == "total = 0")
    assert [(step.line - first, step.end - first, step.text, step.looped) for step in program.steps] == [
        (0, 0, "total = 0", False),
        (1, 1, "while values:", True),
        (2, 4, "value = values.pop(", True),
        (5, 5, "if value > 1:", True),
        (6, 6, "total += value", True),
        (7, 7, "return total", False),
    ]
    assert program.text.splitlines()[first - 1].strip() == "total = 0"


def test_a_step_is_found_by_some_of_its_text() -> None:
    program = Program(looped)
    assert program.find("+= value") == Step(program.steps[4].line, program.steps[4].end, "total += value", looped=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [("commit", "'commit' stands in no line of looped"), ("total", "'total' stands in 3 lines of looped")],
)
def test_a_text_that_names_no_one_step_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        Program(looped).find(text)


def test_a_value_that_cannot_be_handed_over_is_named() -> None:
    with pytest.raises(InvalidArgument, match="`HELD` is of type object and cannot be handed to another process: make"):
        Program(holding)


@pytest.mark.parametrize("given", [len, "looped", Counter])
def test_what_is_no_function_is_refused(given: Any) -> None:
    with pytest.raises(InvalidArgument, match="not a function: write one with def"):
        Program(given)


def test_a_function_without_source_is_refused() -> None:
    names: dict[str, Any] = {}
    exec("def made(): pass", names)
    with pytest.raises(InvalidArgument, match="there is no source of"):
        Program(names["made"])


def test_a_lambda_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="not a function: write one with def"):
        Program(lambda: 1)
