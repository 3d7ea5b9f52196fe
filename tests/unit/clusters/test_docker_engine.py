"""What the container engine says, in our words; the engine itself is in ``tests/integration/test_docker.py``."""

from __future__ import annotations

import pytest
from docker.errors import APIError, DockerException
from testcontainers.core.config import testcontainers_config

from kafkalab.clusters.backends.docker_engine import engine_problems, without_ryuk
from kafkalab.errors import EngineProblem


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (APIError("500", explanation="port is taken."), "the container engine refused: port is taken."),
        (
            APIError("400", explanation="bind source path does not exist: /x"),
            (
                "the container engine refused: bind source path does not exist: /x. "
                "It does not see this machine's temporary folder: set TMPDIR to a folder that it shares."
            ),
        ),
        (DockerException("gone"), "the container engine does not answer any more: gone. Is it still running?"),
    ],
)
def test_what_the_engine_refuses_is_told_in_one_sentence(error: Exception, said: str) -> None:
    with pytest.raises(EngineProblem) as caught, engine_problems():
        raise error
    assert str(caught.value) == said


def test_testcontainers_reaper_is_off_for_a_while_only() -> None:
    before = testcontainers_config.ryuk_disabled
    with without_ryuk():
        assert testcontainers_config.ryuk_disabled
    assert testcontainers_config.ryuk_disabled == before
