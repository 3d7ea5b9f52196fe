"""The lessons on a cluster that somebody else runs, with rights to one prefix: what needs brokers of one's own
says so and is left out, and all the rest has the outputs that it has on brokers of one's own.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from kafkalab.courseware.execute import execute
from kafkalab.courseware.notebook import NotebookNode
from tests.borrowed import PREFIX, lent, way_in

pytestmark = pytest.mark.integration

SOLUTIONS = Path(__file__).parents[2] / "notebooks" / "solutions"
# By lesson: the cells that are left out, by their place in the notebook.
LEFT_OUT = {
    "00_start_here": {23, 26, 29, 32},
    "01_producers": {30, 31, 34, 36, 38, 39},
    "02_partitions": {13, 35},
    "03_consumer_groups": set(),
    "04_replication": {3, 6, 9, 11, 13, 15, 18, 21, 23, 25, 26, 28, 31, 34, 36, 38, 40, 41},
    "05_delivery_guarantees": {20},
    "06_the_log": {3, 6, 8, 11, 22, 24, 27, 30, 33, 39, 42},
    "20_stock_market": set(),
    "21_social_media": set(),
    "22_smart_city": set(),
    "25_event_sourcing": {31},
}
# Those that show whose the cluster is, and warn of what it was not made with, or which fault is left out.
BORROWED = {
    "00_start_here": {3, 30},
    "01_producers": {3},
    "06_the_log": {1},
    "20_stock_market": {24, 25},
    "21_social_media": {15},
    "22_smart_city": {15},
    "25_event_sourcing": {1, 6},
}


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    with lent() as owner:
        yield way_in(owner)


@pytest.fixture
def _borrowing(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("KAFKALAB_B")]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("_borrowing")
@pytest.mark.parametrize("lesson", LEFT_OUT)
def test_what_needs_brokers_of_ones_own_is_left_out_and_the_rest_is_the_same(lesson: str, tmp_path: Path) -> None:
    solved = nbformat.read(SOLUTIONS / f"{lesson}.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    here = copy.deepcopy(solved)
    execute(here, tmp_path)
    told = {number: (text_of(there), text_of(cell)) for number, there, cell in compared(solved, here)}
    assert {number for number, (_, text) in told.items() if "Left out: " in text} == LEFT_OUT[lesson]
    different = {number for number, (there, text) in told.items() if there != text}
    assert different - LEFT_OUT[lesson] == BORROWED.get(lesson, set())
    shown = text_of(next(cell for cell in reversed(here.cells) if "progress(" in cell.source))
    assert "[x]" in shown or lesson == "04_replication"
    assert "[ ]" not in shown, "an exercise is neither done nor left out"


def compared(solved: NotebookNode, here: NotebookNode) -> Iterator[tuple[int, NotebookNode, NotebookNode]]:
    """Yield the code cells but for the last one, whose progress shows the exercises that were left out."""
    pairs = [pair for pair in enumerate(zip(solved.cells, here.cells, strict=True)) if pair[1][0].cell_type == "code"]
    for number, (there, cell) in pairs[:-1]:
        if "nbval-ignore-output" not in there.metadata.get("tags", []):
            yield number, there, cell


def text_of(cell: NotebookNode) -> str:
    """Return what a cell shows in words; tables are as wide as their names are long."""
    shown = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]
    return " ".join(" ".join(shown).replace(PREFIX, "").split())
