"""The house rules of built lessons that strict nbval cannot see, each a small function.

A rule takes a built notebook and returns its complaints, an empty list where all is well. ``RULES`` maps each
rule's name to it; the build prints what ``broken_rules`` finds, and the tests run every rule on every lesson.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kafkalab.courseware.notebook import NotebookNode
from kafkalab.courseware.rules import exercises, links, outputs, pictures, structure, wording
from kafkalab.courseware.rules.cells import Built

__all__ = ["RULES", "Built", "Rule", "broken_rules"]

Rule = Callable[[Built], list[str]]

_EACH: tuple[Rule, ...] = (
    structure.number_of_cells,
    structure.half_is_text,
    structure.code_cells_are_short,
    structure.one_h1,
    structure.no_endless_loop,
    structure.no_sleep,
    structure.few_varying_cells,
    outputs.every_code_cell_executed,
    outputs.no_unexpected_error,
    outputs.expected_errors_happened,
    outputs.no_stderr,
    outputs.no_trace_of_this_machine,
    pictures.pictures_are_real,
    pictures.pictures_have_alt_text,
    exercises.open_exercises_say_so,
    exercises.solved_exercises_say_so,
    exercises.the_desk_is_imported,
    links.links_lead_somewhere,
    wording.prose_names_no_machine_state,
)
RULES: dict[str, Rule] = {rule.__name__: rule for rule in _EACH}


def broken_rules(notebook: NotebookNode, path: Path) -> list[str]:
    """Return every complaint of every rule, each with the rule's name."""
    return [f"{complaint} [{name}]" for name, rule in RULES.items() for complaint in rule(Built(notebook, path))]
