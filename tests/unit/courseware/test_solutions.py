from __future__ import annotations

import json
from pathlib import Path

import pytest

from kafkalab.courseware.solutions import solution_text
from kafkalab.errors import EnvironmentProblem


@pytest.fixture
def solutions(tmp_path: Path) -> Path:
    cells = [
        {"metadata": {}, "source": ["x = 1"]},
        {"metadata": {"kafkalab": {"exercise": "98.pair"}}, "source": ["# A pair.\n", "answer = [1, 2]"]},
    ]
    (tmp_path / "98_trial.ipynb").write_text(json.dumps({"cells": cells}))
    return tmp_path


def test_the_code_of_the_solved_cell_is_returned(solutions: Path) -> None:
    assert solution_text("98.pair", solutions) == "# A pair.\nanswer = [1, 2]"


@pytest.mark.parametrize("name", ["98.other", "97.pair"])
def test_a_solution_that_is_not_there_is_one_sentence(name: str, solutions: Path) -> None:
    with pytest.raises(EnvironmentProblem, match=f"solution of {name}"):
        solution_text(name, solutions)
