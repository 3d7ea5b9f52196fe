from __future__ import annotations

import subprocess
import sys

import pytest

from kafkalab.cli import main
from kafkalab.courseware import files


def test_an_installation_says_where_the_benchmarks_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(files, "checkout", lambda: None)
    assert main(["bench"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "make bench" in line


def test_a_checkout_runs_its_own_with_the_options_given() -> None:
    command = [sys.executable, "-m", "kafkalab", "bench", "--", "--help"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert "usage" in done.stdout.lower()
    assert "kafkalab bench" not in done.stdout
