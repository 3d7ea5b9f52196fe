"""Every house rule is shown to fail on a notebook that breaks it, and to pass on one that keeps it."""

# mypy: disable-error-code="no-untyped-call"
# (nbformat has no type information for most of its functions)

from __future__ import annotations

import base64
import copy
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from kafkalab.courseware.notebook import NotebookNode
from kafkalab.courseware.rules import RULES, Built, broken_rules

Edit = Callable[[NotebookNode], None]
NOT_DONE = 'Not done yet: topic greetings has 1 partition, not 3.\nTask: Make it.\nStuck? Call hint("00.topic").'
DESK = "from kafkalab.courseware import check, hint, progress, show, solution"
ALT = "A line that rises from one to three."


def png(width: float = 8, height: float = 5) -> str:
    buffer = io.BytesIO()
    Figure(figsize=(width, height), dpi=100).savefig(buffer, format="png")
    return base64.b64encode(buffer.getvalue()).decode()


def picture(data: str, **metadata: str) -> NotebookNode:
    data_of = {"image/png": data, "text/plain": ALT}
    shown: NotebookNode = new_output("display_data", data_of, metadata={"image/png": metadata})
    return shown


def stream(text: str, name: str = "stdout") -> NotebookNode:
    made: NotebookNode = new_output("stream", name=name, text=text)
    return made


def failure(ename: str, evalue: str) -> NotebookNode:
    made: NotebookNode = new_output("error", ename=ename, evalue=evalue, traceback=evalue.splitlines())
    return made


def good() -> NotebookNode:
    """A lesson that keeps every rule: cells 1, 3, 5 ... are text, 2, 4, 6 ... are code."""
    cells = []
    for number in range(1, 13):
        heading = "# 00 Start" if number == 1 else f"## Part {number}"
        cells.append(new_markdown_cell(f"{heading}\nSee [part two](#Part-2) and [next](00_other.ipynb)."))
        cells.append(new_code_cell(f"print({number})", execution_count=number, outputs=[stream(f"{number}\n")]))
    notebook: NotebookNode = new_notebook(cells=cells)
    notebook.metadata["kafkalab"] = {"kind": "lesson", "lesson": "00_start"}
    notebook.cells[3].source = f"{DESK}\nshow(figure, alt=...)"
    notebook.cells[3].outputs = [picture(png(), alt=ALT)]
    check = notebook.cells[5]
    check.source = 'check("00.topic", cluster, topic=topic)'
    check.metadata = NotebookNode(kafkalab={"check": "00.topic"}, tags=["raises-exception"])
    check.outputs = [failure("NotDoneYet", NOT_DONE)]
    return notebook


def source(text: str, cell: int = 2) -> Edit:
    return lambda notebook: notebook.cells[cell - 1].update(source=text)


def outputs(*made: NotebookNode, cell: int = 2) -> Edit:
    return lambda notebook: notebook.cells[cell - 1].update(outputs=list(made))


def prints(text: str) -> Edit:
    return outputs(stream(text))


def count(value: int | None, cell: int = 2) -> Edit:
    return lambda notebook: notebook.cells[cell - 1].update(execution_count=value)


def tags(*names: str, cell: int = 2) -> Edit:
    return lambda notebook: notebook.cells[cell - 1].metadata.update(tags=list(names))


def cut(last: int) -> Edit:
    return lambda notebook: notebook.update(cells=notebook.cells[:last])


def all_text(notebook: NotebookNode) -> None:
    notebook.cells += [new_markdown_cell("More.") for _ in range(15)]


def long_cells(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = "x = 1\n" * 6


def four_varying(notebook: NotebookNode) -> None:
    for number in (8, 12, 16, 20):
        tags("nbval-ignore-output", cell=number)(notebook)
        source("assert True", cell=number + 2)(notebook)


def as_solution(notebook: NotebookNode) -> None:
    notebook.metadata.kafkalab.kind = "solution"
    notebook.cells[5].metadata.pop("tags")
    notebook.cells[5].outputs = [stream("Nothing.\n")]


TEMPORARY = str(Path("/", "tmp", "kafkalab-1"))  # put together: no file of the project names such a folder
CORRUPT = base64.b64encode(base64.b64decode(png())[:200]).decode()
COUNTER_EXAMPLES: list[tuple[str, str, Edit]] = [
    ("number_of_cells", "has 19 cells", cut(19)),
    ("number_of_cells", "has 46 cells", lambda n: n.update(cells=(n.cells * 2)[:46])),
    ("half_is_text", "69% of its cells", all_text),
    ("code_cells_are_short", "cell 2 has 26 lines", source("x = 1\n" * 26)),
    ("code_cells_are_short", "6 lines at the median", long_cells),
    ("one_h1", r"stand in cells \[1, 3\]", source("# Another", cell=3)),
    ("one_h1", r"stand in cells \[\]", source("Hello", cell=1)),
    ("no_endless_loop", "cell 2 loops", source("while True:\n    break")),
    ("no_endless_loop", "cell 2 loops", source("%matplotlib inline\nwhile 1:\n    break")),
    ("no_sleep", "cell 2 sleeps", source("import time\ntime.sleep(1)")),
    ("no_sleep", "cell 2 sleeps", source("from time import sleep\nsleep(1)")),
    ("few_varying_cells", "cell 2 is marked skip", tags("nbval-skip")),
    ("few_varying_cells", "cell 2 is marked skip", source("# NBVAL_SKIP\nprint(1)")),
    ("few_varying_cells", "cell 2 may vary, and the next", tags("nbval-ignore-output")),
    ("few_varying_cells", "cell 2 may vary, and the next", source("# PYTEST_VALIDATE_IGNORE_OUTPUT\n1")),
    ("few_varying_cells", "4 cells may vary", four_varying),
    ("every_code_cell_executed", "execution counts", count(None)),
    ("every_code_cell_executed", "execution counts", count(7)),
    ("every_code_cell_executed", r"cells \[2\] are empty", source(" ")),
    ("no_unexpected_error", "cell 2 shows KeyError", outputs(failure("KeyError", "'x'"))),
    ("expected_errors_happened", "cell 2 is tagged", tags("raises-exception")),
    ("no_stderr", "cell 2 wrote to stderr: 'oh'", outputs(stream("oh\n", name="stderr"))),
    ("no_trace_of_this_machine", "absolute path: '.tmp.k", prints(f"in {TEMPORARY}/0")),
    ("no_trace_of_this_machine", "absolute path: '/home/a", prints("'/home/ann/x'")),
    ("no_trace_of_this_machine", "a port: '127.0.0.1:2", prints("servers 127.0.0.1:20001")),
    ("no_trace_of_this_machine", "a port: 'localhost:9", prints("localhost:9092")),
    ("no_trace_of_this_machine", "a process id: 'pid=4", prints("pid=4711")),
    ("no_trace_of_this_machine", "a memory address", prints("<Future at 0x7f12ab34cd56>")),
    ("no_trace_of_this_machine", "wall clock: '2026-", prints("at 2026-03-01 10:00")),
    ("no_trace_of_this_machine", "wall clock: '17", prints("timestamp 1795244254123")),
    ("no_trace_of_this_machine", "a port", outputs(failure("OSError", "localhost:9092"), cell=6)),
    ("pictures_are_real", "no whole PNG", outputs(picture(CORRUPT, alt=ALT))),
    ("pictures_are_real", "no base64", outputs(picture("!", alt=ALT))),
    ("pictures_are_real", "10 x 10 pixels", outputs(picture(png(0.1, 0.1), alt=ALT))),
    ("pictures_have_alt_text", "cell 2 has no alternative", outputs(picture(png()))),
    ("pictures_have_alt_text", "cell 2 has no alternative", outputs(picture(png(), alt="A line."))),
    ("open_exercises_say_so", "gives no error in cell 6", outputs(cell=6)),
    ("open_exercises_say_so", "gives NameError: x in cell 6", outputs(failure("NameError", "x"), cell=6)),
    ("open_exercises_say_so", "is no help", outputs(failure("NotDoneYet", "Not done yet: no."), cell=6)),
    ("solved_exercises_say_so", "does not pass its check in cell 6", as_solution),
    (
        "the_desk_is_imported",
        "import hint, solution, progress",
        source("from kafkalab.courseware import check", cell=4),
    ),
    ("the_desk_is_imported", "does not import solution from", source(DESK.replace(", solution", ""), cell=4)),
    ("the_desk_is_imported", "import check, hint, solution, progress", source("from other import *", cell=4)),
    ("links_lead_somewhere", "02_gone.ipynb: there is no such lesson", source("[x](02_gone.ipynb)", cell=3)),
    ("links_lead_somewhere", "no such heading", source("[x](#Part-99)", cell=3)),
    ("links_lead_somewhere", "no such heading", source("[x](00_other.ipynb#Nowhere)", cell=3)),
    ("links_lead_somewhere", "has only the lessons", source("[x](01_next.md)", cell=3)),
    ("links_lead_somewhere", "has only the lessons", source("![x](../picture.png)", cell=3)),
    ("prose_names_no_machine_state", "a port: '127.0.0.1:20001'", source("At 127.0.0.1:20001.", cell=3)),
    ("prose_names_no_machine_state", "a process id", source("The broker, pid 4711,", cell=3)),
    ("prose_names_no_machine_state", "a temporary path", source(f"It lies in {TEMPORARY}.", cell=3)),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "01_next.md").touch()  # there, but not in a learner's workspace
    (tmp_path / "00_other.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    return tmp_path / "00_start.ipynb"


@pytest.mark.parametrize("rule", RULES)
def test_a_good_lesson_keeps_the_rule(rule: str, path: Path) -> None:
    assert RULES[rule](Built(good(), path)) == []


@pytest.mark.parametrize(
    ("rule", "complaint", "edit"),
    COUNTER_EXAMPLES,
    ids=[f"{row[0]}-{n}" for n, row in enumerate(COUNTER_EXAMPLES)],
)
def test_a_bad_lesson_breaks_the_rule(rule: str, complaint: str, edit: Edit, path: Path) -> None:
    notebook = good()
    edit(notebook)
    with pytest.raises(AssertionError, match=complaint):
        assert not (found := RULES[rule](Built(notebook, path))), "\n".join(found)


def test_every_rule_has_a_counter_example() -> None:
    assert {rule for rule, _, _ in COUNTER_EXAMPLES} == set(RULES)


def test_all_complaints_are_collected_with_their_rules(path: Path) -> None:
    notebook = good()
    source("while True:\n    time.sleep(1)")(notebook)
    before = copy.deepcopy(notebook)
    found = broken_rules(notebook, path)
    assert [line.rsplit(" ", 1)[1] for line in found] == ["[no_endless_loop]", "[no_sleep]"]
    assert notebook == before


@pytest.mark.parametrize(
    "text",
    [
        "3 of 3 records, ratio 1/3",
        "2024-01-02 09:30:00",
        "timestamp 1704187800000",
        "https://kafka.apache.org/usr/share",
        "kafka-0/orders-1/00000000000000000000.log",
        "process 5 records",
        "key=user-17 12345678901",
    ],
)
def test_harmless_outputs_are_left_alone(text: str, path: Path) -> None:
    notebook = good()
    prints(text)(notebook)
    assert broken_rules(notebook, path) == []


def test_prose_may_name_kafkas_own_default_port(path: Path) -> None:
    notebook = good()
    source("## Part 2\nA broker set up by hand listens on localhost:9092.", cell=3)(notebook)
    assert broken_rules(notebook, path) == []


def test_a_heading_inside_a_code_block_is_no_heading(path: Path) -> None:
    notebook = good()
    source("## Part 2\n```\n# a comment\n```", cell=3)(notebook)
    assert broken_rules(notebook, path) == []


def test_a_varying_cell_with_an_assertion_below_is_allowed(path: Path) -> None:
    notebook = good()
    tags("nbval-ignore-output", cell=8)(notebook)
    source("assert rate > 0", cell=10)(notebook)
    assert broken_rules(notebook, path) == []
