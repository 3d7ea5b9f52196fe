"""A thousand generated histories: every planted anomaly is found at its record, and none is invented."""

from __future__ import annotations

import numpy as np

from benchmarks.histories import PLANTED, Plan, differences, make_history
from benchmarks.soak.outcome import Advance, Outcome, Soak
from kafkalab.ledger.verdict import UNCLEAN

__all__ = ["SOAK", "plan", "wrong_with"]

_TIMES = 1000
_QUICK_TIMES = 50
_MOST_RECORDS = 2000
_MOST_PLANTED = 20


def plan(seed: int) -> Plan:
    """Return the plan of one history: of any size, every third without anomalies."""
    rng = np.random.default_rng(seed)
    kinds = rng.permutation(PLANTED)[: rng.integers(1, len(PLANTED) + 1) if seed % 3 else 0]
    return Plan(
        seed,
        records=int(rng.integers(_MOST_RECORDS + 1)),
        sessions=int(rng.integers(1, 6)),
        topics=int(rng.integers(1, 4)),
        partitions=int(rng.integers(1, 7)),
        committed=bool(rng.integers(2)),
        planted={str(kind): int(rng.integers(1, _MOST_PLANTED + 1)) for kind in kinds},
    )


def wrong_with(plan: Plan) -> tuple[int, list[str]]:
    """Return how many anomalies a history has, and what the verdict on it says otherwise than it must."""
    history = make_history(plan)
    verdict = history.ledger.verify(history.log, committed=history.committed)
    planted = sum(len(history.expected[kind]) for kind in UNCLEAN)
    is_right = verdict.clean == (planted == 0)
    return planted, differences(history, verdict) + ([] if is_right else [f"clean is {verdict.clean}"])


def _run(quick: bool, advance: Advance) -> Outcome:
    times = _QUICK_TIMES if quick else _TIMES
    failures: list[str] = []
    total = 0
    for seed in range(times):
        planted, wrong = wrong_with(plan(seed))
        total += planted
        failures += [f"history {seed}: {what}" for what in wrong]
        advance((seed + 1) / times)
    return Outcome.of(failures, f"{times} histories with {total:,} anomalies: all found, none invented")


SOAK = Soak("histories", "1,000 generated histories: every planted anomaly found, none invented", _run)
