"""The kinds of cluster that the contract holds for. The tests beside this file name none: they ask the cluster."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from kafkalab import Cluster
from kafkalab.errors import UnsupportedByBackend

Make = partial[Cluster]
OWN = ("local", "docker")


@pytest.fixture(scope="module", params=OWN)
def make(request: pytest.FixtureRequest) -> Make:
    """Make a cluster of our own of each kind, not started."""
    return _maker(request)


def _maker(request: pytest.FixtureRequest) -> Make:
    if request.param == "docker":
        request.getfixturevalue("engine")
    return partial(Cluster, backend=request.param)


@pytest.fixture(scope="module", params=[*OWN, "external"])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Three brokers, whatever they run in and whoever runs them."""
    if request.param == "external":
        with Cluster(brokers=3) as owner, Cluster.connect(owner.bootstrap_servers) as guest:
            yield guest
    else:
        with _maker(request)(brokers=3) as own:
            yield own


@pytest.fixture
def is_controlled(cluster: Cluster) -> bool:
    """Whether the cluster says that its processes are ours to break, and its files ours to read."""
    try:
        cluster.broker(1).check_control()
    except UnsupportedByBackend:
        return False
    return True
