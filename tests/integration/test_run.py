"""``kafkalab run`` as a user runs it: its verdict, its exit code, and nothing left behind."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.soak.scenarios import fingerprints_in_memory
from kafkalab import Cluster
from kafkalab.apps import APPLICATIONS
from kafkalab.clusters.ports import PortReservation
from kafkalab.simulation import SOURCES
from kafkalab.waiting import wait_until
from tests.integration.conftest import END_SECONDS, START_SECONDS, Running, Start, left_in, run, wait_until_gone
from tests.processes import words

pytestmark = pytest.mark.integration

ENDLESS = ("--records", "1000000", "--rate", "200")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=3) as running:
        yield running


def told_by(done: subprocess.CompletedProcess[str], code: int = 0) -> Mapping[str, Any]:
    """Return the one JSON object on standard output of a run that ended with ``code``."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    told: Mapping[str, Any] = json.loads(done.stdout)
    return told


def topics_of(cluster: Cluster) -> list[str]:
    return [name for name in cluster.topics()["topic"] if name.startswith("kafkalab-")]


def stored_in(cluster: Cluster, topic: str) -> int:
    """Return how many records the fullest partition of the run's topic has; 0 where it is not there yet."""
    seen = cluster.replicas()
    return int(seen["log_end"][seen["topic"].str.endswith(f"-{topic}")].to_numpy().max(initial=0))


# ---- on a borrowed cluster -----------------------------------------------------------------------


@pytest.mark.parametrize("scenario", SOURCES)
def test_each_scenario_is_clean_and_leaves_a_borrowed_cluster_as_it_was(
    scenario: str, cluster: Cluster, environment: dict[str, str]
) -> None:
    servers = cluster.bootstrap_servers
    done = run(
        "run", scenario, "--records", "600", "--rate", "max", "--bootstrap-servers", servers, "--json", env=environment
    )
    told = told_by(done)
    assert (told["scenario"], told["clean"], told["verified"], told["error"]) == (scenario, True, True, None)
    assert (told["verdict"]["sent"], told["verdict"]["stored"], told["verdict"]["lost"]) == (600, 600, 0)
    assert list(told["topics"]) == list(SOURCES[scenario].topics)
    # On a busy machine the answer to a first attempt comes too late, and that to the second names no offset.
    acknowledged = [topic["acknowledged"] for topic in told["topics"].values()]
    assert 0 < sum(acknowledged) == told["verdict"]["acknowledged"] <= 600
    assert all(re.fullmatch(f"kafkalab-[0-9a-f]{{6}}-{name}", topic["name"]) for name, topic in told["topics"].items())
    assert told["latency"]["p50"] <= told["latency"]["p95"] <= told["latency"]["p99"]
    decided_as_in_memory(told, scenario, 600)
    wait_until_gone(cluster, "kafkalab-", START_SECONDS)


def decided_as_in_memory(told: Mapping[str, Any], scenario: str, records: int) -> None:
    """Every application worked on every record once, and decided what follows from them."""
    expected = fingerprints_in_memory(scenario, records) if scenario in APPLICATIONS else {}
    assert {each["name"]: each["fingerprint"] for each in told["applications"]} == expected
    assert [each["name"] for each in told["applications"] if not each["complete"]] == []
    for each in told["applications"]:
        assert each["records"] == each["stored"]
        assert each["latency"]["p50"] <= each["latency"]["p95"] <= each["latency"]["p99"]
    assert (told["processed_per_second"] or 0) > 0 or not expected


def test_consumers_and_the_other_client(cluster: Cluster, environment: dict[str, str]) -> None:
    wishes = ("--client", "confluent-kafka", "--producers", "2", "--consumers", "2", "--records", "2000")
    servers = cluster.bootstrap_servers
    told = told_by(run("run", "shop", *wishes, "--bootstrap-servers", servers, "--json", env=environment))
    assert told["verdict"]["unprocessed"] == told["verdict"]["processed_twice"] == 0
    assert sum(member["records"] for member in told["consumers"]) == 2000
    wait_until_gone(cluster, "kafkalab-", START_SECONDS)


def test_without_acknowledgements_the_applications_have_all_that_is_stored(
    cluster: Cluster, environment: dict[str, str]
) -> None:
    wishes = ("--acks", "0", "--producers", "2", "--client", "confluent-kafka", "--records", "2000", "--rate", "max")
    servers = cluster.bootstrap_servers
    told = told_by(run("run", "social", *wishes, "--bootstrap-servers", servers, "--json", env=environment))
    assert [each["complete"] for each in told["applications"]] == [True] * 3
    assert told["verdict"]["acknowledged"] == 0 < told["verdict"]["stored"]


def test_a_topic_that_is_deleted_meanwhile_ends_the_run_with_a_verdict(cluster: Cluster, start: Start) -> None:
    running = start("run", "crypto", *ENDLESS, "--bootstrap-servers", cluster.bootstrap_servers)
    wait_until(lambda: stored_in(cluster, "crypto-price-updates") > 20, what="records", timeout=START_SECONDS)
    (topic,) = topics_of(cluster)
    cluster.admin().delete_topics([topic])
    assert running.process.wait(START_SECONDS) == 1
    said, told = running.err.read_text(), running.out.read_text()
    assert re.search(rf"^kafkalab: topic '{topic}' is gone: it was deleted while traffic ran", said, re.MULTILINE)
    assert "Traceback" not in said
    assert ": broken off after" in told
    assert re.search(r"^Not clean: [\d,]+ lost", told, re.MULTILINE)


def test_a_cluster_that_is_down_is_one_line(environment: dict[str, str]) -> None:
    ports = PortReservation()
    (port,) = ports.take_free(1)
    done = run("run", "stocks", "--bootstrap-servers", f"127.0.0.1:{port}", env=environment)
    ports.close()
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"kafkalab: no Kafka broker answered at 127.0.0.1:{port}")


@pytest.mark.parametrize(("number", "wish"), [(signal.SIGINT, "--applications"), (signal.SIGTERM, "--no-applications")])
def test_stopped_in_the_middle_it_prints_the_verdict_on_what_was_sent(
    cluster: Cluster, start: Start, number: signal.Signals, wish: str
) -> None:
    running = start("run", "stocks", *ENDLESS, wish, "--json", "--bootstrap-servers", cluster.bootstrap_servers)
    wait_until(lambda: stored_in(cluster, "stock-prices") > 20, what="records", timeout=START_SECONDS)
    assert running.end(number) == 128 + number
    told = json.loads(running.out.read_text())
    assert (told["interrupted"], told["clean"]) == (True, True)
    assert 0 < told["verdict"]["acknowledged"] <= told["verdict"]["stored"] <= told["verdict"]["sent"] < 1_000_000
    decided_as_in_memory(told, "stocks" if wish == "--applications" else "none", told["verdict"]["stored"])
    wait_until_gone(cluster, "kafkalab-", START_SECONDS)


def test_an_application_that_is_killed_ends_the_run_with_a_verdict(cluster: Cluster, start: Start) -> None:
    running = start("run", "stocks", *ENDLESS, "--bootstrap-servers", cluster.bootstrap_servers)
    wait_until(lambda: stored_in(cluster, "stock-prices") > 20, what="records", timeout=START_SECONDS)
    next(process for process in running.family() if "kafkalab.apps.member" in words(process)).kill()
    assert running.process.wait(START_SECONDS) == 1
    said, told = running.err.read_text(), running.out.read_text()
    assert re.search(r"^kafkalab: application '[a-z-]+' ended by itself: SIGKILL\. ", said, re.MULTILINE)
    assert "Traceback" not in said
    assert ": broken off after" in told
    assert re.search(r"^[a-z-]+ has worked on \d+ records; stored in its topics: not known\.$", told, re.MULTILINE)
    assert re.search(r"^Clean: ", told, re.MULTILINE)
    wait_until_gone(cluster, "kafkalab-", START_SECONDS)


# ---- on a cluster of its own ---------------------------------------------------------------------


def test_a_killed_leader_loses_nothing(environment: dict[str, str], temporary: Path) -> None:
    done = run(
        "run", "stocks", "--records", "4000", "--rate", "600", "--fault", "kill-leader", "--json", env=environment
    )
    told = told_by(done)
    (firing,) = told["faults"]
    assert firing["name"] == "kill broker 1, leader of stock-prices-0"
    assert firing["acknowledged"] >= 1200
    assert (firing["targets"], firing["error"]) == ([1], None)
    assert firing["leader"] in {2, 3}
    assert firing["isr"] == [2, 3]
    assert 0 < firing["seen_after"] < firing["undone"] - firing["fired"]
    assert firing["fired"] < firing["done"] < firing["undo"] < firing["undone"] <= firing["in_sync"]
    # On a busy machine some outcomes stay unknown, and with them whether each partition has taken a record again.
    assert (firing["recovered_after"] or 0) > 0 or told["verdict"]["unknown"]
    assert (told["clean"], told["verdict"]["stored"], told["verdict"]["lost"]) == (True, 4000, 0)
    decided_as_in_memory(told, "stocks", 4000)
    for what in ("[23] leads stock-prices-0 now", "1 is back in the cluster", "1 has fetched what it missed"):
        assert re.search(rf"^ +\d+\.\d\d s  broker {what}", done.stderr, re.MULTILINE)
    assert left_in(temporary) == []


BROKER_1 = re.compile(r"^1 {2,}(\S.*?) {2,}(\d+) of 18 partitions {2,}(\d+) of 18", re.MULTILINE)
# Its condition, how many partitions it leads, and in how many it is in sync.
DEATH_OF_A_LEADER = [
    ("running", "6", "18"),
    ("stopped (not noticed yet)", "6", "18"),
    ("stopped", "0", "0"),
    ("running (joining)", "0", "0"),
    ("running", "0", "18"),
]


def test_on_a_terminal_the_table_shows_the_dead_broker_while_it_is_dead(environment: dict[str, str]) -> None:
    # Two tables a second, of what holds for a second or two: one that stands still so long misses some of it. So whole
    # runs are looked at until one was not disturbed; all else holds of each.
    wait_until(
        lambda: states_of_a_killed_leader(environment),
        lambda told: told[:1] == DEATH_OF_A_LEADER[:1] and set(told) >= set(DEATH_OF_A_LEADER),
        what="tables with all that a killed leader goes through",
        timeout=4 * START_SECONDS,
        every=0,
    )


def states_of_a_killed_leader(environment: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Return what the tables of a run say of broker 1, in turn."""
    wishes = ("--records", "4000", "--rate", "600", "--fault", "kill-leader")
    code, out, shown = on_terminal("run", "stocks", *wishes, env=environment)
    assert (code, "\nClean: nothing lost" in out) == (0, True)
    tables = shown.split("4,000 records of stocks: ")[1:]
    assert re.search("To come: kill leader of stock-prices-0 when 1,200 are acknowledged, undone 5 s later", tables[0])
    assert "broker 1 has fetched what it missed" in tables[-1]
    reader = re.compile(r"^([a-z-]+) {2,}[\d,]+ +[\d,]+ +[1-9][\d,]*( +[\d,]+ ms){3}", re.MULTILINE)
    assert [found[0] for found in reader.findall(tables[-1])] == ["analyst", "trading-algorithm", "decisions"]
    return [found.groups() for found in map(BROKER_1.search, tables) if found]


def on_terminal(*arguments: str, env: Mapping[str, str]) -> tuple[int, str, str]:
    """Return exit code, standard output, and what a terminal was sent on standard error, as plain text."""
    ours, theirs = pty.openpty()
    shown = b""
    with subprocess.Popen(
        [sys.executable, "-m", "kafkalab", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        env={**env, "COLUMNS": "120", "LINES": "50", "TERM": "xterm"},
    ) as process:
        os.close(theirs)
        with contextlib.suppress(OSError):  # the end, on Linux
            while read := os.read(ours, 65536):
                shown += read
        os.close(ours)
        out, _ = process.communicate(timeout=END_SECONDS)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode()).replace("\r", "\n")
    return process.returncode, out, plain


def test_in_words_the_verdict_comes_last(environment: dict[str, str], temporary: Path) -> None:
    done = run("run", "city", "--brokers", "1", "--records", "500", "--rate", "max", env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("500 records of city: as fast as it goes, kafka-python, acks=all: done after ")
    assert "\nClean: nothing lost, duplicated, reordered or changed.\n  sent          500\n" in done.stdout
    assert re.search(r"^delivery-monitor +500 +\d+ +[0-9a-f]{12}( +[\d,.]+ ms){3}$", done.stdout, re.MULTILINE)
    assert "\x1b" not in done.stdout
    assert left_in(temporary) == []


def test_a_second_ctrl_c_ends_it_at_once(start: Start, temporary: Path) -> None:
    # The deadline of a frozen leader is far off, so that the first one has to wait.
    running = start("run", "stocks", *ENDLESS, "--fault", "pause-leader", "--fault-at", "10")
    running.wait_for_line("pause broker 1", running.err)
    running.process.send_signal(signal.SIGINT)
    running.wait_for_line("^Stopping: .* Ctrl-C again ends at once", running.err)
    assert running.end(signal.SIGINT) == 130
    assert running.out.read_text() == ""
    running.wait_for_line("^kafkalab: stopped before every record was read back, so there is no verdict", running.err)
    wait_until(lambda: left_in(temporary), lambda left: not left, what="an empty folder", timeout=END_SECONDS)
    assert "Traceback" not in running.err.read_text()


def test_stopped_before_it_sends_it_has_no_verdict(start: Start, temporary: Path) -> None:
    running: Running = start("run", "stocks", "--brokers", "1")
    running.wait_for_line("^Starting 1 broker of", running.err)
    assert running.end(signal.SIGINT) == 130
    assert running.out.read_text() == ""
    last = running.err.read_text().splitlines()[-1]
    assert last == "kafkalab: stopped before the first record was sent, so there is no verdict."
    assert left_in(temporary) == []
