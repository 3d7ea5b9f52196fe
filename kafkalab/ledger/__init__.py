"""What was sent, acknowledged, stored and processed, and the verdict on it; pure, knows of no cluster."""

from __future__ import annotations

from kafkalab.ledger.ledger import Counts, Ledger
from kafkalab.ledger.processing import Processor
from kafkalab.ledger.recovery import Event, Recovery
from kafkalab.ledger.session import Entry, Session
from kafkalab.ledger.stored import Log, PartitionBounds, Reading, StoredBatch
from kafkalab.ledger.verdict import Verdict

__all__ = [
    "Counts",
    "Entry",
    "Event",
    "Ledger",
    "Log",
    "PartitionBounds",
    "Processor",
    "Reading",
    "Recovery",
    "Session",
    "StoredBatch",
    "Verdict",
]
