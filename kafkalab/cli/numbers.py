"""Numbers on the command line, refused in one sentence that says which are possible."""

from __future__ import annotations

import contextlib
import math

import click

__all__ = ["WholeNumber", "parse_rate", "parse_speed"]


class WholeNumber(click.ParamType[int]):
    """A whole number.

    Args:
        least: the smallest that is possible; by default any is.
        most: the greatest; by default any is.
    """

    name = "whole number"

    def __init__(self, least: float = -math.inf, most: float = math.inf) -> None:
        bounds = [f" {word} {bound:,}" for word, bound in (("from", least), ("to", most)) if math.isfinite(bound)]
        self._wanted = f"a whole number{''.join(bounds)}"
        self._least = least
        self._most = most

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number.

        Raises:
            click.BadParameter: it is none, or out of range.
        """
        try:
            number = int(str(value))
        except ValueError:
            number = None
        if number is None or not self._least <= number <= self._most:
            self.fail(f"{str(value)!r} is not possible: give {self._wanted}", param, ctx)
        return number


def parse_rate(_context: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    """Turn a number, or ``max`` for as fast as it goes, into records/s; ``max`` is infinite.

    Raises:
        click.BadParameter: it is neither, or not above 0.
    """
    if text == "max":
        return math.inf
    return _above_zero(text, "rate: give records per second above 0, or max")


def parse_speed(_context: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    """Turn a number into simulated seconds for each real one.

    Raises:
        click.BadParameter: it is none, or not above 0.
    """
    return _above_zero(text, "speed: give simulated seconds per second above 0")


def _above_zero(text: str | None, wanted: str) -> float | None:
    if text is None:
        return None
    with contextlib.suppress(ValueError):
        if 0 < (number := float(text)) < math.inf:
            return number
    raise click.BadParameter(f"{text!r} is no {wanted}")
