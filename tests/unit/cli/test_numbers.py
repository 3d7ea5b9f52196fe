"""Numbers on the command line."""

from __future__ import annotations

import math

import click
import pytest

from kafkalab.cli.numbers import WholeNumber, parse_rate, parse_speed
from kafkalab.cli.run import command

CONTEXT, PARAMETER = click.Context(command), command.params[0]


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("64", 64), (" 7 ", 7), (5, 5)])
def test_a_whole_number_in_its_range(text: object, number: int) -> None:
    assert WholeNumber(1, 64).convert(text, None, None) == number


def test_without_a_range_any_whole_number_will_do() -> None:
    assert [WholeNumber().convert(text, None, None) for text in ("-3", "0", "1000000000000")] == [-3, 0, 10**12]


@pytest.mark.parametrize("text", ["0", "65", "-1", "x", "", "1.5", "1e1", "nan"])
def test_what_is_none_is_refused_with_what_would_be_one(text: str) -> None:
    with pytest.raises(click.BadParameter) as caught:
        WholeNumber(1, 64).convert(text, None, None)
    assert caught.value.message == f"{text!r} is not possible: give a whole number from 1 to 64"


def test_only_the_limits_there_are_are_named() -> None:
    for number, wanted in ((WholeNumber(0), "a whole number from 0"), (WholeNumber(), "a whole number")):
        with pytest.raises(click.BadParameter, match=f"^'x' is not possible: give {wanted}$"):
            number.convert("x", None, None)


def test_a_rate_is_a_number_or_as_fast_as_it_goes() -> None:
    rates = [parse_rate(CONTEXT, PARAMETER, text) for text in (None, "250", "0.5", "max")]
    assert rates == [None, 250.0, 0.5, math.inf]


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "fast", ""])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no rate: give records per second above 0, or max"):
        parse_rate(CONTEXT, PARAMETER, text)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "max", ""])
def test_what_is_no_speed(text: str) -> None:
    assert parse_speed(CONTEXT, PARAMETER, "60") == 60.0
    with pytest.raises(click.BadParameter, match="is no speed: give simulated seconds per second above 0"):
        parse_speed(CONTEXT, PARAMETER, text)
