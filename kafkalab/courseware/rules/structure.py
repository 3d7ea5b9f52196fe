"""Rules about a lesson's build: how many cells, how long, and what code may not do."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from statistics import median

from kafkalab.courseware.notebook import NotebookNode
from kafkalab.courseware.rules.cells import Built, code_cells, code_nodes, tags_of, text_cells

__all__ = [
    "code_cells_are_short",
    "few_varying_cells",
    "half_is_text",
    "no_endless_loop",
    "no_sleep",
    "number_of_cells",
    "one_h1",
]

CELLS = range(20, 46)
SHARE_OF_TEXT = (0.35, 0.65)
LONGEST_CODE, MEDIAN_CODE = 25, 5
VARYING_CELLS = 3
NBVAL = re.compile(r"(nbval|pytest[-_]validate)[-_](?P<what>\w[-_\w]*)", re.IGNORECASE)
H1 = re.compile(r"#\s+\S")


def number_of_cells(built: Built) -> list[str]:
    """A lesson has 20 to 45 cells."""
    count = len(built.notebook.cells)
    return [] if count in CELLS else [f"it has {count} cells; aim at {CELLS.start} to {CELLS.stop - 1}."]


def half_is_text(built: Built) -> list[str]:
    """About half of the cells are text: 35 to 65 percent."""
    share = len(text_cells(built)) / max(len(built.notebook.cells), 1)
    low, high = SHARE_OF_TEXT
    return [] if low <= share <= high else [f"{share:.0%} of its cells are text; aim at half."]


def code_cells_are_short(built: Built) -> list[str]:
    """A code cell has at most 25 lines, and 5 at the median."""
    lengths = {number: len(cell.source.splitlines()) for number, cell in code_cells(built)}
    long = [
        f"cell {number} has {length} lines of code; {LONGEST_CODE} are the most."
        for number, length in lengths.items()
        if length > LONGEST_CODE
    ]
    middle = median(lengths.values()) if lengths else 0
    if middle > MEDIAN_CODE:
        long.append(f"code cells have {middle:g} lines at the median; {MEDIAN_CODE} are the most.")
    return long


def one_h1(built: Built) -> list[str]:
    """The first cell starts with the one level-one heading."""
    found = [number for number, cell in text_cells(built) for _ in _h1_lines(cell.source)]
    if found == [1]:
        return []
    return [f"level-one headings stand in cells {found}; one is wanted, in cell 1."]


def _h1_lines(text: str) -> Iterator[str]:
    fenced = False
    for line in text.splitlines():
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        elif not fenced and H1.match(line):
            yield line


def no_endless_loop(built: Built) -> list[str]:
    """No ``while True``: loops end by a count or a deadline."""
    return [
        f"cell {number} loops without end; stop by a count or a deadline."
        for number, node in code_nodes(built)
        if isinstance(node, ast.While) and isinstance(node.test, ast.Constant) and node.test.value
    ]


def no_sleep(built: Built) -> list[str]:
    """No sleep: what is awaited is observed."""
    return [
        f"cell {number} sleeps; wait for an observed state instead."
        for number, node in code_nodes(built)
        if isinstance(node, ast.Call) and _called_name(node) == "sleep"
    ]


def _called_name(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def few_varying_cells(built: Built) -> list[str]:
    """At most three cells vary, each tagged ``nbval-ignore-output`` and followed by an assertion.

    The assertion stands in the next code cell. No cell is skipped.
    """
    cells = code_cells(built)
    complaints, varying = [], 0
    for place, (number, cell) in enumerate(cells):
        for marker in _nbval_markers(cell):
            if marker != "ignore-output":
                complaints.append(f"cell {number} is marked {marker}; nbval must check every cell.")
                continue
            varying += 1
            following = cells[place + 1][1].source if place + 1 < len(cells) else ""
            if not re.search(r"^\s*assert\b", following, re.MULTILINE):
                complaints.append(f"cell {number} may vary, and the next code cell asserts nothing.")
    if varying > VARYING_CELLS:
        complaints.append(f"{varying} cells may vary; {VARYING_CELLS} are the most.")
    return complaints


def _nbval_markers(cell: NotebookNode) -> set[str]:
    comments = [line.strip().lstrip("#").strip() for line in cell.source.splitlines() if line.strip()[:1] == "#"]
    found = (NBVAL.fullmatch(word) for word in [*tags_of(cell), *comments])
    return {match["what"].lower().replace("_", "-") for match in found if match}
