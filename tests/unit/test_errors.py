"""The exception tree: drawn in full, all under one root."""

from __future__ import annotations

import pytest

from kafkalab import errors


@pytest.mark.parametrize("name", errors.__all__)
def test_is_under_the_root_and_drawn_in_the_docstring(name: str) -> None:
    assert issubclass(getattr(errors, name), errors.KafkalabError)
    assert f" {name} " in (errors.__doc__ or "") or f"\n    {name}\n" in (errors.__doc__ or "")


def test_a_notebook_shows_the_message_without_our_own_code() -> None:
    error = errors.InvalidArgument("brokers=0 is not possible: give a whole number from 1 to 100.")
    assert error._render_traceback_() == [f"InvalidArgument: {error}"]


def test_bad_values_are_value_errors_too() -> None:
    assert issubclass(errors.InvalidArgument, ValueError)
