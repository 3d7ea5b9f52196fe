"""``kafkalab bench``: the measurements of a checkout."""

from __future__ import annotations

import os
import sys

import click

from kafkalab.cli.become import become
from kafkalab.errors import EnvironmentProblem

__all__ = ["command"]


@click.command("bench", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS OF THE BENCHMARKS]...")
def command(arguments: tuple[str, ...]) -> None:
    """Measure kafkalab side by side with stock Kafka; needs a checkout.

    \b
    Examples:
      kafkalab bench
      kafkalab bench --quick
      kafkalab bench -- --help
    """  # noqa: D301 - click wants the character \b
    from kafkalab.courseware.files import checkout

    root = checkout()
    if root is None or not (root / "benchmarks" / "__main__.py").is_file():
        raise EnvironmentProblem(
            "an installed kafkalab has no benchmarks: clone its repository and run `make bench` there."
        )
    os.chdir(root)
    become([sys.executable, "-m", "benchmarks", *arguments])
