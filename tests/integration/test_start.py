"""Starts that work, starts that cannot, and that nothing is left of either."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from kafkalab import Cluster
from kafkalab.clusters.relist_properties import LIST_FILE, listed_text
from kafkalab.errors import (
    BrokerFailed,
    InvalidArgument,
    JavaProblem,
    NotEnoughMemory,
    NotRunning,
    PortInUse,
    WaitTimeout,
)
from kafkalab.waiting import wait_until
from tests.integration.conftest import meanwhile
from tests.processes import is_broker, words

pytestmark = pytest.mark.integration

END_SECONDS = 30.0  # a net: what is asserted is that nothing is left, not how soon


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give clusters a temporary folder of their own, and demand it back empty, with no process in it."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield tmp_path
    wait_until(lambda: _left_in(tmp_path), lambda left: not left, what="an empty stage", timeout=END_SECONDS)


def _left_in(folder: Path) -> list[str]:
    return [*map(str, folder.glob("kafkalab-*")), *(str(words(process)) for process in _brokers_in(folder))]


def _brokers_in(folder: Path) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if is_broker(process) and str(folder) in str(words(process))]


@pytest.mark.parametrize(
    ("brokers", "controllers", "voters", "observers"),
    [
        (1, 0, [1], []),
        (2, 0, [1], [2]),
        (4, 0, [1, 2, 3], [4]),
        (1, 1, [101], [1]),
        (2, 3, [101, 102, 103], [1, 2]),
    ],
)
def test_every_shape_of_cluster_starts(brokers: int, controllers: int, voters: list[int], observers: list[int]) -> None:
    with Cluster(brokers, controllers=controllers) as cluster:
        wait_until(
            lambda: _quorum_of(cluster),
            lambda seen: seen == (voters, observers),
            what=f"voters {voters} and observers {observers}",
            timeout=60,
        )
        topic = cluster.create_topic("orders", partitions=brokers)
        assert cluster.producer(acks="all").send(topic, b"x").get(timeout=30).offset == 0


def _quorum_of(cluster: Cluster) -> tuple[list[int], list[int]]:
    """Return who votes and who only observes."""
    seen = cluster.quorum()
    observes = seen["role"] == "observer"
    return seen[~observes]["node"].tolist(), seen[observes]["node"].tolist()


def test_a_transaction_and_a_group_work_on_a_single_broker() -> None:
    with Cluster(brokers=1) as cluster:
        topic = cluster.create_topic("orders")
        producer = cluster.producer(transactional_id=cluster.name("writer"))
        producer.init_transactions()
        producer.begin_transaction()
        producer.send(topic, b"x")
        producer.commit_transaction()
        consumer = cluster.consumer(topic, group_id=cluster.name("readers"), auto_offset_reset="earliest")
        assert [r.value for rs in consumer.poll(timeout_ms=20000).values() for r in rs] == [b"x"]


def test_a_port_asked_for_is_given() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with Cluster(brokers=1, port=port) as cluster:
        assert cluster.bootstrap_servers == f"127.0.0.1:{port}"


def test_a_port_that_is_taken_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortInUse, match=f"^port {port} is taken by another program"):
            Cluster(brokers=1, port=port).start()


def test_a_property_reaches_the_brokers() -> None:
    with Cluster(brokers=1, properties={"message.max.bytes": 2000}) as cluster:
        shown = cluster.kafka_tool(
            "kafka-configs", "--describe", "--all", "--entity-type", "brokers", "--entity-name", "1"
        )
        assert "message.max.bytes=2000 " in shown


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"num.io.threads": "many"}, "Invalid value many for configuration num.io.threads: Not a number"),
        ({"log.cleanup.policy": "shred"}, "Invalid value shred for configuration log.cleanup.policy"),
    ],
)
def test_a_value_that_kafka_refuses_shows_its_reason_and_log_lines(properties: dict[str, object], said: str) -> None:
    with pytest.raises(BrokerFailed) as caught:
        Cluster(brokers=1, properties=properties).start()
    reason, *log = str(caught.value).splitlines()
    assert reason.startswith("node 1 ended while starting: ")
    assert said in reason
    assert any("Exiting Kafka" in line for line in log)


def test_an_unknown_property_is_refused_before_anything_starts() -> None:
    with pytest.raises(InvalidArgument, match=r"did you mean 'message\.max\.bytes'"):
        Cluster(properties={"message.max.byte": 1})


def test_an_unknown_backend_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidArgument, match="backend='cloud' is not there: choose from local"):
        Cluster(backend="cloud")
    monkeypatch.setenv("KAFKALAB_BACKEND", "moon")
    with pytest.raises(InvalidArgument, match="backend='moon'"):
        Cluster()


def test_more_brokers_than_fit_are_refused_before_anything_starts() -> None:
    if psutil.virtual_memory().available > 100 * 350 * 2**20:
        pytest.skip("this machine has room for a hundred brokers")
    with pytest.raises(NotEnoughMemory, match="100 brokers need about 35000 MB"):
        Cluster(brokers=100).start()


def test_a_wrong_java_is_refused_before_anything_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KAFKALAB_JAVA_HOME", str(tmp_path))
    with pytest.raises(JavaProblem, match="KAFKALAB_JAVA_HOME"):
        Cluster(brokers=1).start()


def test_a_deadline_that_is_too_short_leaves_nothing() -> None:
    with pytest.raises(WaitTimeout, match=r"1 brokers that know each other after 0\.1 s"):
        Cluster(brokers=1).start(timeout=0.1)


def test_a_broker_killed_during_the_start_is_reported() -> None:
    cluster = Cluster(brokers=3)
    killer = threading.Thread(target=lambda: _second_broker().kill())
    said = r"ended while starting: it was ended by signal 9"
    with pytest.raises(BrokerFailed, match=said), meanwhile(killer):
        cluster.start()


def _second_broker() -> psutil.Process:
    """Return the process of broker 2 as soon as there is one."""

    def found() -> list[psutil.Process]:
        return [process for process in _brokers_in(Path(tempfile.gettempdir())) if "node-2" in str(words(process))]

    return wait_until(found, what="broker 2", timeout=60, every=0.005)[0]


def test_after_the_stop_everything_says_so_and_stop_may_be_called_again() -> None:
    cluster = Cluster(brokers=1).start()
    folder = cluster.folder
    cluster.stop()
    cluster.stop()
    assert not folder.exists()
    assert repr(cluster) == "Kafka cluster, stopped"
    for use in (
        lambda: cluster.bootstrap_servers,
        cluster.topics,
        cluster.client_config,
        lambda: cluster.brokers,
    ):
        with pytest.raises(NotRunning, match="was stopped: make a new one"):
            use()
    with pytest.raises(NotRunning, match="make a new one"):
        cluster.start()


def test_before_the_start_everything_says_so() -> None:
    cluster = Cluster()
    assert repr(cluster) == "Kafka cluster, not started"
    with pytest.raises(NotRunning, match=r"is not started: call start\(\)"):
        cluster.topics()
    cluster.stop()


def test_an_exception_in_the_block_ends_the_cluster() -> None:
    cluster = Cluster(brokers=1)
    with pytest.raises(KeyError, match="the learner's own"), cluster:
        raise KeyError("the learner's own")
    assert repr(cluster) == "Kafka cluster, stopped"


OWNER = """
import os, signal, sys, threading, time
from kafkalab import Cluster
{body}
"""
ENDINGS = {
    "never stopped": "Cluster(1).start()",
    "kill -9": "Cluster(1).start(); os.kill(os.getpid(), signal.SIGKILL)",
    "kill -9 during the start": (
        "threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGKILL)).start(); Cluster(3).start(); time.sleep(30)"
    ),
    "Ctrl-C during the start": (
        "threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT)).start(); Cluster(3).start(); time.sleep(30)"
    ),
    "started in a thread, never stopped": "t = threading.Thread(target=Cluster(1).start); t.start(); t.join()",
    "with an open client": (
        "c = Cluster(1).start(); c.create_topic('t'); p = c.producer(); p.send('t', b'x'); os._exit(0)"
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_when_its_owner_has_ended_and_then_its_supervisor_nothing_is_left(ending: str, temporary_folder: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", OWNER.format(body=ENDINGS[ending])],
        env={**os.environ, "TMPDIR": str(temporary_folder)}, stderr=subprocess.DEVNULL, timeout=120, check=False,
    )  # fmt: skip
    # The supervisor ends last, so there is nothing to wait for after it. How soon that is, depends on the machine.
    wait_until(
        lambda: _supervisors_in(temporary_folder),
        lambda left: not left,
        what="the end of the supervisor",
        timeout=END_SECONDS,
    )
    assert _left_in(temporary_folder) == []


def _supervisors_in(folder: Path) -> list[psutil.Process]:
    """Return what the owner started, but for brokers; by its environment, which a supervisor has before its name."""
    return [
        process
        for process in psutil.process_iter()
        if _temporary_folder_of(process) == str(folder) and not is_broker(process)
    ]


def _temporary_folder_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("TMPDIR")
    except psutil.Error:  # it has ended meanwhile, or is not ours
        return None


def test_ctrl_c_during_the_start_is_still_a_keyboard_interrupt(interruptible: None) -> None:
    with pytest.raises(KeyboardInterrupt), meanwhile(threading.Thread(target=_interrupt_the_start)):
        Cluster(brokers=3).start()


def _interrupt_the_start() -> None:
    _second_broker()
    os.kill(os.getpid(), signal.SIGINT)


def test_the_list_of_known_properties_is_what_a_broker_knows() -> None:
    assert LIST_FILE.read_text("utf-8") == listed_text()
