"""``kafkalab fetch``: everything needed offline."""

from __future__ import annotations

import json

import click

from kafkalab.cli.preparing import Prepared, prepare
from kafkalab.clusters.distribution import cache_dir

__all__ = ["command"]


@click.command("fetch")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: java, class_path, version, ...")
@click.option("--quiet", "-q", is_flag=True, help="Print nothing where all goes well.")
def command(as_json: bool, quiet: bool) -> None:
    """Fetch and verify Apache Kafka, and prepare quick starts.

    Afterwards everything works without a network. Repeated, it looks and does nothing.

    \b
    Examples:
      kafkalab fetch
      kafkalab fetch --json
      KAFKALAB_CACHE_DIR=/srv/kafka kafkalab fetch    one cache for all
    """  # noqa: D301 - click wants the character \b
    prepared = prepare(quiet=quiet)
    if as_json:
        click.echo(json.dumps(_described(prepared), indent=2))
    elif not quiet:
        kafka, java = prepared.broker.version, prepared.java.version
        click.echo(f"Apache Kafka {kafka} and Java {java} are ready in {cache_dir()}; no network is needed now.")


def _described(prepared: Prepared) -> dict[str, object]:
    return {
        "version": prepared.broker.version,
        "java": str(prepared.java.executable),
        "java_version": prepared.java.version,
        "class_path": prepared.broker.class_path,
        "tools_class_path": prepared.tools.class_path,
        "cache": str(cache_dir()),
        "storage_template": str(prepared.storage_template),
        "aot_cache": str(prepared.aot_cache) if prepared.aot_cache else None,
    }
