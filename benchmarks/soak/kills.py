"""A hundred leaders killed under acks=all load: nothing acknowledged is lost, doubled or reordered."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.soak.faulty_traffic import CLIENTS, with_leader_kills
from benchmarks.soak.outcome import Advance, Outcome, Soak, faults_of
from kafkalab import Cluster
from kafkalab.ledger import Verdict

__all__ = ["SOAK"]

_LEGS = 10
_KILLS = 10  # in each leg
_QUICK_LEGS = len(CLIENTS)
_QUICK_KILLS = 2


def _leg(client: str, kills: int, done: Callable[[int], None]) -> tuple[Verdict, float]:
    """Return the verdict on one run on a cluster of its own, and its longest time without an acknowledgement."""
    with Cluster(brokers=3) as cluster:
        run = with_leader_kills(cluster, "kills", client, kills, done)
        return run.ledger.verify(cluster), run.gaps()


def _run(quick: bool, advance: Advance) -> Outcome:
    legs, kills = (_QUICK_LEGS, _QUICK_KILLS) if quick else (_LEGS, _KILLS)
    failures: list[str] = []
    verdicts: list[Verdict] = []
    gaps: list[float] = []

    def done(count: int) -> None:
        advance((len(verdicts) * kills + count) / (legs * kills))

    for leg in range(legs):
        client = CLIENTS[leg % len(CLIENTS)]
        verdict, gap = _leg(client, kills, done)
        verdicts.append(verdict)
        gaps.append(gap)
        failures += [f"leg {leg + 1} ({client}): {fault}" for fault in faults_of(verdict)]
    return Outcome.of(failures, f"{legs * kills} kills, {_seen(verdicts)}; longest gap {max(gaps):.1f} s")


def _seen(verdicts: list[Verdict]) -> str:
    acknowledged, unknown = (sum(verdict.counts[name] for verdict in verdicts) for name in ("acknowledged", "unknown"))
    return f"{acknowledged:,} records acknowledged and each found once, in order; {unknown:,} unknown"


SOAK = Soak("kills", "100 leader kills under acks=all: 0 lost, 0 duplicated, 0 reordered", _run)
