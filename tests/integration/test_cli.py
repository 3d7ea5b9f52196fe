from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient

from kafkalab.waiting import wait_until
from tests.integration.conftest import END_SECONDS, START_SECONDS, Running, Start, left_in, run
from tests.processes import is_broker

pytestmark = pytest.mark.integration


def there_and_back(servers: str) -> bytes | None:
    """Send a record with kafka-python and read it back."""
    admin = KafkaAdminClient(bootstrap_servers=servers)
    admin.create_topics({"greetings": {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    admin.close()
    producer = KafkaProducer(bootstrap_servers=servers)
    producer.send("greetings", b"hello").get(timeout=30)
    producer.close()
    consumer = KafkaConsumer(bootstrap_servers=servers)
    consumer.assign([TopicPartition("greetings", 0)])
    consumer.seek_to_beginning()
    polled = consumer.poll(timeout_ms=30_000)
    consumer.close()
    values: list[bytes | None] = [record.value for records in polled.values() for record in records]
    assert len(values) == 1
    return values[0]


# ---- fetch ---------------------------------------------------------------------------------------


def test_fetch_tells_what_runs_kafka_without_a_network(environment: dict[str, str]) -> None:
    done = run("fetch", "--json", env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert {"java", "class_path", "version"} <= set(told)
    for class_path, main_class in [("class_path", "kafka.Kafka"), ("tools_class_path", "TopicCommand")]:
        name = main_class if "." in main_class else f"org.apache.kafka.tools.{main_class}"
        command = [told["java"], "-cp", told[class_path], name, "--version"]
        said = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, timeout=60)
        assert said.stdout.startswith(told["version"])
    assert Path(told["aot_cache"]).is_file()


def test_fetch_is_quiet_when_asked(environment: dict[str, str]) -> None:
    done = run("fetch", "--quiet", env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_fetch_without_a_network_and_with_an_empty_cache_is_one_line(
    environment: dict[str, str], tmp_path: Path
) -> None:
    done = run("fetch", env={**environment, "KAFKALAB_CACHE_DIR": str(tmp_path / "empty")})
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "KAFKALAB_OFFLINE" in done.stderr


# ---- up ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_up_serves_any_client_until_it_is_told_to_stop(start: Start, temporary: Path, number: signal.Signals) -> None:
    up = start("up", "--brokers", "1")
    servers = up.bootstrap_servers()
    assert up.out.read_text() == f"{servers}\n"
    assert there_and_back(servers) == b"hello"
    assert up.end(number) == 0
    assert left_in(temporary) == []
    assert "Traceback" not in up.err.read_text()


def test_up_as_json(start: Start) -> None:
    up = start("up", "--brokers", "1", "--json", "--property", "num.partitions=2")
    told = json.loads(up.wait_for_line(r"^\{.*\}\n", up.out).group())
    assert told["brokers"] == [1]
    assert (Path(told["folder"]) / "node-1" / "server.properties").read_text().count("num.partitions=2\n") == 1
    assert up.end(signal.SIGTERM) == 0


def test_up_on_a_port_of_ones_own(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    up = start("up", "--brokers", "1", "--port", str(port))
    assert up.bootstrap_servers() == f"127.0.0.1:{port}"
    assert up.end(signal.SIGTERM) == 0


def test_up_on_a_taken_port_is_one_line(environment: dict[str, str], temporary: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("up", "--brokers", "1", "--port", str(port), env=environment)
    assert done.returncode == 1
    assert done.stdout == ""
    assert [line for line in done.stderr.splitlines() if line.startswith("kafkalab: ")] == [
        f"kafkalab: port {port} is taken by another program: choose another, or leave the port out."
    ]
    assert left_in(temporary) == []


def test_up_with_a_value_that_kafka_refuses_shows_its_reason(environment: dict[str, str], temporary: Path) -> None:
    done = run("up", "--brokers", "1", "--property", "num.io.threads=-1", env=environment)
    assert done.returncode == 1
    _, sentence, *log = done.stderr.splitlines()
    assert "Value must be at least 1" in sentence
    assert log
    assert all(line.startswith("  ") for line in log)
    assert left_in(temporary) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_that_was_stopped_before_it_was_ready_does_not_end_as_a_success(
    start: Start, temporary: Path, number: signal.Signals
) -> None:
    up = start("up", "--brokers", "1")
    up.wait_for_line("^Starting", up.err)
    assert up.end(number) == 128 + number
    assert up.out.read_text() == ""
    assert left_in(temporary) == []
    assert "Traceback" not in up.err.read_text()


def brokers_of(up: Running) -> list[psutil.Process]:
    return [process for process in up.family() if is_broker(process)]


def test_up_tells_of_a_broker_that_died_and_ends_with_the_last(start: Start, temporary: Path) -> None:
    up = start("up", "--brokers", "2")
    up.bootstrap_servers()
    first, second = sorted(brokers_of(up), key=lambda process: process.cmdline()[-1])
    second.kill()
    up.wait_for_line(r"^kafkalab: broker 2 ended by itself; still running: \[1\]\.$", up.err)
    assert up.process.poll() is None
    first.kill()
    assert up.process.wait(END_SECONDS) == 1
    assert "kafkalab: all 2 brokers ended without being asked to" in up.err.read_text()
    assert left_in(temporary) == []


def test_up_goes_on_when_a_broker_closes_the_idle_connection(start: Start) -> None:
    up = start("up", "--brokers", "1", "--property", "connections.max.idle.ms=1000")
    port = int(up.bootstrap_servers().rpartition(":")[2])
    process = psutil.Process(up.process.pid)

    def connections() -> set[int]:
        """Return the local ports of the established connections to the broker."""
        return {
            connection.laddr.port
            for connection in process.net_connections("tcp4")
            if connection.raddr and connection.raddr.port == port and connection.status == "ESTABLISHED"
        }

    before = wait_until(connections, what="connections to the broker", timeout=END_SECONDS)
    wait_until(lambda: connections() - before, what="a new connection", timeout=END_SECONDS)
    assert up.process.poll() is None
    assert up.end(signal.SIGTERM) == 0


# ---- doctor --------------------------------------------------------------------------------------


def findings(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, str]]:
    assert done.stderr == ""
    return {finding["name"]: finding for finding in json.loads(done.stdout)["findings"]}


def test_doctor_finds_this_machine_healthy(environment: dict[str, str], temporary: Path) -> None:
    done = run("doctor", "--json", env=environment)
    found = findings(done)
    assert [finding for finding in found.values() if finding["status"] == "problem"] == []
    assert done.returncode == 0
    assert json.loads(done.stdout)["ok"] is True
    assert re.search(r"ready in \d+\.\d s, one record there and back in \d+\.\d s", found["broker"]["message"])
    assert left_in(temporary) == []


def test_doctor_with_a_java_that_is_too_old(environment: dict[str, str], tmp_path: Path) -> None:
    home = tmp_path / "java-11"
    (home / "bin").mkdir(parents=True)
    (home / "release").write_text('JAVA_VERSION="11.0.2"\n')
    (home / "bin" / "java").write_text("#!/bin/sh\n")
    (home / "bin" / "java").chmod(0o755)
    done = run("doctor", env={**environment, "KAFKALAB_JAVA_HOME": str(home)})
    assert done.returncode == 1
    problems = [line for line in done.stdout.splitlines() if line.startswith("problem")]
    assert [line.split()[1] for line in problems] == ["java", "quick", "broker"]
    assert all("Java 11" in line and "; set KAFKALAB_JAVA_HOME to a Java 17" in line for line in problems)


def test_doctor_with_a_cache_that_cannot_be_written(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = run("doctor", "--json", env={**environment, "KAFKALAB_CACHE_DIR": str(tmp_path / "file" / "cache")})
    found = findings(done)
    assert done.returncode == 1
    assert found["cache"]["status"] == "problem"
    assert "KAFKALAB_CACHE_DIR" in found["cache"]["remedy"]
    assert found["python"]["status"] == "ok"


# ---- lab -----------------------------------------------------------------------------------------


@contextmanager
def answering(url: str) -> Iterator[str]:
    """Open an address of the loopback interface and give the page's text."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    # Jupyter tells its address first and listens a moment later.
    with wait_until(
        lambda: opener.open(url, timeout=30), what=f"an answer at {url}", retry_on=(urllib.error.URLError,)
    ) as response:
        yield response.read().decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_lab_proves_the_set_up_and_serves_the_lessons(
    start: Start, temporary: Path, tmp_path: Path, number: signal.Signals
) -> None:
    workspace = tmp_path / "lessons"
    lab = start("lab", "--no-browser", "--port", "0", "--workspace", str(workspace))
    url = lab.wait_for_line(r"http://127\.0\.0\.1:\d+/lab/tree/00_start_here\.ipynb\?token=\S+", lab.err).group()
    said = lab.out.read_text()
    assert re.search(
        r"^3 Kafka brokers ready in \d+\.\d s, first record acknowledged and read back\.$", said, re.MULTILINE
    )
    assert str(workspace) in said
    assert (workspace / "00_start_here.ipynb").is_file()
    with answering(url) as page:
        assert "jupyter-config-data" in page
    lesson = url.replace("/lab/tree/", "/api/contents/")
    with answering(lesson) as content:
        assert json.loads(content)["type"] == "notebook"
    # JupyterLab took the place of the command, and the cluster of the proof is gone.
    assert "kafkalab.cli.jupyter" in psutil.Process(lab.process.pid).cmdline()
    assert brokers_of(lab) == []
    assert [name for name in left_in(temporary) if name.startswith("kafkalab-")] == []
    assert lab.end(number) == 0


def test_lab_gives_unknown_options_to_jupyterlab(start: Start, tmp_path: Path) -> None:
    lab = start("lab", "--no-browser", "--workspace", str(tmp_path / "lessons"), "--no-such-option=1")
    assert lab.process.wait(START_SECONDS) != 0
    assert "no-such-option" in lab.err.read_text()
