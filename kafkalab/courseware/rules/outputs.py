"""Rules about the outputs that are committed with a lesson."""

from __future__ import annotations

import re

from kafkalab.courseware.rules.cells import Built, code_cells, output_texts, tags_of

__all__ = [
    "every_code_cell_executed",
    "expected_errors_happened",
    "no_stderr",
    "no_trace_of_this_machine",
    "no_unexpected_error",
]

RAISES = "raises-exception"
TRACES = {
    "an absolute path": re.compile(
        r"(?<![\w./:-])/(tmp|home|root|usr|var|opt|etc|work|private|Users|mnt)/\w|\b[A-Z]:\\\w"
    ),
    "a port": re.compile(r"\b(127\.0\.0\.1|localhost|\[?::1\]?):\d{2,5}\b|\bport[ =:]+\d{4,5}\b", re.IGNORECASE),
    "a process id": re.compile(r"\bpid\b\W{0,3}\d+|\bprocess id:? \d+\b", re.IGNORECASE),
    "a memory address": re.compile(r"\b0x[0-9a-f]{6,}\b"),
    # Simulated and chosen times lie before 2026, a wall clock's after it.
    "a time of the wall clock": re.compile(
        r"\b(202[6-9]|20[3-9]\d)-\d\d-\d\d\b|\b(176[89]|17[7-9]\d|1[89]\d\d)\d{6}(\d{3})?\b"
    ),
}


def every_code_cell_executed(built: Built) -> list[str]:
    """Every code cell has run, once, in order, in a fresh kernel: nbval does not compare one that has not."""
    counts = [cell.execution_count for _, cell in code_cells(built)]
    wanted = list(range(1, len(counts) + 1))
    empty = [number for number, cell in code_cells(built) if not cell.source.strip()]
    if empty:
        return [f"code cells {empty} are empty; remove them."]
    return [] if counts == wanted else [f"execution counts are {counts}; build the lesson again."]


def no_unexpected_error(built: Built) -> list[str]:
    """Only a cell tagged raises-exception shows an error."""
    return [
        f"cell {number} shows {output.ename}, and is not tagged {RAISES}."
        for number, cell in code_cells(built)
        for output in cell.outputs
        if output.output_type == "error" and RAISES not in tags_of(cell)
    ]


def expected_errors_happened(built: Built) -> list[str]:
    """A cell tagged raises-exception shows an error."""
    return [
        f"cell {number} is tagged {RAISES}, and shows no error."
        for number, cell in code_cells(built)
        if RAISES in tags_of(cell) and not any(output.output_type == "error" for output in cell.outputs)
    ]


def no_stderr(built: Built) -> list[str]:
    """Nothing was written to the standard error stream."""
    return [
        f"cell {number} wrote to stderr: {output.text.strip()[:80]!r}."
        for number, cell in code_cells(built)
        for output in cell.outputs
        if output.output_type == "stream" and output.name == "stderr"
    ]


def no_trace_of_this_machine(built: Built) -> list[str]:
    """No output shows an absolute path, a port, a process id, an address in memory or the time of day."""
    return [
        f"the output of cell {number} shows {what}: {match.group()!r}."
        for number, cell in code_cells(built)
        for text in output_texts(cell)
        for what, pattern in TRACES.items()
        if (match := pattern.search(text))
    ]
