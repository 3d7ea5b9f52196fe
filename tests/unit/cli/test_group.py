from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

import kafkalab
from kafkalab.cli import COMMANDS, group, main
from kafkalab.clusters.distribution import KAFKA_VERSION


def loaded_by(statement: str) -> set[str]:
    """Run a statement in a Python of its own and return the modules it loaded."""
    code = f"import sys\ntry:\n    {statement}\nfinally:\n    print('|'.join(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stderr.strip().splitlines()[-1].split("|"))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_examples_of_itself(name: str) -> None:
    result = CliRunner().invoke(group, [name, "--help"])
    assert result.exit_code == 0
    examples = result.output.partition("Examples:\n")[2]
    assert f"kafkalab {name}" in examples
    assert len(max(result.output.splitlines(), key=len)) <= 80


def test_help_lists_every_command_and_what_it_does() -> None:
    result = CliRunner().invoke(group, ["--help"])
    listed = result.output.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == list(COMMANDS)
    assert not [line for line in listed if line.endswith("...")], "a summary is cut short"


def test_the_version_names_kafkas_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"kafkalab {kafkalab.__version__} (Apache Kafka {KAFKA_VERSION})\n"


def test_without_a_command_the_help_is_shown_as_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "Commands:" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["no-such"], ["up", "--no-such"], ["fetch", "too-much"], ["lab", "--port", "x"]])
def test_bad_usage_is_one_line_that_names_the_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.splitlines()
    assert line.startswith("kafkalab: ")
    assert "--help`." in line


@pytest.mark.parametrize("statement", ["import kafkalab", "import kafkalab.cli.fetch, kafkalab.cli.lab"])
def test_what_most_commands_need_loads_neither_pandas_nor_kafka(statement: str) -> None:
    assert not {"pandas", "numpy", "kafka", "jgo", "rich"} & loaded_by(statement)


def test_help_loads_neither_pandas_nor_kafka() -> None:
    run = "from kafkalab.cli import main; main(['--help'])"
    assert not {"pandas", "numpy", "kafka", "jgo", "rich"} & loaded_by(run)


def test_the_cluster_is_there_when_it_is_asked_for() -> None:
    from kafkalab import Cluster
    from kafkalab.clusters.cluster import Cluster as Original

    assert Cluster is Original
    assert kafkalab.clusters.Cluster is Original
    assert "Cluster" in dir(kafkalab)


@pytest.mark.parametrize("module", [kafkalab, kafkalab.clusters])
def test_a_name_that_is_not_there_is_still_an_attribute_error(module: object) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Clutser'"):
        getattr(module, "Clutser")  # noqa: B009 - a type checker refuses the plain form, as it should
