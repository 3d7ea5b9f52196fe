"""What was done to the cluster during a run, and what followed, told in the order of time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from kafkalab.cli.experiment import Kind
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
    firings: Sequence[Firing], began: float, kind: Kind, recoveries: Sequence[Recovery] | None = None
) -> list[Entry]:
    """Return what is known to have happened, in the order of time.

    Args:
        firings: of the schedule of faults.
        began: when the run began, in the seconds of the firings.
        kind: of the faults.
        recoveries: of the verdict; None while there is none.
    """
    entries = [entry for firing in list(firings) for entry in _told(firing, kind, recoveries)]
    return [Entry(at - began, text) for at, text in sorted(entries, key=lambda entry: entry[0])]


def _told(firing: Firing, kind: Kind, recoveries: Sequence[Recovery] | None) -> Iterator[tuple[float, str]]:
    if firing.error:
        yield firing.at, f"could not {firing.name}: {firing.error}"
        return
    yield firing.at, f"{firing.name} ({firing.sent or 0:,} sent, {firing.acknowledged or 0:,} acknowledged)"
    broker = f"broker {_ids(firing.targets)}"
    if kind.done and firing.done_at is not None:
        yield firing.done_at, f"{broker} {kind.done}"
    yield from _change_of_leader(firing)
    if recoveries is not None:
        yield _recovered(firing, kind, recovery_of(firing, recoveries))
    if firing.undo_at is not None:
        yield firing.undo_at, f"{broker} {kind.undo}"
    if kind.returns and firing.undone_at is not None:
        yield firing.undone_at, f"{broker} is back in the cluster, and known to every broker"
        yield from _back_in_sync(firing, broker, is_over=recoveries is not None)


def _change_of_leader(firing: Firing) -> Iterator[tuple[float, str]]:
    seen = firing.observed
    if seen and seen.leader is not None and seen.leader not in firing.targets and firing.partition:
        in_sync = _ids(seen.isr or ())
        yield firing.at + seen.seconds, f"broker {seen.leader} leads {_named(firing)} now; in-sync replicas: {in_sync}"


def _back_in_sync(firing: Firing, broker: str, *, is_over: bool) -> Iterator[tuple[float, str]]:
    # Back in the cluster a broker still has to fetch what it missed. Of one that never left the ISR nothing is told.
    seen = firing.observed
    if seen is None or seen.isr is None or set(firing.targets) <= set(seen.isr):
        return
    if firing.in_sync_at is not None:
        yield (
            firing.in_sync_at,
            f"{broker} has fetched what it missed: it is an in-sync replica of {_named(firing)} again",
        )
    elif is_over and firing.undone_at is not None:
        yield firing.undone_at, f"the run ended before {broker} was an in-sync replica of {_named(firing)} again"


def _named(firing: Firing) -> str:
    return "-".join(map(str, firing.partition or ()))


def _recovered(firing: Firing, kind: Kind, seconds: float | None) -> tuple[float, str]:
    if seconds is None:
        return firing.at, "the run ended before every partition had taken new records"
    when = f"{seconds:.2f} s after the fault"
    if kind.done and firing.done_at is not None:
        when = f"{firing.at + seconds - firing.done_at:.2f} s after the fault was complete"
    return firing.at + seconds, f"every partition had taken new records, {when}"


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
        "done": _since(began, firing.done_at),
        "undo": _since(began, firing.undo_at),
        "undone": _since(began, firing.undone_at),
        "in_sync": _since(began, firing.in_sync_at),
        "sent": firing.sent,
        "acknowledged": firing.acknowledged,
        "seen_after": seen.seconds if seen else None,
        "leader": seen.leader if seen else None,
        "isr": list(seen.isr) if seen and seen.isr is not None else None,
        "recovered_after": recovery_of(firing, recoveries),
        "error": firing.error,
    }


def _since(began: float, at: float | None) -> float | None:
    return None if at is None else at - began


def _ids(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids))
