"""What was done to the cluster during a run, and what followed, told in the order of time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from kafkalab.faults import Firing
from kafkalab.ledger import Recovery

__all__ = ["Entry", "chronicle", "firing_as_dict", "recovery_of"]


class Entry(NamedTuple):
    """Something that happened.

    Attributes:
        second: of the run.
        text: in words.
    """

    second: float
    text: str

    def __str__(self) -> str:
        return f"{self.second:7.2f} s  {self.text}"


def chronicle(
    firings: Sequence[Firing], began: float, undone: str, recoveries: Sequence[Recovery] | None = None
) -> list[Entry]:
    """Return what is known to have happened, in the order of time.

    Args:
        firings: of the schedule of faults.
        began: when the run began, in the seconds of the firings.
        undone: what is so when a fault has been undone; completes "broker 1 ...".
        recoveries: of the verdict; None while there is none.
    """
    entries = [entry for firing in list(firings) for entry in _told(firing, undone, recoveries)]
    return [Entry(at - began, text) for at, text in sorted(entries, key=lambda entry: entry[0])]


def _told(firing: Firing, undone: str, recoveries: Sequence[Recovery] | None) -> Iterator[tuple[float, str]]:
    if firing.error:
        yield firing.at, f"could not {firing.name}: {firing.error}"
        return
    yield firing.at, f"{firing.name} ({firing.sent or 0:,} sent, {firing.acknowledged or 0:,} acknowledged)"
    seen = firing.observed
    if seen and seen.leader is not None and seen.leader not in firing.targets and firing.partition:
        topic, number = firing.partition
        yield (
            firing.at + seen.seconds,
            f"broker {seen.leader} leads {topic}-{number} now; in-sync replicas: {_ids(seen.isr or ())}",
        )
    if recoveries is not None:
        yield _recovered(firing, recovery_of(firing, recoveries))
    if firing.undone_at is not None:
        yield firing.undone_at, f"broker {_ids(firing.targets)} {undone}"


def _recovered(firing: Firing, seconds: float | None) -> tuple[float, str]:
    if seconds is None:
        return firing.at, "the run ended before every partition had taken new records"
    return firing.at + seconds, f"every partition had taken new records, {seconds:.2f} s after the fault"


def recovery_of(firing: Firing, recoveries: Sequence[Recovery]) -> float | None:
    """Return the seconds until every partition had taken a new record; None where that was not seen."""
    found = [each.seconds for each in recoveries if (each.name, each.at) == (firing.name, firing.at)]
    return found[0] if found and not math.isnan(found[0]) else None


def firing_as_dict(firing: Firing, began: float, recoveries: Sequence[Recovery]) -> dict[str, Any]:
    """Return a firing ready for JSON; times in seconds of the run, None for what was not seen."""
    seen = firing.observed
    return {
        "name": firing.name,
        "targets": list(firing.targets),
        "fired": firing.at - began,
        "undone": None if firing.undone_at is None else firing.undone_at - began,
        "sent": firing.sent,
        "acknowledged": firing.acknowledged,
        "seen_after": seen.seconds if seen else None,
        "leader": seen.leader if seen else None,
        "isr": list(seen.isr) if seen and seen.isr is not None else None,
        "recovered_after": recovery_of(firing, recoveries),
        "error": firing.error,
    }


def _ids(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids))
