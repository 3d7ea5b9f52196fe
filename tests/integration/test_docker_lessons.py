"""Lessons 00 to 06 in containers: every cell, with the exercises solved, prints what it prints on processes."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.soak.lessons import lesson_files, run_nbval
from kafkalab.clusters.backends.docker_engine import Engine
from kafkalab.clusters.backends.docker_reaper import FOLDER_LABEL

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("engine")]

SOLUTIONS = [path for path in map(Path, lesson_files()) if path.parent.name == "solutions" and path.name < "07"]


@pytest.mark.parametrize("solution", SOLUTIONS, ids=[path.stem for path in SOLUTIONS])
def test_its_outputs_are_those_of_processes(solution: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKALAB_BACKEND", "docker")
    began = int(time.time())
    failed = run_nbval([str(solution)])
    assert not failed, failed
    assert _containers_since(began) > 0, "it ran somewhere else"


def _containers_since(began: int) -> int:
    """Return how many containers of clusters were made since then, in seconds of the clock."""
    wanted = {"type": "container", "event": "create", "label": FOLDER_LABEL}
    with closing(Engine()) as engine:
        return len(list(engine.api.events(since=began, until=int(time.time()), filters=wanted, decode=True)))
