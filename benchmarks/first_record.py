"""The same client code for every contestant: a topic, a producer, the first acknowledged record."""

from __future__ import annotations

from typing import Any

from kafka import KafkaAdminClient, KafkaProducer

from kafkalab.clusters.admin import QUICK_RECONNECT

__all__ = ["TOPIC", "acknowledge_first_record"]

TOPIC = "first-record"
_ACKNOWLEDGED_SECONDS = 60.0


def acknowledge_first_record(bootstrap_servers: str, replication_factor: int) -> None:
    """Create a topic of one partition; return when all its in-sync replicas have the first record."""
    config: dict[str, Any] = {"bootstrap_servers": bootstrap_servers, **QUICK_RECONNECT}
    admin = KafkaAdminClient(**config)
    try:
        topic = {"num_partitions": 1, "replication_factor": replication_factor}
        admin.create_topics({TOPIC: topic}, wait_for_metadata=True)
    finally:
        admin.close()
    producer = KafkaProducer(**config, acks="all")
    try:
        producer.send(TOPIC, b"first").get(timeout=_ACKNOWLEDGED_SECONDS)
    finally:
        producer.close(timeout=0)
