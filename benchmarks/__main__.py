"""The command: ``python -m benchmarks [--quick] [--only NAME] [--output FILE]``."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import containers, failover, memory, report, simulation, start, traffic
from benchmarks.machine import describe_machine
from benchmarks.results import Benchmark, Result
from kafkalab.clusters.startup import Startup
from kafkalab.clusters.warmup import ensure_aot_cache
from kafkalab.errors import KafkalabError

__all__ = ["BENCHMARKS", "main"]

BENCHMARKS: tuple[Benchmark, ...] = (
    start.BENCHMARK,
    containers.BENCHMARK,
    memory.BENCHMARK,
    failover.BENCHMARK,
    simulation.BENCHMARK,
    traffic.BENCHMARK,
)


@click.command()
@click.option("--quick", is_flag=True, help="One round each: to see that it works; the figures are rough.")
@click.option("--only", type=click.Choice([b.name for b in BENCHMARKS]), help="This benchmark alone.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the report goes; by default docs/benchmarks.md for a full run, else it is only shown.",
)
def main(quick: bool, only: str | None, output: Path | None) -> None:
    """Measure kafkalab, side by side with others, and write docs/benchmarks.md; exit 1 where a target is not met."""
    chosen = {b: 1 if quick else b.rounds for b in BENCHMARKS if only in (None, b.name)}
    try:
        ensure_aot_cache(Startup.find())  # once per machine: no part of a start
        results = _run(chosen)
    except KafkalabError as error:
        raise click.ClickException(str(error)) from error
    text = report.render(
        results,
        chosen,
        describe_machine(),
        day=dt.datetime.now(dt.UTC).date().isoformat(),
        command=_command(sys.argv[1:]),
    )
    click.echo(text)
    # A partial run must not replace the whole report.
    target = output or (None if quick or only else report.REPORT)
    if target is not None:
        target.write_text(text, encoding="utf-8")
    if not all(result.met for result in results):
        raise SystemExit(1)


def _command(arguments: Sequence[str]) -> str:
    return " ".join(["python -m benchmarks", *arguments]) if arguments else "make bench"


def _run(chosen: dict[Benchmark, int]) -> list[Result]:
    results: list[Result] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=sum(b.steps * rounds for b, rounds in chosen.items()))
        begun = 0

        def tick(what: str) -> None:
            nonlocal begun
            bar.update(task, description=what, completed=begun)
            begun += 1

        for benchmark, rounds in chosen.items():
            results += benchmark.run(rounds, tick)
        bar.update(task, description="done", completed=begun)
    return results


if __name__ == "__main__":
    main()
