"""The command ``kafkalab``; each subcommand is the module of its name here, loaded when it is called."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import click

from kafkalab import __version__
from kafkalab.cli.problems import exit_code_of
from kafkalab.errors import EnvironmentProblem

__all__ = ["COMMANDS", "group", "main"]

COMMANDS = ("lab", "run", "up", "doctor", "fetch", "bench")
"""The subcommands, in the order in which ``kafkalab --help`` lists them."""


class LazyGroup(click.Group):
    """A group whose commands are modules; they keep their own heavy imports inside their functions."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, loading none."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load and return one command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"{__name__}.{cmd_name}")
        command: click.Command = module.command
        return command


def _print_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from kafkalab.clusters.distribution import KAFKA_VERSION

        click.echo(f"kafkalab {__version__} (Apache Kafka {KAFKA_VERSION})")
        ctx.exit()


@click.group("kafkalab", cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version of kafkalab and of its Kafka.",
)
@click.pass_context
def group(ctx: click.Context) -> None:
    """Learn Apache Kafka by doing: real clusters, started in about two seconds.

    \b
    Examples:
      kafkalab lab        open the lessons in JupyterLab
      kafkalab run stocks --fault kill-leader
                          send records, kill a broker, and prove that none is lost
      kafkalab up         run a cluster for any other client
      kafkalab doctor     say what is wrong with this machine, and what to do
    """  # noqa: D301 - click wants the character \b
    # Where there is no fcntl, the modules below cannot even be imported.
    if sys.platform == "win32" and ctx.invoked_subcommand != "doctor":
        raise EnvironmentProblem("Apache Kafka does not run on Windows itself: use WSL 2, and kafkalab in it.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: without the program's name; by default those of this process.
    """
    # click drops colour where nobody looks, but does not know the convention of no-color.org.
    colour = False if os.environ.get("NO_COLOR") else None
    return exit_code_of(lambda: group.main(arguments, prog_name="kafkalab", standalone_mode=False, color=colour))
