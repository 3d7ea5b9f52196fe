from __future__ import annotations

import pytest

from kafkalab.clusters.cluster import own_backend
from kafkalab.errors import InvalidArgument


@pytest.mark.parametrize(
    ("chosen", "own"), [("", "local"), ("local", "local"), ("docker", "docker"), ("external", "local")]
)
def test_what_is_borrowed_besides_runs_no_cluster_of_ones_own(
    chosen: str, own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKALAB_BOOTSTRAP_SERVERS", "kafka.example:9092")
    monkeypatch.setenv("KAFKALAB_BACKEND", chosen)
    assert own_backend() == own


def test_a_backend_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKALAB_BACKEND", "cloud")
    with pytest.raises(InvalidArgument, match="backend='cloud' is not there: choose from local, docker, external"):
        own_backend()
