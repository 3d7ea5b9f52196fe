"""One finding, and what becomes of a check that fails itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from kafkalab.errors import KafkalabError

__all__ = ["Check", "Finding", "Status", "examine", "ok", "problem", "warning"]


class Status(Enum):
    """How bad a finding is: a ``PROBLEM`` keeps kafkalab from working, a ``WARNING`` does not."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """What a check saw, in one line, and what to do about it, in another; nothing where all is well."""

    status: Status
    message: str
    remedy: str = ""

    def as_dict(self, name: str) -> dict[str, str]:
        """Return name, status, message and remedy, for JSON."""
        return {"name": name, "status": self.status.value, "message": self.message, "remedy": self.remedy}


Check = Callable[[], Finding]


def ok(message: str) -> Finding:
    """Return the finding that all is well."""
    return Finding(Status.OK, message)


def warning(message: str, remedy: str) -> Finding:
    """Return a finding that kafkalab can live with."""
    return Finding(Status.WARNING, message, remedy)


def problem(message: str, remedy: str) -> Finding:
    """Return a finding that keeps kafkalab from working."""
    return Finding(Status.PROBLEM, message, remedy)


def examine(check: Check) -> Finding:
    """Run one check; whatever it raises becomes its finding, so that the other checks still run."""
    try:
        return check()
    except KafkalabError as error:
        return _of_sentence(str(error))
    except Exception as error:  # noqa: BLE001 - told as a finding: a doctor must not fall ill
        return problem(
            f"could not be looked at ({type(error).__name__}: {_first_line(str(error))})",
            "if all else is well and kafkalab works, this does no harm; report it all the same",
        )


def _of_sentence(text: str) -> Finding:
    """Split a message of kafkalab, which reads "what happened: what to do.", into its halves."""
    message, colon, remedy = _first_line(text).rpartition(": ")
    if not colon:
        return problem(remedy, "see what the other findings say")
    return problem(message, remedy.removesuffix("."))


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[0]
