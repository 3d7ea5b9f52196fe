"""What only a local cluster shows; what every kind does is in ``contract/test_use.py``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kafkalab import Cluster
from kafkalab.clusters.admin import PatientAdmin
from kafkalab.clusters.distribution import KAFKA_VERSION
from kafkalab.errors import InvalidArgument, ToolFailed

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=3) as running:
        yield running


def test_an_unknown_client_library_is_refused(cluster: Cluster) -> None:
    with pytest.raises(
        InvalidArgument, match="'pykafka' is not a client known here: choose kafka-python or confluent-kafka"
    ):
        cluster.client_config("pykafka")


def test_a_tool_that_fails_says_why(cluster: Cluster) -> None:
    with pytest.raises(ToolFailed, match=r"kafka-topics failed \(exit code 1\): .*lust is not a recognized option"):
        cluster.kafka_tool("kafka-topics", "--lust")
    with pytest.raises(InvalidArgument, match="'kafka-nix' is not one of Kafka's tools here: choose from kafka-acls"):
        cluster.kafka_tool("kafka-nix")


def test_a_tool_that_never_ends_is_ended(cluster: Cluster) -> None:
    topic = cluster.create_topic("silent")
    with pytest.raises(ToolFailed, match=r"did not end within 3 s: .*--max-messages"):
        cluster.kafka_tool("kafka-console-consumer", "--topic", topic, timeout=3)


def test_it_shows_itself_as_text_and_as_the_same_table(cluster: Cluster) -> None:
    assert repr(cluster).splitlines() == [
        f"Apache Kafka {KAFKA_VERSION}, 3 brokers",
        *(f"  ● broker {n}: running" for n in (1, 2, 3)),
    ]
    html = cluster._repr_html_()
    assert html.count("<tr>") == 4
    assert html.count("broker + controller") == 3
    assert repr(cluster.broker(1)) == "<broker 1: running>"


def test_two_clusters_at_once_do_not_see_each_other(cluster: Cluster) -> None:
    with Cluster(brokers=1) as other:
        other.create_topic("mine")
        assert other.topics()["topic"].tolist() == ["mine"]
        assert "mine" not in set(cluster.topics()["topic"])
        assert not set(other.bootstrap_servers.split(",")) & set(cluster.bootstrap_servers.split(","))


def test_an_admin_client_goes_to_a_server_that_was_named_and_stays_there(cluster: Cluster) -> None:
    # Any other that the metadata tell of may be frozen, and answer nobody; or know less yet than the one before.
    def asked(client: Any) -> list[int]:
        for _ in range(20):
            client._manager.cluster.request_update()  # while this is under way, the client asks somebody else
            client.describe_topics()
        return list(client._manager._conns)

    for number, address in enumerate(cluster.bootstrap_servers.split(","), start=1):
        admin = PatientAdmin(lambda address=address: {"bootstrap_servers": address}, lambda: "")  # type: ignore[misc]
        assert admin.ask(asked) == [number]
        admin.close()
