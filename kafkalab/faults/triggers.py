"""When a fault fires: after some time, on a condition, again and again."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from kafkalab.errors import InvalidArgument

__all__ = ["Progress", "Trigger", "checked_count", "checked_seconds"]


class Progress(Protocol):
    """How far the traffic is, as far as conditions ask for it."""

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""

    @property
    def sent(self) -> int:
        """Records handed to the client library."""

    @property
    def acknowledged(self) -> int:
        """Records that Kafka has acknowledged."""


@dataclass(frozen=True)
class Trigger:
    """The condition is met first; ``after`` seconds later it fires, and then ``every`` so many seconds again.

    Attributes:
        sent: how many records have to be sent.
        acknowledged: how many records have to be acknowledged.
        after: seconds.
        every: seconds from one firing to the next.
        times: how often in all.
    """

    sent: int = 0
    acknowledged: int = 0
    after: float = 0.0
    every: float = 0.0
    times: int = 1

    @property
    def is_unconditional(self) -> bool:
        """Whether it depends on time only."""
        return not self.sent and not self.acknowledged

    def is_met(self, progress: Progress) -> bool:
        """Return whether the condition holds."""
        return progress.sent >= self.sent and progress.acknowledged >= self.acknowledged

    def seconds(self, number: int) -> float:
        """Return when firing ``number`` (from 0) is due, in seconds after the condition was met."""
        return self.after + number * self.every

    def __str__(self) -> str:
        counts = [f"{n:,} are {what}" for n, what in ((self.sent, "sent"), (self.acknowledged, "acknowledged")) if n]
        when = f"when {' and '.join(counts)}" if counts else ""
        after = f"after {self.after:g} s" if self.after else ""
        every = f"every {self.every:g} s, {self.times} times" if self.times > 1 else ""
        return ", ".join(filter(None, [when, after, every])) or "at once"


def checked_seconds(name: str, value: object) -> float:
    """Return ``value`` if it is a number of seconds from 0.

    Raises:
        InvalidArgument: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise InvalidArgument(f"{name}={value!r} is not possible: give a number of seconds from 0.")
    return float(value)


def checked_count(name: str, value: object) -> int:
    """Return ``value`` if it is a whole number from 1.

    Raises:
        InvalidArgument: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidArgument(f"{name}={value!r} is not possible: give a whole number from 1.")
    return value
