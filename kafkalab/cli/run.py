"""``kafkalab run``: simulated traffic, a fault on purpose, and the ledger's verdict."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import click

from kafkalab.cli.ending import AskedToEnd, EndSignals
from kafkalab.cli.numbers import WholeNumber, parse_rate, parse_speed
from kafkalab.cli.problems import FAILURE
from kafkalab.errors import KafkalabError, WaitTimeout

if TYPE_CHECKING:
    from kafkalab import Cluster
    from kafkalab.apps.runner import Applications
    from kafkalab.cli.experiment import Experiment
    from kafkalab.cli.outcome import Outcome
    from kafkalab.cli.show import Show
    from kafkalab.traffic import Run

__all__ = ["command"]

_CLIENTS = ("kafka-python", "confluent-kafka")
_FAULTS = ("none", "kill-leader", "stop-leader", "pause-leader", "isolate-leader", "slow-leader")
_BROKERS = 3
_MOST_RECORDS = 100_000_000
_LOOK_SECONDS = 0.2
_READ_SECONDS = 20.0
_IN_SYNC_SECONDS = 10.0


@click.command("run")
@click.argument("scenario", required=False)
@click.option("--list", "listed", is_flag=True, help="List the scenarios and their topics.")
@click.option("--records", type=WholeNumber(1, _MOST_RECORDS), default=20_000, metavar="N", help="By default 20000.")
@click.option("--rate", metavar="R|max", callback=parse_rate, help="Records per second; by default 2000.")
@click.option("--speed", metavar="X", callback=parse_speed, help="Simulated seconds per second, in place of a rate.")
@click.option("--client", type=click.Choice(_CLIENTS), default=_CLIENTS[0], help="By default kafka-python.")
@click.option("--producers", type=WholeNumber(1, 64), default=1, metavar="P", help="1 to 64; by default 1.")
@click.option("--acks", type=click.Choice(["all", "1", "0"]), default="all", help="By default all.")
@click.option("--consumers", type=WholeNumber(0, 32), default=0, metavar="M", help="Members of a group that reads.")
@click.option("--applications/--no-applications", default=True, help="Whether the scenario's applications read.")
@click.option("--seed", type=WholeNumber(0), default=0, metavar="S", help="The same seed, the same records.")
@click.option("--brokers", type=WholeNumber(), metavar="B", help="How many; by default 3.")
@click.option("--fault", type=click.Choice(_FAULTS), default="none", metavar="F", help=f"{', '.join(_FAULTS)}.")
@click.option("--fault-at", type=WholeNumber(), metavar="N", help="When so many are acknowledged; by default 30 %.")
@click.option("--bootstrap-servers", metavar="HOST:PORT,...", help="Borrow this cluster, and leave it as it was.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: verdict, clean, latency, ...")
def command(scenario: str | None, *, listed: bool, as_json: bool, **wishes: Any) -> int:
    """Send records, break a broker, prove what came of each.

    SCENARIO is stocks, social, city, crypto or shop. The first three have applications, each a process and a consumer
    group of its own. A fault hits the leader of the first partition, for 4 seconds. The exit code is 0 only where
    nothing was lost, duplicated, reordered or changed, and every application worked on every record once. Ctrl-C
    stops the run and prints the verdict on what was sent; a second one ends it at once.

    \b
    Examples:
      kafkalab run stocks
      kafkalab run shop --fault kill-leader
      kafkalab run city --client confluent-kafka --rate max --records 1000000
      kafkalab run social --acks 1 --fault pause-leader --json
      kafkalab run crypto --bootstrap-servers 127.0.0.1:9092
    """  # noqa: D301 - click wants the character \b
    if listed:
        _list(as_json=as_json)
        return 0
    if scenario is None:
        raise click.UsageError("Name a scenario; `kafkalab run --list` lists them.", click.get_current_context())
    with EndSignals() as signals:
        try:
            return _run(scenario, wishes, signals, as_json=as_json)
        except AskedToEnd as asked:
            return 128 + asked.number


def _list(*, as_json: bool) -> None:
    from kafkalab.apps import APPLICATIONS
    from kafkalab.cli.experiment import SCENARIOS
    from kafkalab.simulation import SOURCES

    told = {
        name: {"about": about, "topics": list(SOURCES[name].topics), "applications": list(APPLICATIONS.get(name, ()))}
        for name, about in SCENARIOS.items()
    }
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    width = max(map(len, SCENARIOS))
    for name, each in told.items():
        click.echo(f"{name:<{width}}  {each['about']}: {', '.join(each['topics'])}")
        if each["applications"]:
            click.echo(f"{'':<{width}}  read by {', '.join(each['applications'])}")


def _run(scenario: str, wishes: Mapping[str, Any], signals: EndSignals, *, as_json: bool) -> int:
    with ExitStack() as stack:
        with _no_verdict_if_ended("before the first record was sent"):
            from kafkalab.cli.experiment import Experiment

            experiment = Experiment(scenario, **wishes)
            cluster = stack.enter_context(_cluster(experiment))
            applications = stack.enter_context(_applications(experiment, cluster))
            run = _begun(experiment, cluster)
            applications.follow(run)
        with _no_verdict_if_ended("before every record was read back"):
            outcome, asked, failed = _conducted(experiment, cluster, applications, run, signals)
        _tell(outcome, as_json=as_json)
    if asked is not None:
        return 128 + asked.number
    if failed is not None:
        raise failed
    return 0 if outcome.good else FAILURE


@contextmanager
def _no_verdict_if_ended(when: str) -> Iterator[None]:
    try:
        yield
    except AskedToEnd:
        click.echo(f"kafkalab: stopped {when}, so there is no verdict.", err=True)
        raise


@contextmanager
def _cluster(experiment: Experiment) -> Iterator[Cluster]:
    from kafkalab import Cluster
    from kafkalab.cli.guest import borrowed
    from kafkalab.cli.preparing import prepare
    from kafkalab.clusters.cluster import own_backend

    if experiment.bootstrap_servers is not None:
        with borrowed(experiment.bootstrap_servers) as guest:
            yield guest
        return
    count = _BROKERS if experiment.brokers is None else experiment.brokers
    # Made before anything else is touched: it refuses what cannot be right.
    cluster = Cluster(count, proxied=bool(experiment.kind and experiment.kind.proxied), backend=own_backend())
    prepare()
    click.echo(f"Starting {count} broker{'s' * (count != 1)} of Apache Kafka ...", err=True)
    with cluster:
        yield cluster


def _applications(experiment: Experiment, cluster: Cluster) -> Applications:
    from kafkalab.apps.runner import Applications

    if experiment.readers:
        click.echo(f"Starting {', '.join(experiment.readers)} ...", err=True)
    told = experiment.acks != "0"
    return Applications(cluster, experiment.scenario, experiment.readers, ordered=experiment.ordered, acknowledged=told)


def _begun(experiment: Experiment, cluster: Cluster) -> Run:
    from kafkalab import traffic

    if not sys.stderr.isatty():  # there, the table says so
        click.echo(f"Sending {experiment} ...", err=True)
        if experiment.coming:
            click.echo(f"To come: {experiment.coming}.", err=True)
    return traffic.start(cluster, experiment.source, progress=False, **experiment.traffic)


def _conducted(
    experiment: Experiment, cluster: Cluster, applications: Applications, run: Run, signals: EndSignals
) -> tuple[Outcome, AskedToEnd | None, KafkalabError | None]:
    from kafkalab.cli.outcome import Outcome
    from kafkalab.cli.show import show_of

    began = time.monotonic()
    with show_of(cluster, applications, run, experiment, began) as show:
        asked, failed = _follow(run, applications, experiment, show, signals)
        show.look()
        show.say("Reading every record back ...")
        verdict = run.ledger.verify(cluster, timeout=_READ_SECONDS)
        figures = applications.look(run.ledger, stored=failed is None)
    outcome = Outcome(experiment, run, verdict, began, figures, asked is not None, str(failed) if failed else None)
    return outcome, asked, failed


def _follow(
    run: Run, applications: Applications, experiment: Experiment, show: Show, signals: EndSignals
) -> tuple[AskedToEnd | None, KafkalabError | None]:
    """Wait for the end of a run; return who asked for it before its time, and what went wrong."""
    asked = None
    try:
        try:
            _watch(run, applications, show, signals)
            applications.finish()
            _watch_in_sync(experiment, show)
        except AskedToEnd as caught:
            asked = caught
            signals.rearm()
            show.say("Stopping: no more is sent, and what was sent is waited for. Ctrl-C again ends at once.")
            run.stop()
            applications.finish()
    except KafkalabError as error:
        with contextlib.suppress(KafkalabError):
            run.stop()
        return asked, error
    return asked, None


def _watch(run: Run, applications: Applications, show: Show, signals: EndSignals) -> None:
    while run.running:
        signals.check()
        applications.check()
        show.look()
        with contextlib.suppress(WaitTimeout):
            run.wait(_LOOK_SECONDS)
    run.wait()


def _watch_in_sync(experiment: Experiment, show: Show) -> None:
    for firing in experiment.schedule.firings:
        if firing.undone_at is not None and firing.in_sync_at is None:
            show.look()
            show.say("All is sent. Waiting until every replica is in sync again ...")
            with contextlib.suppress(WaitTimeout):
                firing.watch_in_sync(_IN_SYNC_SECONDS)


def _tell(outcome: Outcome, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(outcome.as_dict(), allow_nan=False))
    else:
        for line in outcome.lines():
            click.echo(line)
        judgement, _, counts = str(outcome.verdict).partition("\n")
        click.echo(click.style(judgement, fg="green" if outcome.verdict.clean else "red", bold=True))
        click.echo(counts)
    sys.stdout.flush()
