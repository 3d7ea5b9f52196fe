"""wait_until: deadline, evidence, and what counts as "not yet"."""

from __future__ import annotations

import itertools
import time

import pytest

from kafkalab.errors import WaitTimeout
from kafkalab.waiting import wait_until


def test_returns_the_accepted_observation() -> None:
    numbers = itertools.count()
    assert wait_until(lambda: next(numbers), lambda n: n >= 3, what="three", every=0) == 3


def test_observes_once_even_with_no_time_left() -> None:
    assert wait_until(lambda: "there", what="it", timeout=0) == "there"


def test_timeout_shows_what_was_awaited_and_last_seen() -> None:
    with pytest.raises(WaitTimeout, match=r"waiting for the moon after 0\.02 s; last seen: 'cheese'") as caught:
        wait_until(lambda: "cheese", lambda seen: seen == "moon", what="the moon", timeout=0.02, every=0.001)
    assert caught.value.last == "cheese"
    assert isinstance(caught.value, TimeoutError)


def test_a_named_error_counts_as_not_yet_and_is_shown() -> None:
    def observe() -> None:
        raise ConnectionRefusedError("nobody home")

    with pytest.raises(WaitTimeout, match="nobody home"):
        wait_until(observe, what="an answer", timeout=0.01, every=0.001, retry_on=(OSError,))


def test_any_other_error_is_raised_at_once() -> None:
    def observe() -> None:
        raise KeyError("a bug")

    started = time.monotonic()
    with pytest.raises(KeyError):
        wait_until(observe, what="an answer", timeout=30, retry_on=(OSError,))
    assert time.monotonic() - started < 10
