"""Clusters in containers: what must be there, and that nothing is left of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from docker import APIClient

from benchmarks.soak.docker import everything
from kafkalab import Cluster
from kafkalab.clusters.backends.docker_engine import Engine
from kafkalab.errors import EngineProblem
from kafkalab.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("engine")]

GONE_SECONDS = 60.0  # a net; two where the machine does nothing else


@pytest.fixture
def api() -> Iterator[APIClient]:
    with closing(Engine()) as connected:
        yield connected.api


OWNER = """
import os, signal, threading
from kafkalab import Cluster
cluster = Cluster(1, backend="docker")
"""
ENDINGS = {
    "kill -9": "cluster.start(); os.kill(os.getpid(), signal.SIGKILL)",
    "kill -9 during the start": "threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGKILL)).start(); cluster.start()",
    "never stopped": "cluster.start()",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_whatever_ends_its_owner_nothing_is_left(api: APIClient, ending: str, tmp_path: Path) -> None:
    before = everything(api)
    code = OWNER + ENDINGS[ending]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL, timeout=120, check=False)
    wait_until(
        lambda: (everything(api), list(tmp_path.glob("kafkalab-*"))),
        lambda left: left == (before, []),
        what="an empty stage",
        timeout=GONE_SECONDS,
    )


def test_what_a_switched_off_machine_left_is_removed_by_the_next_cluster(api: APIClient, tmp_path: Path) -> None:
    with closing(Engine()) as connected:
        gone, there = (connected.network(folder) for folder in (tmp_path / "gone", tmp_path))
        connected.remove_abandoned()
        assert [each["Name"] for each in api.networks(names=[gone.name, there.name])] == [there.name]
        connected.remove(tmp_path)
        assert api.networks(names=[there.name]) == []
        for network in (gone, there):
            network._docker.client.close()


def test_an_image_that_is_not_there(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("KAFKALAB_IMAGE", "localhost:1/none:7")
    with pytest.raises(EngineProblem, match=r"no image localhost:1/none:7, and it cannot be fetched \(.*`docker pull"):
        Cluster(backend="docker").start()
    assert capsys.readouterr().err == "kafkalab: fetching the image localhost:1/none:7 (once) ...\n"
    monkeypatch.setenv("KAFKALAB_OFFLINE", "1")
    with pytest.raises(EngineProblem, match=r"and KAFKALAB_OFFLINE forbids fetching it: .*KAFKALAB_IMAGE"):
        Cluster(backend="docker").start()


def test_an_engine_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none")
    with pytest.raises(EngineProblem, match=r"^no container engine answers at unix://.*/none: start Docker, set"):
        Cluster(backend="docker").start()


@pytest.mark.skipif(os.geteuid() != 0, reason="platform: only root can be somebody else")
def test_an_engine_that_is_not_for_this_user() -> None:
    os.seteuid(65534)
    try:
        with pytest.raises(EngineProblem, match=r"^this user may not use the container engine at .*: join its group"):
            Cluster(backend="docker").start()
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("host", ["tcp://192.0.2.1:2375", "ssh://somebody@192.0.2.1"])
def test_an_engine_on_another_machine(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(EngineProblem, match=rf"^the container engine at {host} is on another machine"):
        Cluster(backend="docker").start()
