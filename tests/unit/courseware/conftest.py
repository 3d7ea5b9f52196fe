"""A course of one small lesson, with an exercises package of its own, in a temporary folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from kafkalab.courseware.catalogue import Catalogue
from kafkalab.courseware.declaration import Exercise

EXERCISES = '''"""Exercises of the trial course."""

from kafkalab.courseware.declaration import exercise, expect


@exercise("98.pair", task="Make a list of two.", hints=("Lists have brackets.", "Write [1, 2]."))
def pair(box: dict[str, object], *, answer: list[int]) -> str:
    """Look at the box."""
    expect(len(answer) == 2, f"the list has {len(answer)} elements, and two are wanted.")
    box["pair"] = answer
    return f"the list {answer} has two elements."
'''

SOURCE = """# %% [markdown]
# # 98 Trial
# A lesson without a cluster, see [the end](#The-end).

# %%
from kafkalab.courseware import check, hint, predict, progress, show, solution

box = {}

# %% [markdown]
# ## An exercise

# %% exercise="98.pair"
# Make a list of two.
answer = ...
### BEGIN SOLUTION
answer = [1, 2]
### END SOLUTION

# %%
check("98.pair", box, answer=answer)

# %%
progress("98")

# %% [markdown]
# ## The end
"""


@pytest.fixture(scope="session")
def exercises_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder to put on the Python path for ``trial_exercises``."""
    folder = tmp_path_factory.mktemp("python")
    package = folder / "trial_exercises"
    package.mkdir()
    (package / "__init__.py").write_text('"""Exercises of a trial course."""\n')
    (package / "lesson_98.py").write_text(EXERCISES)
    return folder


@pytest.fixture(scope="module")
def one_shell() -> Iterator[Any]:
    """IPython's shell; there can be one, and each takes seconds at the end of the run."""
    main = sys.modules["__main__"]
    shell = InteractiveShell.instance()
    sys.modules["__main__"] = main  # it puts its own module there, from which no process can be spawned
    yield shell
    InteractiveShell.clear_instance()


@pytest.fixture
def course(tmp_path: Path, exercises_package: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ``source/98_trial.py``; its exercises are those of the course."""
    paths = [str(exercises_package), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in paths if path))
    monkeypatch.syspath_prepend(str(exercises_package))
    monkeypatch.setenv("KAFKALAB_EXERCISES", "trial_exercises")
    folder = tmp_path / "notebooks"
    (folder / "source").mkdir(parents=True)
    (folder / "source" / "98_trial.py").write_text(SOURCE)
    return folder


@pytest.fixture
def pair() -> Exercise:
    """An exercise that is done when its answer has two elements."""

    def check(box: list[int]) -> str:
        assert len(box) == 2
        return "a box of two."

    return Exercise("98.pair", "Make a box of two.", ("Look again.", "Write [1, 2]."), check)


@pytest.fixture
def catalogue(pair: Exercise) -> Catalogue:
    """A catalogue of that one exercise."""
    return Catalogue([pair])
