from __future__ import annotations

import pytest

from kafkalab.cli.preparing import _jar_progress


def test_without_a_terminal_a_line_is_printed_at_each_quarter(capsys: pytest.CaptureFixture[str]) -> None:
    with _jar_progress("Fetching", quiet=False) as progress:
        assert progress is not None
        for done in range(1, 47):
            progress(done, 46, f"{done}.jar")
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in lines] == ["12", "23", "35", "46"]
    assert lines[-1] == "Fetching: 46 of 46 jars (46.jar)"


def test_a_single_jar_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with _jar_progress("Fetching", quiet=False) as progress:
        assert progress is not None
        progress(1, 1, "only.jar")
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_quiet_is_quiet_and_so_is_having_all(capsys: pytest.CaptureFixture[str]) -> None:
    with _jar_progress("Fetching", quiet=True) as progress:
        assert progress is None
    with _jar_progress("Fetching", quiet=False):
        pass
    assert capsys.readouterr() == ("", "")
