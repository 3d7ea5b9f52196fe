from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kafkalab.courseware.build import find_sources, main
from kafkalab.courseware.solutions import solution_text
from kafkalab.errors import InvalidArgument


def run(course: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--folder", str(course), *arguments])


def built(course: Path) -> dict[str, bytes]:
    return {str(path.relative_to(course)): path.read_bytes() for path in sorted(course.rglob("*.ipynb"))}


def outputs_of(path: Path, check: str) -> str:
    cells = json.loads(path.read_text())["cells"]
    return next(json.dumps(cell["outputs"]) for cell in cells if f'check("{check}"' in "".join(cell["source"]))


def test_lesson_and_solution_are_built_and_executed(course: Path) -> None:
    result = run(course)
    assert list(built(course)) == ["98_trial.ipynb", "solutions/98_trial.ipynb"]
    assert "98_trial (lesson): written" in result.output
    assert "Not done yet: `answer` is still" in outputs_of(course / "98_trial.ipynb", "98.pair")
    assert "Done: the list [1, 2]" in outputs_of(course / "solutions" / "98_trial.ipynb", "98.pair")
    assert solution_text("98.pair", course / "solutions") == "# Make a list of two.\nanswer = [1, 2]"
    # The trial lesson is in step and keeps every rule but the one on its length.
    complaints = [line for line in result.output.splitlines() if not line.endswith(": written")]
    assert len(complaints) == 2
    assert all(line.endswith("[number_of_cells]") for line in complaints)
    assert result.exit_code == 1
    # And a second execution gives the same bytes.
    first = built(course)
    run(course)
    assert built(course) == first


def test_an_unexecuted_build_is_the_same_whatever_the_process(course: Path) -> None:
    results = []
    for seed in ("1", "2"):
        command = [sys.executable, "-m", "kafkalab.courseware.build", "--no-execute", "--folder", str(course)]
        done = subprocess.run(
            command, env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        results.append(built(course))
    assert results[0] == results[1]
    assert len(results[0]) == 2


# A cell that fails in both notebooks, and one that fails in the solution alone, which is executed last.
FAILING = [
    ("# %%\nno_such_name\n", "98_trial (lesson): cell 8 failed with NameError: name 'no_such_name'"),
    ("# %%\nassert answer is ...\n", "98_trial (solution): cell 8 failed with AssertionError"),
]


@pytest.mark.parametrize(("cell", "said"), FAILING)
def test_a_failing_cell_leaves_both_old_files_and_is_shown(
    cell: str, said: str, course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(course, "--no-execute")
    before = built(course)
    source = course / "source" / "98_trial.py"
    source.write_text(f"{source.read_text()}\n{cell}")
    monkeypatch.chdir(course.parent)
    result = run(course, "98")
    assert result.exit_code == 1
    assert said in result.output
    files = "notebooks/98_trial.ipynb and notebooks/solutions/98_trial.ipynb"
    assert f"Nothing was written: {files} are as they were." in result.output
    assert ": written" not in result.output
    assert built(course) == before
    assert not list(course.rglob(".98_trial*"))


def test_a_failing_lesson_does_not_keep_the_next_one_from_being_built(course: Path) -> None:
    (course / "source" / "97_other.py").write_text("# %% [markdown]\n# # 97 Other\n\n# %%\nno_such_name\n")
    result = run(course)
    assert f"{course / '97_other.ipynb'} and" in result.output
    assert list(built(course)) == ["98_trial.ipynb", "solutions/98_trial.ipynb"]


def test_a_source_with_a_problem_is_said_and_the_others_are_built(course: Path) -> None:
    (course / "source" / "97_bad.py").write_text('# %% exercise="97.none"\n1\n')
    result = run(course, "--no-execute")
    assert result.exit_code == 1
    assert "97_bad.py, cell 1: exercise 97.none has no solution" in result.output
    assert list(built(course)) == ["98_trial.ipynb", "solutions/98_trial.ipynb"]


def test_check_says_what_is_missing(course: Path) -> None:
    result = run(course, "--check")
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "98_trial (lesson): missing: build it.",
        "98_trial (solution): missing: build it.",
    ]


def test_check_says_what_is_not_executed(course: Path) -> None:
    run(course, "--no-execute")
    assert "[every_code_cell_executed]" in run(course, "--check").output


def test_check_says_whose_source_has_changed(course: Path) -> None:
    run(course, "--no-execute")
    source = course / "source" / "98_trial.py"
    source.write_text(source.read_text().replace("without a cluster", "with none"))
    assert "98_trial (lesson): out of step: 98_trial.py has changed" in run(course, "--check").output


def test_check_says_what_was_edited_by_hand(course: Path) -> None:
    run(course, "--no-execute")
    lesson = course / "98_trial.ipynb"
    lesson.write_text(lesson.read_text().replace("without a cluster", "with none"))
    output = run(course, "--check").output
    assert "98_trial (lesson): out of step: its cells differ" in output
    assert "98_trial (solution): out of step" not in output


def test_check_says_what_has_no_source(course: Path) -> None:
    run(course, "--no-execute")
    (course / "solutions" / "97_gone.ipynb").write_bytes((course / "98_trial.ipynb").read_bytes())
    assert "97_gone.ipynb: has no source; remove it." in run(course, "--check").output


@pytest.mark.parametrize("wanted", ["98", "98_trial", "98_trial.py"])
def test_a_lesson_is_named_by_number_or_name(wanted: str, course: Path) -> None:
    (course / "source" / "97_other.py").touch()
    assert [path.name for path in find_sources(course, [wanted])] == ["98_trial.py"]
    assert len(find_sources(course)) == 2


def test_an_unknown_lesson_is_bad_usage(course: Path) -> None:
    result = run(course, "42")
    assert result.exit_code == 2
    assert "there is no lesson '42'" in result.output
    assert "98_trial" in result.output


def test_a_folder_without_sources_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="no lesson sources"):
        find_sources(tmp_path)
