"""The local backend on a process that is no broker: what it makes of one that ends at a bad moment."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kafkalab.clusters.backends.local import LocalBackend
from kafkalab.clusters.java import Java
from kafkalab.clusters.spec import ClusterSpec
from kafkalab.clusters.startup import Startup
from kafkalab.errors import BrokerFailed, WaitTimeout


@pytest.fixture
def ended(tmp_path: Path) -> Iterator[LocalBackend]:
    """A cluster whose only node has ended, with a reason, while it started."""
    ender = tmp_path / "ender"
    ender.write_text(f"#!{sys.executable}\nraise SystemExit('PlannedError: it was to end')\n")
    ender.chmod(0o755)
    found = Startup.find()
    backend = LocalBackend(ClusterSpec(brokers=1), dataclasses.replace(found, java=Java(ender, found.java.version)))
    with pytest.raises(BrokerFailed, match="node 1 ended while starting: it was to end"):
        backend.start(timeout=20)
    yield backend
    backend.close()


def test_a_node_that_ends_between_two_looks_is_not_taken_for_ready(
    ended: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It still ran at the first look, and there is nobody to ask at the second.
    monkeypatch.setattr(ended, "_raise_if_ended", lambda _: None)
    assert ended.views([]) == {}
    with pytest.raises(WaitTimeout, match="1 brokers that know each other"):
        ended.wait_ready(0.05)
    with pytest.raises(WaitTimeout, match="node 1 to join the cluster"):
        ended.wait_joined(1, 0.05)
