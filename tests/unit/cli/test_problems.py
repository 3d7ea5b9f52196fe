from __future__ import annotations

from typing import Any

import click
import pytest

from kafkalab.cli.problems import exit_code_of
from kafkalab.errors import BrokerFailed, CacheProblem, InvalidArgument, TopicExists


def raising(error: BaseException) -> Any:
    def run() -> None:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidArgument("brokers=0 is not possible: give more."), 2),
        (TopicExists("there is one: choose another."), 2),
        (click.BadParameter("no"), 2),
        (CacheProblem("the disk is full: make room."), 1),
        (click.ClickException("no"), 1),
        (PermissionError(13, "Permission denied", "/x"), 1),
    ],
)
def test_a_foreseeable_failure_is_one_line_and_a_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code_of(raising(error)) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1
    assert shown.err.startswith("kafkalab: ")


def test_a_brokers_log_lines_stand_indented_below_the_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(raising(BrokerFailed("node 1 ended: why.\nlog one\nlog two"))) == 1
    assert capsys.readouterr().err == "kafkalab: node 1 ended: why.\n  log one\n  log two\n"


def test_ctrl_c_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(raising(click.Abort())) == 130
    assert capsys.readouterr() == ("", "")


def test_what_nobody_foresaw_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        exit_code_of(raising(ZeroDivisionError()))


@pytest.mark.parametrize(("result", "code"), [(None, 0), (0, 0), (1, 1), (143, 143)])
def test_a_command_may_return_its_code(result: int | None, code: int) -> None:
    assert exit_code_of(lambda: result) == code
