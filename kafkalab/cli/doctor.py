"""``kafkalab doctor``: what is well here, what is not, and what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click

from kafkalab.cli.checks import CHECKS, Finding, Status, check_broker, examine
from kafkalab.cli.problems import FAILURE

__all__ = ["command"]

_COLOURS = {Status.OK: "green", Status.WARNING: "yellow", Status.PROBLEM: "red"}
_MARK_WIDTH = max(len(status.value) for status in Status)
_NAME_WIDTH = max(len(name) for name in CHECKS)


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: ok, findings.")
@click.option("--no-cluster", is_flag=True, help="Start no broker.")
def command(as_json: bool, no_cluster: bool) -> int:
    """Check this machine, and say what to do about what is not well.

    The exit code is 1 where there is a problem, and 0 where there are only warnings.

    \b
    Examples:
      kafkalab doctor
      kafkalab doctor --no-cluster
      kafkalab doctor --json
    """  # noqa: D301 - click wants the character \b
    findings = {}
    for name, finding in _findings(with_cluster=not no_cluster):
        findings[name] = finding
        if not as_json:
            click.echo(_line(name, finding))
    healthy = all(finding.status is not Status.PROBLEM for finding in findings.values())
    if as_json:
        listed = [finding.as_dict(name) for name, finding in findings.items()]
        click.echo(json.dumps({"ok": healthy, "findings": listed}, indent=2))
    return 0 if healthy else FAILURE


def _findings(*, with_cluster: bool) -> Iterator[tuple[str, Finding]]:
    for name, check in CHECKS.items():
        yield name, examine(check)
    if with_cluster:
        yield "broker", examine(check_broker)


def _line(name: str, finding: Finding) -> str:
    mark = click.style(finding.status.value.ljust(_MARK_WIDTH), fg=_COLOURS[finding.status], bold=True)
    remedy = f"; {finding.remedy}" if finding.remedy else ""
    return f"{mark}  {name.ljust(_NAME_WIDTH)}  {finding.message}{remedy}."
