"""Everything a cluster needs, fetched and made once, with something to look at while it takes its time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from kafkalab.clusters.distribution import Jars, Progress, broker_jars, find_java, tools_jars
from kafkalab.clusters.java import Java
from kafkalab.clusters.preparing import quick_start_cache
from kafkalab.clusters.startup import Startup, storage_template

__all__ = ["Prepared", "prepare"]


@dataclass(frozen=True)
class Prepared:
    """What is there now.

    Attributes:
        java: the Java that runs the brokers.
        broker: the jars of a broker.
        tools: the jars of Apache Kafka's command-line tools.
        storage_template: what the brokers' storage is formatted with.
        aot_cache: makes brokers start quickly; None where this Java, or a read-only cache folder, has none.
    """

    java: Java
    broker: Jars
    tools: Jars
    storage_template: Path
    aot_cache: Path | None


def prepare(*, quiet: bool = False) -> Prepared:
    """Fetch and make what is missing, so that nothing needs a network afterwards; quick where all is there.

    Args:
        quiet: show nothing of it.

    Raises:
        EnvironmentProblem: Java or Kafka cannot be had here; the kind says why.
    """
    java = find_java()
    with _jar_progress("Fetching Apache Kafka", quiet=quiet) as progress:
        broker = broker_jars(progress)
    with _jar_progress("Fetching Kafka's tools", quiet=quiet) as progress:
        tools = tools_jars(progress)
    startup = Startup(java, broker)
    return Prepared(java, broker, tools, storage_template(startup), _aot_cache(startup, quiet=quiet))


def _aot_cache(startup: Startup, *, quiet: bool) -> Path | None:
    return quick_start_cache(
        startup, lambda what: _busy(what, quiet=quiet), lambda problem: click.echo(f"kafkalab: {problem}", err=True)
    )


@contextmanager
def _jar_progress(title: str, *, quiet: bool) -> Iterator[Progress | None]:
    """Show a bar on a terminal, else a line at each quarter; nothing where no jar has to be fetched."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with _bar(title) as progress:
            yield progress
    else:
        yield _lines(title)


@contextmanager
def _bar(title: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # Not shown before the first jar: where nothing is missing, nothing should flicker.
    with Bar(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as bar:
        task = bar.add_task(title, total=None, visible=False)

        def progress(done: int, total: int, _name: str) -> None:
            bar.update(task, completed=done, total=total, visible=True, refresh=True)

        yield progress


def _lines(title: str) -> Callable[[int, int, str], None]:
    def progress(done: int, total: int, name: str) -> None:
        # At each quarter: a log file has no use for 92 lines.
        if done * 4 // total > (done - 1) * 4 // total:
            click.echo(f"{title}: {done} of {total} jars ({name})", err=True)

    return progress


@contextmanager
def _busy(what: str, *, quiet: bool) -> Iterator[None]:
    if quiet:
        yield
    elif sys.stderr.isatty():
        from rich.console import Console

        with Console(stderr=True).status(what):
            yield
    else:
        click.echo(f"{what} ...", err=True)
        yield
