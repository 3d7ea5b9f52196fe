from __future__ import annotations

import click
import pytest

from kafkalab.cli import main
from kafkalab.cli.up import command, parse_properties


def parsed(*values: str) -> dict[str, str]:
    return parse_properties(click.Context(command), command.params[0], values)


def test_properties_may_hold_equals_signs_and_the_last_of_a_name_wins() -> None:
    assert parsed("a.b=1", "c=x=y", "a.b = 2", "empty=") == {"a.b": "2", "c": "x=y", "empty": ""}


@pytest.mark.parametrize("text", ["log.retention.ms", "=5", "", " =5"])
def test_a_property_without_name_or_equals_sign_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not NAME=VALUE"):
        parsed(text)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--brokers", "0"], "brokers=0 is not possible"),
        (["--brokers", "2.5"], "'2.5' is not a valid integer"),
        (["--controllers", "2"], "controllers=2 is not possible"),
        (["--port", "80"], "port=80 is not possible"),
        (["--port", "65535"], "port=65535 is not possible"),
        (["--backend", "paper"], "backend='paper' is not there"),
        (["--backend", "external"], "`kafkalab up` runs brokers of its own, and borrows none: choose local or docker"),
        (["--property", "no.such=1"], "'no.such' is not a broker property"),
        (["--property", "node.id=7"], "'node.id' is set by kafkalab itself"),
        (["--property", "node.id"], "'node.id' is not NAME=VALUE"),
        (["--from-snapshot", "none.tar.gz"], "there is no snapshot none.tar.gz"),
        (["--from-snapshot", "none.tar.gz", "--brokers", "3"], "--brokers is in the snapshot already"),
        (["--from-snapshot", "none.tar.gz", "--property", "a=b"], "--property is in the snapshot already"),
    ],
)
def test_what_cannot_be_right_is_refused_before_anything_starts(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["up", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.splitlines()
    assert said in line
