"""After `kafkalab fetch` no network is needed: shown where there is none but loopback."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

pytestmark = pytest.mark.integration

# In a network namespace of its own even loopback is down at first; 0x8914 sets the flags of an interface, UP is 1.
LOOPBACK_UP = """
import fcntl, socket, struct
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 1))
"""
LESSON = """
from kafka import KafkaProducer
from kafkalab import Cluster
with Cluster(brokers=3) as cluster:
    topic = cluster.create_topic("orders")
    with KafkaProducer(**cluster.client_config(), acks="all") as producer:
        print("stored at offset", producer.send(topic, b"x").get(timeout=30).offset)
    print(cluster.kafka_tool("kafka-topics", "--list").split())
"""


def _without_network(code: str) -> subprocess.CompletedProcess[str]:
    command = ["unshare", "--map-root-user", "--net", sys.executable, "-c", LOOPBACK_UP + code]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)


def test_a_cluster_and_kafkas_tools_work_without_any_network() -> None:
    if shutil.which("unshare") is None or _without_network("").returncode != 0:
        pytest.skip("platform: this system makes no network namespace for this user")
    proof = _without_network("import socket; socket.create_connection(('192.0.2.1', 80), timeout=5)")
    assert "Network is unreachable" in proof.stderr
    done = _without_network(LESSON)
    assert done.stdout.splitlines() == ["stored at offset 0", "['orders']"], done.stderr
