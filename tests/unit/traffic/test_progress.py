from __future__ import annotations

import pytest

from kafkalab.traffic.progress import is_watched, progress_bar


@pytest.mark.parametrize(
    ("environment", "in_kernel", "is_terminal", "watched"),
    [
        ({}, False, True, True),
        ({}, False, False, False),
        ({"JPY_SESSION_NAME": "lesson.ipynb"}, True, False, True),
        ({"VSCODE_PID": "17"}, True, False, True),
        ({"COLAB_RELEASE_TAG": "r1"}, True, False, True),
        # nbclient's and nbval's kernels, started from a terminal.
        ({}, True, True, False),
        ({"JPY_SESSION_NAME": ""}, True, False, False),
        # A script started by a terminal inside Jupyter, its output in a pipe.
        ({"JPY_SESSION_NAME": "lesson.ipynb"}, False, False, False),
    ],
)
def test_a_bar_is_shown_where_somebody_looks(
    environment: dict[str, str], in_kernel: bool, is_terminal: bool, watched: bool
) -> None:
    assert is_watched(environment, in_kernel=in_kernel, is_terminal=is_terminal) is watched


def test_nothing_is_written_where_nobody_looks(capfd: pytest.CaptureFixture[str]) -> None:
    for shown in (None, False):
        with progress_bar(10, shown) as show:
            show(5, 4)
    assert capfd.readouterr() == ("", "")


def test_a_bar_asked_for_goes_to_stderr(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")  # rich then draws as on a terminal
    with progress_bar(10, shown=True) as show:
        show(10, 10)
    out, err = capfd.readouterr()
    assert out == ""
    assert "records acknowledged" in err
    assert "10/10" in err
