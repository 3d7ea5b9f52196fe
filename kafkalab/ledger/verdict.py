"""The verdict: counts, the records behind them, and how it shows itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import pandas as pd

from kafkalab.errors import InvalidArgument
from kafkalab.ledger import looks
from kafkalab.ledger.anomalies import KINDS, UNCLEAN, Anomalies
from kafkalab.ledger.recovery import Recovery

__all__ = ["UNCLEAN", "Verdict"]

_EXAMPLES = 20


@dataclass(frozen=True, repr=False)
class Verdict:
    """What became of the records of a ledger.

    A send ends acknowledged, failed (certainly not written) or unknown (it may be found or not), as in the histories
    of Jepsen's Kafka checker. What a fresh reader from the earliest offset must find is what was acknowledged.

    Attributes:
        sent: records handed to the client: ``acknowledged + failed + unknown``.
        acknowledged: those the cluster confirmed, with an offset.
        failed: those that were certainly not written.
        unknown: all others.
        stored: records of the ledger that the reader found, each counted once.
        lost: acknowledged, not found, not gone by rule and of no aborted transaction. Said only when verified:
            what was not read to the end may hold them; 0 otherwise.
        expired: acknowledged at an offset below the log start: gone by retention or deletion, not unclean.
        compacted: acknowledged in a compacted topic and not found, where a later record of the same key and
            partition was acknowledged or found, or a tombstone of the key is unknown, or where it is a tombstone
            itself: gone by compaction, not unclean. Keys are told apart by their CRC-32.
        duplicated: copies beyond the first of a record of one producer session.
        reordered: records that stand, among the first copies in a partition, behind a later one of the same key and
            producer session. Records without a key count as those of one key.
        changed: records whose key or value is not what was sent, and offsets at which a consumer had seen another
            record. Where that other one is lost, it is counted there alone.
        aborted_visible: records of aborted transactions that were found by a reader of committed ones.
        failed_visible: records that were found although their send had certainly failed.
        processed_twice: effects beyond the first of a record, in any processor.
        unprocessed: acknowledged records that were found and had no effect, in any processor. Only when verified.
        foreign: records in the topics that are not of this ledger; not unclean.
        unknown_missing: unknown records that the reader did not find, but for those of aborted transactions; not
            unclean, since nobody had promised to keep them. Said only when verified.
        reason: why it is not verified; empty where it is.
        failures: why sends failed, and how often.
        recoveries: one for each event, by time.
    """

    sent: int
    acknowledged: int
    failed: int
    unknown: int
    stored: int
    lost: int
    expired: int
    compacted: int
    duplicated: int
    reordered: int
    changed: int
    aborted_visible: int
    failed_visible: int
    processed_twice: int
    unprocessed: int
    foreign: int
    unknown_missing: int = 0
    reason: str = ""
    failures: Mapping[str, int] = field(default_factory=dict)
    recoveries: tuple[Recovery, ...] = ()
    anomalies: Anomalies = field(default_factory=lambda: Anomalies((), ()), compare=False)

    @property
    def verified(self) -> bool:
        """Whether every partition of every topic was read to its end, so that what is missing can be told."""
        return not self.reason

    @property
    def clean(self) -> bool:
        """Whether it is verified and nothing went wrong: no count of ``UNCLEAN``."""
        return self.verified and not any(getattr(self, name) for name in UNCLEAN)

    @property
    def counts(self) -> dict[str, int]:
        """Every count by its name, in the order of the attributes."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.type == "int"}

    @property
    def examples(self) -> dict[str, tuple[str, ...]]:
        """The first 20 records of each kind that has any, in words."""
        return {kind: self.anomalies.examples(kind, _EXAMPLES) for kind in KINDS if self.anomalies.count(kind)}

    def table(self, kind: str) -> pd.DataFrame:
        """Return every record of one kind, as many rows as its count, sorted.

        Args:
            kind: one of the anomalies (``"lost"``, ``"duplicated"``, ...), or ``"expired"`` or ``"compacted"``.

        Returns:
            Columns session and sequence (int64, -1 for a record not of this ledger), topic (str), partition and
            offset (int64, -1 where not known), detail (str: what more there is to say, or the processor). The place
            is that of the acknowledgement for what is missing, else where the record was found.

        Raises:
            InvalidArgument: there is no such kind, or only a count of it.
        """
        if kind not in KINDS:
            raise InvalidArgument(f"there is no table of {kind!r}: ask for one of {', '.join(KINDS)}.")
        return self.anomalies.table(kind)

    def as_dict(self) -> dict[str, Any]:
        """Return all of it, ready for JSON: counts, verified, clean, reason, failures, recoveries, examples.

        The seconds of a recovery that was not seen are None.
        """
        recoveries = [
            {"name": name, "at": at, "seconds": None if math.isnan(seconds) else seconds}
            for name, at, seconds in self.recoveries
        ]
        return {
            **self.counts,
            "verified": self.verified,
            "clean": self.clean,
            "reason": self.reason,
            "failures": dict(self.failures),
            "recoveries": recoveries,
            "examples": {kind: list(examples) for kind, examples in self.examples.items()},
        }

    def __str__(self) -> str:
        return looks.as_text(self._report())

    # A notebook shows this where it does not show HTML, and compares it.
    __repr__ = __str__

    def _repr_html_(self) -> str:
        return looks.as_html(self._report())

    def _report(self) -> looks.Report:
        return looks.Report(self.counts, UNCLEAN, self.reason, self.failures, self.examples)
