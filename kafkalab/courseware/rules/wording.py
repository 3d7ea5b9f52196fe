"""Rules about prose."""

from __future__ import annotations

import re

from kafkalab.courseware.rules.cells import Built, text_cells

__all__ = ["prose_names_no_machine_state"]

STATE = {
    # 9092 is Kafka's default, and the same everywhere; any other was free here by chance.
    "a port": re.compile(r"\b(127\.0\.0\.1|localhost):(?!9092\b)\d{4,5}\b"),
    "a process id": re.compile(r"\bpid\W{0,3}\d+|\bprocess id:? \d+\b", re.IGNORECASE),
    "a temporary path": re.compile(r"(?<!\w)/(tmp|var/folders|private/tmp)/\w"),
}


def prose_names_no_machine_state(built: Built) -> list[str]:
    """Prose, code blocks aside, names no port but Kafka's default, no process id and no temporary path."""
    return [
        f"the text of cell {number} names {what}: {match.group()!r}."
        for number, cell in text_cells(built)
        for what, pattern in STATE.items()
        if (match := pattern.search(re.sub(r"```.*?```", "", cell.source, flags=re.DOTALL)))
    ]
