from __future__ import annotations

import json
import typing

import click
import pytest
from click.testing import CliRunner

from kafkalab.apps import APPLICATIONS
from kafkalab.cli import group, main
from kafkalab.cli.run import command
from kafkalab.simulation import SOURCES


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name a scenario"),
        (["stonks"], "there is no scenario 'stonks': did you mean stocks?"),
        (["weather"], "there is no scenario 'weather': choose from stocks, social, city, crypto, shop."),
        (["stocks", "--records", "0"], "'0' is not possible: give a whole number from 1 to 100,000,000"),
        (["stocks", "--records", "-5"], "'-5' is not possible"),
        (["stocks", "--records", "1e6"], "'1e6' is not possible: give a whole number"),
        (["stocks", "--records", "10000000000000"], "is not possible"),
        (["stocks", "--rate", "-3"], "'-3' is no rate"),
        (["stocks", "--rate", "1e12"], "rate=1000000000000.0 is not possible"),
        (["stocks", "--speed", "0"], "'0' is no speed: give simulated seconds per second above 0"),
        (["stocks", "--speed", "nan"], "'nan' is no speed"),
        (["stocks", "--rate", "5", "--speed", "2"], "exclude each other"),
        (["stocks", "--client", "java"], "'java' is not one of"),
        (["stocks", "--producers", "65"], "'65' is not possible: give a whole number from 1 to 64"),
        (["stocks", "--consumers", "-1"], "'-1' is not possible: give a whole number from 0 to 32"),
        (["stocks", "--acks", "2"], "'2' is not one of"),
        (["stocks", "--seed", "-1"], "'-1' is not possible: give a whole number from 0."),
        (["stocks", "--seed", "x"], "'--seed': 'x' is not possible: give a whole number from 0."),
        (["stocks", "--brokers", "0"], "brokers=0 is not possible"),
        (["stocks", "--brokers", "many"], "'many' is not possible: give a whole number."),
        (["stocks", "--fault", "flood"], "'flood' is not one of"),
        (["stocks", "--fault-at", "5"], "--fault-at 5 needs a fault"),
        (["stocks", "--fault", "kill-leader", "--fault-at", "20001"], "--fault-at 20001 is not among the 20,000"),
        (["stocks", "--fault", "kill-leader", "--fault-at", "0"], "give 1 to 20,000"),
        (["stocks", "--fault", "kill-leader", "--bootstrap-servers", "a:1"], "leave --bootstrap-servers out"),
        (["stocks", "--brokers", "3", "--bootstrap-servers", "a:1"], "exclude each other"),
        (["stocks", "--bootstrap-servers", "nowhere"], "'nowhere' is no list of bootstrap servers"),
    ],
)
def test_what_cannot_be_right_is_refused_before_anything_starts(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.splitlines()
    assert said in line


def test_the_list_has_a_line_for_each_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    named = [line for line in lines if not line.startswith(" ")]
    assert [line.split()[0] for line in named] == list(SOURCES)
    for line, source in zip(named, SOURCES.values(), strict=True):
        assert line.endswith(f": {', '.join(source.topics)}")
    assert lines[1].split() == ["read", "by", "analyst,", "trading-algorithm,", "decisions"]
    assert len(lines) == len(SOURCES) + len(APPLICATIONS)


def test_the_list_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--list", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {name: each["topics"] for name, each in told.items()} == {
        name: list(source.topics) for name, source in SOURCES.items()
    }
    assert all(each["about"] for each in told.values())
    assert {name: each["applications"] for name, each in told.items() if each["applications"]} == {
        name: list(applications) for name, applications in APPLICATIONS.items()
    }


def test_help_names_every_scenario_and_every_fault() -> None:
    from kafkalab.cli.experiment import KINDS

    words = set(CliRunner().invoke(group, ["run", "--help"]).output.replace(",", " ").replace(".", " ").split())
    assert set(SOURCES) | set(KINDS) | {"none"} <= words


def test_the_faults_offered_are_those_there_are() -> None:
    from kafkalab.cli.experiment import KINDS

    (option,) = (each for each in command.params if each.name == "fault")
    assert list(typing.cast("click.Choice[str]", option.type).choices) == ["none", *KINDS]
