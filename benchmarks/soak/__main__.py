"""The command: ``python -m benchmarks.soak [--quick] [--only NAME]``."""

from __future__ import annotations

import subprocess

import click
from kafka.errors import KafkaError
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.soak import (
    agreement,
    docker,
    full_load,
    generated,
    kills,
    lagging,
    lessons,
    scenarios,
    seat,
    starts,
    ten_million,
)
from benchmarks.soak.outcome import Outcome, Soak
from kafkalab.clusters.startup import Startup
from kafkalab.clusters.warmup import ensure_aot_cache
from kafkalab.errors import KafkalabError

__all__ = ["SOAKS", "main"]

SOAKS: tuple[Soak, ...] = (
    full_load.SOAK,
    starts.ROW,
    starts.PAIRS,
    kills.SOAK,
    lagging.SOAK,
    scenarios.SOAK,
    agreement.SOAK,
    generated.SOAK,
    ten_million.SOAK,
    lessons.SOAK,
    seat.SOAK,
    docker.LEAKS,
)


@click.command()
@click.option("--quick", is_flag=True, help="A few seconds or repetitions each: to see that it works.")
@click.option("--only", type=click.Choice([soak.name for soak in SOAKS]), help="This run alone.")
def main(quick: bool, only: str | None) -> None:
    """Run what takes minutes; exit 1 where anything failed."""
    try:
        ensure_aot_cache(Startup.find())  # once per machine: no part of what is to hold
    except KafkalabError as error:
        raise click.ClickException(str(error)) from error
    outcomes: dict[Soak, Outcome] = {}
    with Progress(console=Console(stderr=True)) as bar:
        for soak in (soak for soak in SOAKS if only in (None, soak.name)):
            outcomes[soak] = _run(soak, quick, bar)
    for outcome in outcomes.values():
        click.echo(outcome.evidence, nl=bool(outcome.evidence))
    Console().print(_table(outcomes))
    if any(outcome.verdict == "failed" for outcome in outcomes.values()):
        raise SystemExit(1)


def _run(soak: Soak, quick: bool, bar: Progress) -> Outcome:
    task = bar.add_task(soak.name, total=1.0)
    try:
        return soak.run(quick, lambda share: bar.update(task, completed=share))
    except (KafkalabError, KafkaError, subprocess.TimeoutExpired) as error:
        # One failed run must not keep the others from being made.
        return Outcome("failed", str(error))


def _table(outcomes: dict[Soak, Outcome]) -> Table:
    table = Table("run", "what is to hold", "verdict", "seen")
    for soak, outcome in outcomes.items():
        table.add_row(soak.name, soak.title, outcome.verdict, outcome.detail)
    return table


if __name__ == "__main__":
    main()
