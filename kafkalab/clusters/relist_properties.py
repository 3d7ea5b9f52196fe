"""Make ``known_properties.txt`` anew: ``python -m kafkalab.clusters.relist_properties``.

The names are asked of a running broker, which knows its own; needed when the locked Kafka version changes.
"""

from __future__ import annotations

from pathlib import Path

from kafka.admin import ConfigResource, ConfigResourceType

from kafkalab.clusters.cluster import Cluster
from kafkalab.clusters.distribution import KAFKA_VERSION

__all__ = ["LIST_FILE", "listed_text"]

LIST_FILE = Path(__file__).with_name("known_properties.txt")


def listed_text() -> str:
    """Return the text of the list as the locked Kafka version gives it."""
    with Cluster(brokers=1) as cluster:
        broker = ConfigResource(ConfigResourceType.BROKER, "1")
        found = cluster.admin().describe_configs([broker], config_filter="all")["broker"]["1"]
    # A broker repeats names it was given and does not know; these have no type.
    names = sorted(name for name, entry in found.items() if entry["config_type"] != "UNKNOWN")
    head = (
        f"# Broker properties of Apache Kafka {KAFKA_VERSION}; made by: python -m kafkalab.clusters.relist_properties"
    )
    return "\n".join([head, *names]) + "\n"


if __name__ == "__main__":
    LIST_FILE.write_text(listed_text(), "utf-8")
