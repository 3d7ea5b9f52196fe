"""What was sent, acknowledged, stored and processed, and the verdict on it; pure, knows of no cluster."""

from __future__ import annotations

from kafkalab.ledger.stored import Log, PartitionBounds, Reading, StoredBatch

__all__ = ["Log", "PartitionBounds", "Reading", "StoredBatch"]
