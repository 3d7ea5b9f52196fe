"""What a soak run gives back, and what it gets to report its progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from kafkalab.ledger import Verdict
from kafkalab.ledger.verdict import UNCLEAN

__all__ = ["Advance", "Outcome", "Soak", "faults_of"]

Advance = Callable[[float], None]
"""Called with the share done so far, from 0 to 1."""


@dataclass(frozen=True)
class Outcome:
    """How a soak run ended.

    Attributes:
        verdict: ``"skipped"`` where this machine cannot do it; the detail says why.
        detail: what was seen, in one or a few sentences.
        evidence: what the failed runs printed, for whoever looks for the cause.
    """

    verdict: Literal["passed", "failed", "skipped"]
    detail: str
    evidence: str = ""

    @classmethod
    def of(cls, failures: Sequence[str], passed: str, evidence: str = "") -> Outcome:
        """Return a failure that names the first of ``failures``, or ``passed`` where there is none."""
        if not failures:
            return cls("passed", passed, evidence)
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        return cls("failed", failures[0] + more, evidence)


@dataclass(frozen=True)
class Soak:
    """One long run.

    Attributes:
        name: for ``--only``.
        title: what is to hold.
        run: takes whether to be quick, and the progress; what it raises is a failure too.
    """

    name: str
    title: str
    run: Callable[[bool, Advance], Outcome]


def faults_of(verdict: Verdict) -> list[str]:
    """Return what keeps a verdict from being clean: each kind with its count, and why it is not verified."""
    found = [f"{verdict.counts[kind]} {kind.replace('_', ' ')}" for kind in UNCLEAN if verdict.counts[kind]]
    return found + ([] if verdict.verified else [f"not verified: {verdict.reason}"])
