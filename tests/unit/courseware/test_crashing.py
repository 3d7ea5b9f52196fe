from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from kafkalab.courseware import crashing
from kafkalab.courseware.crashing import run_process
from kafkalab.courseware.program import Program
from kafkalab.errors import InvalidArgument, WaitTimeout
from kafkalab.waiting import wait_until


def note(path: str, count: int) -> None:
    done = 0
    for number in range(count):
        with open(path, "a", encoding="utf-8") as file:  # noqa: PTH123 - as a learner writes it
            file.write(
                str(number),
            )
        done += 1
    print("noted", done)


def tidy(path: str) -> None:
    try:
        print("working")
        raise_signal = 1 / 1
    finally:
        Path(path).write_text(f"tidied {raise_signal}")


def stumble(numbers: list[int]) -> float:
    return 1 / numbers[0]


def end(code: int) -> None:
    os._exit(code)


def rest() -> None:
    threading.Event().wait(60)


def test_a_function_runs_to_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ending = run_process(note, str(tmp_path / "notes"), 3)
    assert (repr(ending), ending.killed_before, ending.error) == ("note: ran to its end", "", "")
    assert (tmp_path / "notes").read_text() == "012"
    assert capsys.readouterr().out == "noted 3\n"


@pytest.mark.parametrize(("line", "nth", "left"), [("done += 1", 2, "01"), ("file.write(", 1, ""), ("for ", 3, "01")])
def test_it_is_killed_before_the_line_at_its_nth_time(tmp_path: Path, line: str, nth: int, left: str) -> None:
    (tmp_path / "notes").touch()
    ending = run_process(note, str(tmp_path / "notes"), 5, kill_before=line, nth=nth)
    assert ending.killed_before.startswith(line)
    assert repr(ending) == f"note: killed before `{ending.killed_before}`, the {['1st', '2nd', '3rd'][nth - 1]} time"
    assert (tmp_path / "notes").read_text() == left


def test_a_step_names_the_line_too(tmp_path: Path) -> None:
    step = Program(note).find("done += 1")
    assert run_process(note, str(tmp_path / "notes"), 5, kill_before=step).killed_before == step.text
    assert (tmp_path / "notes").read_text() == "0"


def test_a_line_that_is_not_reached_so_often_kills_nothing(tmp_path: Path) -> None:
    assert repr(run_process(note, str(tmp_path / "n"), 2, kill_before="done += 1", nth=3)) == "note: ran to its end"


def test_nothing_runs_after_the_kill_but_what_was_printed_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_process(tidy, str(tmp_path / "tidied"), kill_before="raise_signal = ").killed_before
    assert not (tmp_path / "tidied").exists()
    assert capsys.readouterr().out == "working\n"


def test_an_error_is_told_with_its_line() -> None:
    ending = run_process(stumble, [0])
    assert repr(ending) == "stumble: failed with ZeroDivisionError: division by zero, at `return 1 / numbers[0]`"


def test_a_wrong_number_of_arguments_is_told() -> None:
    assert "missing 1 required positional argument: 'numbers'" in run_process(stumble).error


def test_an_exit_code_is_told() -> None:
    assert run_process(end, 7).error == "exit code 7"


def test_a_process_that_does_not_end_is_killed() -> None:
    with pytest.raises(WaitTimeout, match="rest did not end within 1 s: see that each of its loops ends"):
        run_process(rest, timeout=1)


def test_an_argument_that_cannot_be_handed_over_is_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"an argument cannot be handed to another process .*set"):
        run_process(stumble, {1})


PARENT = """
from kafkalab.courseware.crashing import run_process
from tests.unit.courseware.test_crashing import wait_long
run_process(wait_long, {path!r})
"""


def wait_long(path: str) -> None:
    Path(path).write_text(str(os.getpid()))
    threading.Event().wait(60)


def test_a_process_ends_with_the_one_that_started_it(tmp_path: Path) -> None:
    told = tmp_path / "child"
    command = [sys.executable, "-c", PARENT.format(path=str(told))]
    with subprocess.Popen(command, cwd=Path(crashing.__file__).parents[2]) as parent:
        wait_until(lambda: told.exists() and told.read_text(), what="the child's process id")
        parent.send_signal(signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(int(told.read_text())), what="the end of the child")
