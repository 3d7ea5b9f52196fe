"""The report: Markdown made from results, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.results import Benchmark, Result

__all__ = ["REPORT", "render", "table"]

REPORT = Path(__file__).parent.parent / "docs" / "benchmarks.md"

_HEADER = ("measure", "target", "figure", "verdict", "in detail")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; a vertical bar in a cell is escaped, since it would end the cell."""
    lines = [_line(header), _line(["---"] * len(header)), *(_line(row) for row in rows)]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _row(result: Result) -> tuple[str, ...]:
    measure = result.measure
    return measure.name, measure.target, result.shown, result.verdict, result.detail


def render(
    results: Sequence[Result],
    benchmarks: Mapping[Benchmark, int],
    machine: Mapping[str, str],
    *,
    day: str,
    command: str,
) -> str:
    """Return the whole report.

    Args:
        results: one for each measure.
        benchmarks: what was run, and in how many rounds.
        machine: from :func:`benchmarks.machine.describe_machine`.
        day: when, as an ISO date.
        command: what makes this report again.
    """
    methods = [
        f"- **{benchmark.name}** ({_rounds(count)}): {benchmark.method}" for benchmark, count in benchmarks.items()
    ]
    parts = [
        "# Benchmarks",
        f"Made by `{command}` on {day}, all in one run; not edited by hand.",
        table(_HEADER, [_row(result) for result in results]).rstrip(),
        "## Machine",
        table(("part", "value"), list(machine.items())).rstrip(),
        "## Method",
        "\n".join(methods),
    ]
    return "\n\n".join(parts) + "\n"


def _rounds(count: int) -> str:
    return "1 round" if count == 1 else f"{count} rounds, medians"
