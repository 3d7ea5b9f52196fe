from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from kafkalab.courseware.catalogue import Catalogue
from kafkalab.courseware.source import Kind, Source, SourceProblem, read_source

EXERCISE = """# %% exercise="98.pair"
# Make a pair.
answer = ...  # yours
### BEGIN SOLUTION
answer = [1, 2]
### END SOLUTION
"""
CHECK = """# %%
check("98.pair", answer=answer)
"""


def read(folder: Path, text: str, catalogue: Catalogue, name: str = "98_trial.py") -> Source:
    (folder / name).write_text(text)
    return read_source(folder / name, catalogue)


def test_cells_are_read_with_their_metadata(tmp_path: Path) -> None:
    text = '# %% [markdown]\n# # Title\n\n# %% tags=["raises-exception"]\n1 / 0\n'
    source = read(tmp_path, text, Catalogue([]))
    assert [(cell.number, cell.cell_type, cell.text) for cell in source.cells] == [
        (1, "markdown", "# Title"),
        (2, "code", "1 / 0"),
    ]
    assert source.cells[1].metadata == {"tags": ["raises-exception"]}
    assert source.name == "98_trial"
    assert source.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_an_exercise_loses_its_solution_or_its_stub(tmp_path: Path, catalogue: Catalogue) -> None:
    source = read(tmp_path, EXERCISE + CHECK, catalogue)
    assert source.exercises == ["98.pair"]
    assert source.cells[0].text_for(Kind.LESSON) == "# Make a pair.\nanswer = ...  # yours"
    assert source.cells[0].text_for(Kind.SOLUTION) == "# Make a pair.\nanswer = [1, 2]"
    assert (source.cells[0].check, source.cells[1].check) == (None, "98.pair")


def test_a_solution_may_stand_inside_a_function(tmp_path: Path, catalogue: Catalogue) -> None:
    text = """# %% exercise="98.pair"
def answer():
    \"\"\"Return a pair.\"\"\"
    ...
    ### BEGIN SOLUTION
    pair = [1, 2]
    return pair
    ### END SOLUTION
"""
    cell = read(tmp_path, text + CHECK, catalogue).cells[0]
    assert cell.text_for(Kind.LESSON) == 'def answer():\n    """Return a pair."""\n    ...'
    assert cell.text_for(Kind.SOLUTION).splitlines()[2:] == ["    pair = [1, 2]", "    return pair"]


BAD = {
    "no solution": (EXERCISE.replace("### BEGIN SOLUTION\n", "").replace("### END SOLUTION\n", "") + CHECK),
    "out of turn": EXERCISE.replace("### END SOLUTION\n", "") + CHECK,
    "empty solution": EXERCISE.replace("answer = [1, 2]\n", "") + CHECK,
    "no stub": EXERCISE.replace("# Make a pair.\nanswer = ...  # yours\n", "") + CHECK,
    "no valid Python without": EXERCISE.replace("# Make a pair.", "def answer():") + CHECK,
    "no valid Python with its": EXERCISE.replace("[1, 2]", "[1, 2") + CHECK,
    "has a solution but no name": EXERCISE.replace(' exercise="98.pair"', "") + CHECK,
    "98.triple is not declared": EXERCISE.replace("98.pair", "98.triple") + CHECK,
    "has two cells": EXERCISE + EXERCISE + CHECK,
    "no such exercise stands above": CHECK + EXERCISE,
    "is never checked": EXERCISE,
    "calls check twice": EXERCISE + CHECK + 'check("98.pair", answer=answer)\n',
    "98.pair of exercises/lesson_98.py has no cell": "# %%\n1\n",
}


@pytest.mark.parametrize("problem", BAD)
def test_a_source_that_cannot_be_built_is_refused(problem: str, tmp_path: Path, catalogue: Catalogue) -> None:
    with pytest.raises(SourceProblem, match=rf"98_trial\.py.*{problem}"):
        read(tmp_path, BAD[problem], catalogue)


def test_the_number_of_the_bad_cell_is_named(tmp_path: Path, catalogue: Catalogue) -> None:
    with pytest.raises(SourceProblem, match="cell 2: "):
        read(tmp_path, "# %%\n1\n\n" + BAD["out of turn"], catalogue)


@pytest.mark.parametrize("name", ["trial.py", "98_Trial.py", "98-trial.py", "98_trial.txt"])
def test_a_misnamed_source_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SourceProblem, match=r"NN_topic\.py"):
        read(tmp_path, "", Catalogue([]), name)


def test_a_missing_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceProblem, match="cannot be read"):
        read_source(tmp_path / "98_trial.py", Catalogue([]))


def test_the_check_of_another_library_is_not_taken_for_ours(tmp_path: Path) -> None:
    assert read(tmp_path, '# %%\nlibrary.check("98.pair")\n', Catalogue([])).cells[0].check is None
