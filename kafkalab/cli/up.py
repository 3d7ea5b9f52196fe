"""``kafkalab up``: a foreground cluster for any client."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from kafkalab.cli.ending import AskedToEnd, EndSignals

if TYPE_CHECKING:
    from kafkalab import Cluster

__all__ = ["command", "parse_properties"]


# Client libraries, and how a setting is written there.
_LIBRARIES = {"kafka-python": "{name}={value!r}", "confluent-kafka": "{name}={value}"}


def parse_properties(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Turn ``NAME=VALUE`` texts into a dict; the last one of a name wins.

    Raises:
        click.BadParameter: a text without a name or without an equals sign.
    """
    properties = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not name.strip() or not equals:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE, such as log.retention.ms=60000")
        properties[name.strip()] = value.strip()
    return properties


@click.command("up")
@click.option("--brokers", type=int, default=3, show_default=True, help="How many brokers.")
@click.option("--controllers", type=int, default=0, help="1 or 3 for controllers in processes of their own.")
@click.option("--security", metavar="sasl-tls", help="TLS, and a user with a password, on the clients' listener.")
@click.option("--backend", help="Where the brokers run; by default KAFKALAB_BACKEND, else local.")
@click.option("--port", type=int, help="Port of the first broker, the others follow; by default free ports.")
@click.option(
    "--property",
    "properties",
    metavar="NAME=VALUE",
    multiple=True,
    callback=parse_properties,
    help="A broker property in Kafka's name; may be repeated.",
)
@click.option(
    "--from-snapshot",
    "snapshot",
    metavar="FILE",
    help="Take up the cluster that cluster.snapshot() kept in FILE, in place of a new one.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object in place of the plain line.")
@click.pass_context
def command(
    context: click.Context,
    *,
    brokers: int,
    controllers: int,
    backend: str | None,
    port: int | None,
    security: str | None,
    properties: dict[str, str],
    snapshot: str | None,
    as_json: bool,
) -> int:
    """Run a cluster in the foreground until Ctrl-C.

    Its bootstrap servers are printed on one line as soon as it is ready. Ctrl-C, SIGTERM and SIGHUP stop it
    and remove its data.

    \b
    Examples:
      kafkalab up
      kafkalab up --brokers 1 --port 9092
      kafkalab up --security sasl-tls
      kafkalab up --property log.retention.ms=60000 --json
      kafkalab up --from-snapshot step-3.tar.gz
    """  # noqa: D301 - click wants the character \b
    if backend == "external":
        raise click.UsageError("`kafkalab up` runs brokers of its own, and borrows none: choose local or docker.")
    with EndSignals() as signals:
        try:
            from kafkalab import Cluster
            from kafkalab.clusters.cluster import own_backend

            if snapshot is not None:
                _refuse_beside_snapshot(context)
                return _run(Cluster.restored(snapshot, port=port), signals, as_json=as_json)
            # Made before anything else is touched: it refuses what cannot be right.
            cluster = Cluster(
                brokers,
                controllers=controllers,
                properties=properties,
                port=port,
                security=security,
                backend=backend or own_backend(),
            )
            return _run(cluster, signals, as_json=as_json)
        except AskedToEnd as asked:
            # It was not ready yet: whoever waits for it must not take that for a success.
            return 128 + asked.number


def _refuse_beside_snapshot(context: click.Context) -> None:
    fixed = ["brokers", "controllers", "properties", "security", "backend"]
    given = [name for name in fixed if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if given:
        option = "property" if given[0] == "properties" else given[0]
        raise click.UsageError(f"--{option} is in the snapshot already: leave it out beside --from-snapshot.")


def _run(cluster: Cluster, signals: EndSignals, *, as_json: bool) -> int:
    from kafkalab.cli.preparing import prepare

    prepare()
    click.echo(f"Starting {_count(len(cluster.spec.nodes), 'node')} of Apache Kafka ...", err=True)
    began = time.monotonic()
    with cluster:
        try:
            _announce(cluster, time.monotonic() - began, as_json=as_json)
            _wait(cluster, signals)
        except AskedToEnd:
            click.echo("Stopping the cluster and removing its data.", err=True)
    return 0


def _announce(cluster: Cluster, seconds: float, *, as_json: bool) -> None:
    servers = cluster.bootstrap_servers
    # One line, flushed: a script reads it and goes on.
    click.echo(json.dumps(_described(cluster)) if as_json else servers)
    sys.stdout.flush()
    if not as_json and cluster.spec.security:
        _explain_security(cluster)
    click.echo(
        f"{_count(len(cluster.brokers), 'broker')} ready in {seconds:.1f} s. "
        f"Ctrl-C stops the cluster and removes its data.",
        err=True,
    )


def _described(cluster: Cluster) -> dict[str, object]:
    from kafkalab.clusters.distribution import KAFKA_VERSION

    return {
        "bootstrap_servers": cluster.bootstrap_servers,
        "brokers": [broker.id for broker in cluster.brokers],
        "version": KAFKA_VERSION,
        "folder": str(cluster.folder),
        "client_config": {library: cluster.client_config(library) for library in _LIBRARIES},
    }


def _explain_security(cluster: Cluster) -> None:
    for library, form in _LIBRARIES.items():
        # The servers stand on standard output already.
        settings = list(cluster.client_config(library).items())[1:]
        click.echo(f"Settings for {library}:", err=True)
        for name, value in settings:
            click.echo("  " + form.format(name=name, value=value), err=True)


def _wait(cluster: Cluster, signals: EndSignals) -> None:
    from kafkalab.cli.watch import BrokerWatch

    signals.check()
    with BrokerWatch(cluster) as watch:
        watch.wait_until_all_ended()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
