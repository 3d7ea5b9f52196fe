from __future__ import annotations

import warnings
from typing import Any

import pytest
from kafka.errors import ClusterAuthorizationFailedError, KafkaTimeoutError

from kafkalab.clusters.lodging import NotApplied, tell
from kafkalab.courseware import borrowed
from kafkalab.errors import BorrowedCluster, ToolRefused

REFUSED = 'refuse("the files")'


def refuse(what: str) -> None:
    raise BorrowedCluster(f"not {what}")


@pytest.fixture
def shell(one_shell: Any) -> Any:
    one_shell.ast_transformers.clear()
    one_shell.events.callbacks["post_run_cell"].clear()
    one_shell.reset(new_session=False)
    told: list[str] = []
    one_shell.user_ns.update(refuse=refuse, check=lambda name, **answers: print(f"checked {name}"), told=told)
    borrowed.install(told.append)
    return one_shell


@pytest.fixture
def run(shell: Any, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a cell; return what it prints, with the error that it ends in."""

    def in_shell(*lines: str) -> str:
        result = shell.run_cell("\n".join(lines))
        error = result.error_before_exec or result.error_in_exec
        printed = capsys.readouterr().out
        return printed if error is None else f"{type(error).__name__}"

    return in_shell


def test_a_refused_cell_says_so_and_counts_as_run(run: Any) -> None:
    said = run("print('first')", REFUSED, "print('then')")
    assert said.startswith(
        'first\nLeft out: not the files: use a cluster of your own, Cluster(backend="local").\n'
        "(The texts of this lesson tell what you would have seen. To see it, "
    )
    assert run(REFUSED) == "Left out: not the files.\n"


def test_it_ends_there_also_in_a_function_of_a_cell_above(run: Any) -> None:
    assert run("def look():", "    " + REFUSED) == ""
    assert run("look()").startswith("Left out: not the files: use a cluster")


def test_a_missing_right_is_said_in_few_words(run: Any, shell: Any) -> None:
    shell.user_ns["error"] = ClusterAuthorizationFailedError("a whole request")
    assert run("raise error").startswith("Left out: this cluster gives you no right to do that: use a cluster of")


def test_any_other_error_is_one(run: Any, shell: Any) -> None:
    shell.user_ns["error"] = KafkaTimeoutError()
    assert run("raise error") == "KafkaTimeoutError"
    assert run("1 / 0") == "ZeroDivisionError"


@pytest.mark.parametrize(
    "cell",
    [
        "print(size)",
        "size = size + 1",
        "size += 1",
        "print([size for _ in range(3)])",
        "def double():\n    return 2 * size\nprint(double())",
        "text = f'{size}'",
        "for number in range(size): pass",
    ],
)
def test_a_cell_that_needs_what_is_missing_is_left_out(run: Any, cell: str) -> None:
    run("size = 1")
    run(REFUSED, "size = 2")  # the old one would be wrong
    assert run(cell) == "Left out: it needs `size` from a cell above that was left out.\n"


@pytest.mark.parametrize(
    "cell",
    [
        "size = 3\nprint(size)",
        "for size in (3,): print(size)",
        "import io\nwith io.StringIO('3') as size: print(size.read())",
        "print([size for size in (3,)][0])",
        "print((lambda size: size)(3))",
        "def same(size):\n    return size\nprint(same(3))",
    ],
)
def test_a_cell_that_has_its_own_is_run(run: Any, cell: str) -> None:
    run(REFUSED, "size = 2")
    assert run(cell) == "3\n"


def test_what_was_assigned_before_the_refusal_is_there(run: Any) -> None:
    run("size = 2", REFUSED)
    assert run("print(size)") == "2\n"


def test_what_a_later_cell_assigns_is_there_again(run: Any) -> None:
    run(REFUSED, "size = 2")
    run("size = 5")
    assert run("print(size)") == "5\n"


def test_what_hangs_on_something_left_out_is_left_out_as_well(run: Any) -> None:
    run(REFUSED, "size = 2")
    run("double = 2 * size")
    assert "needs `double`" in run("print(double)")


def test_exercises_whose_check_is_left_out_are_told(run: Any, shell: Any) -> None:
    assert run('check("04.here")') == "checked 04.here\n"
    run(REFUSED, 'check("04.refused", answer=1)', "size = 2")
    run('print("before")', 'if size:\n    check("04.needs", answer=size)')
    assert shell.user_ns["told"] == ["04.refused", "04.needs"]


def test_the_sentence_is_set_off_from_what_cells_show(run: Any, shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(borrowed, "display", lambda data, raw: shown.append(data["text/html"]))
    run('refuse("<b>")')
    run(REFUSED, "size = 2")
    run("print(size)")
    first, second, third = shown
    assert ">Left out: not &lt;b&gt;: use a cluster of your own, Cluster(backend=&quot;local&quot;).<br><span" in first
    assert "restart the kernel" in first
    assert second == f'<div style="{borrowed._FRAME}">Left out: not the files.</div>'
    assert "Left out: it needs <code>size</code> from a cell above" in third


def test_what_to_do_is_said_once(run: Any) -> None:
    assert run(REFUSED).startswith("Left out: not the files: use a cluster of your own, ")
    assert run(REFUSED) == "Left out: not the files.\n"


def test_a_tool_that_is_refused_is_named(run: Any, shell: Any) -> None:
    shell.user_ns["error"] = ToolRefused("kafka-acls failed (exit code 1): Not authorized")
    assert run("raise error").startswith(
        "Left out: this cluster gives you no right to use kafka-acls in this way: use a"
    )


def test_what_is_not_applied_is_said_without_pythons_lines(run: Any, shell: Any) -> None:
    shell.user_ns.update(tell=tell, NotApplied=NotApplied, warnings=warnings)
    run(REFUSED)  # what to do was said there
    warnings.simplefilter("always")
    assert run("tell('no such setting.', NotApplied)", "print('then')") == "no such setting.\nthen\n"
    with pytest.warns(UserWarning, match="another"):
        run("warnings.warn('another')")


def test_functions_are_defined_all_the_same(run: Any) -> None:
    run(REFUSED, "size = 2", "def clock():", "    return 'noon'")
    assert run("print(clock())") == "noon\n"
    run("print(size)", "def clock():", "    return 'midnight'", "def twice():", "    return 2 * size")
    assert run("print(clock())") == "midnight\n"
    assert "needs `twice`" in run("twice()")
