"""Apache Kafka's own command-line tools, on the built-in Java."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from kafkalab.clusters.access import PLAINTEXT, Access
from kafkalab.clusters.distribution import Jars, broker_jars, find_java, tools_jars
from kafkalab.clusters.properties import render
from kafkalab.errors import InvalidArgument, ToolFailed, ToolRefused

__all__ = ["TOOLS", "run_tool"]

# As in the scripts of Kafka's bin folder.
TOOLS = {
    "kafka-acls": "org.apache.kafka.tools.AclCommand",
    "kafka-broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "kafka-cluster": "org.apache.kafka.tools.ClusterTool",
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-console-share-consumer": "org.apache.kafka.tools.consumer.ConsoleShareConsumer",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-consumer-perf-test": "org.apache.kafka.tools.ConsumerPerformance",
    "kafka-delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "kafka-dump-log": "org.apache.kafka.tools.DumpLogSegments",
    "kafka-features": "org.apache.kafka.tools.FeatureCommand",
    "kafka-get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-groups": "org.apache.kafka.tools.GroupsCommand",
    "kafka-leader-election": "org.apache.kafka.tools.LeaderElectionCommand",
    "kafka-log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "kafka-metadata-quorum": "org.apache.kafka.tools.MetadataQuorumCommand",
    "kafka-producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
    "kafka-reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    "kafka-share-groups": "org.apache.kafka.tools.consumer.group.ShareGroupCommand",
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-transactions": "org.apache.kafka.tools.TransactionsCommand",
}
# These read files, or take the servers in their own words.
_WITHOUT_SERVERS = frozenset({"kafka-dump-log"})
_VIA_PROPERTIES = frozenset({"kafka-producer-perf-test"})
_REFUSED = re.compile(r"AuthorizationException|[Nn]ot authorized")
_FLAGS = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Xlog:disable")


def run_tool(
    name: str,
    arguments: tuple[str, ...],
    servers: str,
    access: Access = PLAINTEXT,
    *,
    stdin: str = "",
    timeout: float = 60.0,
) -> str:
    """Run one tool on the cluster at ``servers`` and return what it printed to stdout.

    Raises:
        InvalidArgument: there is no such tool.
        ToolFailed: its exit code was not 0, or it ran longer than ``timeout`` seconds; shows what it said.
        ToolRefused: its exit code was not 0, since the cluster does not give this user the right.
    """
    main_class = TOOLS.get(name.removesuffix(".sh"))
    if main_class is None:
        raise InvalidArgument(f"{name!r} is not one of Kafka's tools here: choose from {', '.join(TOOLS)}.")
    command = [str(find_java().executable), *_FLAGS, "-cp", _jars_with(main_class).class_path, main_class]
    with _config_arguments(name, access) as config:
        command += [*_server_arguments(name, arguments, servers), *config, *arguments]
        return _output(name, command, stdin, timeout)


def _output(name: str, command: list[str], stdin: str, timeout: float) -> str:
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as error:
        raise ToolFailed(
            f"{name} did not end within {timeout:g} s: tell it where to stop (such as --max-messages) "
            f"or give it longer with timeout=."
        ) from error
    if done.returncode != 0:
        failure = ToolRefused if _REFUSED.search(done.stdout + done.stderr) else ToolFailed
        raise failure(f"{name} failed (exit code {done.returncode}): {_last_words(done.stdout, done.stderr)}")
    return done.stdout


def _jars_with(main_class: str) -> Jars:
    # What Kafka has not moved out of its core yet comes with the broker.
    return broker_jars() if main_class.startswith("kafka.") else tools_jars()


def _server_arguments(name: str, arguments: tuple[str, ...], servers: str) -> list[str]:
    if name in _WITHOUT_SERVERS or "--bootstrap-server" in arguments:
        return []
    if name in _VIA_PROPERTIES:
        return ["--command-property", f"bootstrap.servers={servers}"]
    return ["--bootstrap-server", servers]


@contextmanager
def _config_arguments(name: str, access: Access) -> Iterator[list[str]]:
    """Give the arguments that let the tool in, while a file that only we can read has the password."""
    settings = access.java()
    if not settings or name in _WITHOUT_SERVERS:
        yield []
        return
    with tempfile.NamedTemporaryFile("w", prefix="kafkalab-", suffix=".properties") as file:
        file.write(render(settings))
        file.flush()
        yield ["--config" if name == "kafka-cluster" else "--command-config", file.name]


def _last_words(stdout: str, stderr: str) -> str:
    lines = [line.strip() for line in (stdout + stderr).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith("at ") and not re.match(r"\[\d{4}-", line)]
    return " ".join((telling or lines)[:4]) or "it said nothing."
