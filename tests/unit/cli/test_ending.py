from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from kafkalab.cli.ending import AskedToEnd, EndSignals

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Begin with the usual handlers, and put those back that were there: nohup, for one, has SIGHUP ignored."""
    usual: dict[int, Any] = dict.fromkeys(ENDING, signal.SIG_DFL) | {signal.SIGINT: signal.default_int_handler}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_becomes_an_exception_that_names_it(number: signal.Signals) -> None:
    with EndSignals(), pytest.raises(AskedToEnd) as caught:
        os.kill(os.getpid(), number)
    assert caught.value.number == number


def test_further_signals_do_not_disturb_the_end() -> None:
    with EndSignals():
        with pytest.raises(AskedToEnd):
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)


def test_an_exception_that_was_lost_is_raised_again_when_asked() -> None:
    with EndSignals() as signals:
        signals.check()
        with pytest.raises(AskedToEnd):
            os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(AskedToEnd) as caught:
            signals.check()
    assert caught.value.number == signal.SIGTERM


def test_the_handlers_are_put_back() -> None:
    before = [signal.getsignal(number) for number in ENDING]
    with EndSignals():
        assert [signal.getsignal(number) for number in ENDING] != before
    assert [signal.getsignal(number) for number in ENDING] == before


def test_nohup_keeps_its_meaning_and_ctrl_c_works_in_the_background() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with EndSignals():
        os.kill(os.getpid(), signal.SIGHUP)
        with pytest.raises(AskedToEnd):
            os.kill(os.getpid(), signal.SIGINT)


def test_no_handler_of_errors_takes_it_for_one() -> None:
    assert not issubclass(AskedToEnd, Exception)


def test_whoever_is_rearmed_hears_a_second_signal() -> None:
    with EndSignals() as signals:
        with pytest.raises(AskedToEnd):
            os.kill(os.getpid(), signal.SIGTERM)
        signals.rearm()
        signals.check()
        with pytest.raises(AskedToEnd) as caught:
            os.kill(os.getpid(), signal.SIGINT)
    assert caught.value.number == signal.SIGINT
