from __future__ import annotations

import re

import numpy as np
import pytest

from kafkalab.errors import InvalidArgument
from kafkalab.simulation.arguments import checked_number, checked_whole


@pytest.mark.parametrize("value", [1, 1.0, np.int32(1), np.float64(1), 5])
def test_a_number_in_range(value: float) -> None:
    assert checked_number("rate", value, 1, 5) == value
    assert type(checked_number("rate", value, 1, 5)) is float


@pytest.mark.parametrize("value", [0, 5000.01, float("nan"), float("inf"), True, "3", None, 1j, [1]])
def test_what_is_no_number_or_out_of_range(value: object) -> None:
    said = re.escape(f"rate={value!r} is not possible: give a number from 1 to 5,000.")
    with pytest.raises(InvalidArgument, match=said):
        checked_number("rate", value, 1, 5000)


@pytest.mark.parametrize("value", [1, np.int64(5)])
def test_a_whole_number_in_range(value: int) -> None:
    assert checked_whole("coins", value, 1, 5) == value
    assert type(checked_whole("coins", value, 1, 5)) is int


@pytest.mark.parametrize("value", [0, 6, 2.0, float("nan"), True, "3", None])
def test_what_is_no_whole_number_or_out_of_range(value: object) -> None:
    said = re.escape(f"coins={value!r} is not possible: give a whole number from 1 to 5.")
    with pytest.raises(InvalidArgument, match=said):
        checked_whole("coins", value, 1, 5)
