"""Numbers that a user gives a source: in range, or refused in one sentence."""

from __future__ import annotations

import numpy as np

from kafkalab.errors import InvalidArgument

__all__ = ["checked_number", "checked_whole"]


def checked_number(name: str, value: object, least: float, most: float) -> float:
    """Return ``value`` as a float, which has to lie from ``least`` to ``most``.

    Raises:
        InvalidArgument: it is no number, or outside.
    """
    return float(_checked(name, value, least, most, (int, float, np.integer, np.floating), wanted="a number"))


def checked_whole(name: str, value: object, least: int, most: int) -> int:
    """Return ``value`` as an int, which has to lie from ``least`` to ``most``.

    Raises:
        InvalidArgument: it is no whole number, or outside.
    """
    return int(_checked(name, value, least, most, (int, np.integer), wanted="a whole number"))


def _checked(name: str, value: object, least: float, most: float, kinds: tuple[type, ...], *, wanted: str) -> float:
    # bool is an int to Python, but rate=True is a slip; NaN lies in no range.
    if not isinstance(value, kinds) or isinstance(value, bool) or not least <= value <= most:  # type: ignore[operator]
        raise InvalidArgument(f"{name}={value!r} is not possible: give {wanted} from {least:,} to {most:,}.")
    return value  # type: ignore[return-value]
