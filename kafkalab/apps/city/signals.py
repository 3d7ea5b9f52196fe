"""Traffic management: how long the lights of each district are green, by what the streets look like now."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any, ClassVar

from kafkalab.apps.city.readings import ReadingTask, TooLate
from kafkalab.apps.merge import Received
from kafkalab.apps.output import Output
from kafkalab.apps.task import MINUTE_MS

__all__ = ["SignalPlan", "TrafficManagement"]

_FEWEST = 5  # readings that a decision needs
# What a plan gives the main streets, and from which occupancy and up to which speed it is worth it: (name, seconds of
# green, percent, km/h), mildest first. A street is unstable from some 25 % on, whatever its width.
_PLANS = (("normal", 30, 0.0, 200.0), ("extended", 45, 10.0, 40.0), ("gated", 60, 20.0, 25.0))
_EASE = 0.8  # a stricter plan ends only where there is this much less than what began it


@dataclass(frozen=True, slots=True)
class SignalPlan(Output):
    """What the lights of a district do in the next minutes; ``time_ms`` is the end of the five it is decided on.

    Attributes:
        district: which.
        plan: normal, extended (longer green on main streets) or gated (and traffic from outside held back).
        green_s: seconds of green for main streets.
        occupancy_pct, speed_kmh: medians of the readings.
        changed: whether it was another plan before.
        reason: in words.
    """

    topic: ClassVar = "signal-plans"
    key: ClassVar = "district"
    district: str
    plan: str
    green_s: int
    occupancy_pct: float
    speed_kmh: float
    changed: bool
    reason: str


class TrafficManagement(ReadingTask):
    """Adapts traffic lights to occupancy and speed, district by district, every five minutes.

    Reads ``traffic-flow``, whose key is the sensor: a decision needs all partitions, and one member does the work.
    Lights cannot wait: readings may be one minute late, and what comes later is not looked at (:class:`TooLate`).
    Medians let no stuck sensor decide. A stricter plan begins where occupancy *and* speed ask for it, and ends when
    occupancy is a fifth below that or speed a quarter above, so that lights do not flicker between plans; this is the
    hysteresis of traffic-responsive control (Papageorgiou et al., "Review of road traffic control strategies", 2003).

    Writes ``signal-plans``, key = district: one for each district and five minutes, so that a controller reads its
    district's in order and a compacted topic has the plan that holds.
    """

    reads: ClassVar = ("traffic-flow",)
    gives: ClassVar = (SignalPlan, TooLate)
    together: ClassVar = "all"
    window_ms: ClassVar = 5 * MINUTE_MS
    lateness_ms: ClassVar = MINUTE_MS

    def take(self, record: Received, now_ms: int) -> None:
        window = self.window_of(record, now_ms)
        if window is None:
            return
        value = record.value
        measured = window.get(value["district"])
        if measured is None:
            measured = window[value["district"]] = [[], []]
        measured[0].append(value["occupancy_pct"])
        measured[1].append(value["speed_kmh"])

    def sum_up(self, start_ms: int, window: dict[str, Any]) -> None:
        for district, (occupancies, speeds) in sorted(window.items()):
            if len(speeds) >= _FEWEST:
                self._decide(start_ms + self.window_ms, district, median(occupancies), median(speeds))

    def _decide(self, now_ms: int, district: str, occupancy: float, speed: float) -> None:
        before = self.memory.get(district, 0)
        plan = _plan(before, occupancy, speed)
        self.memory[district] = plan
        name, green_s, *_ = _PLANS[plan]
        reason = f"{occupancy:.1f} % occupied at {speed:.0f} km/h" + (f", was {_PLANS[before][0]}" if before else "")
        self.give(SignalPlan(now_ms, district, name, green_s, occupancy, speed, plan != before, reason))


def _plan(before: int, occupancy: float, speed: float) -> int:
    """Return the strictest plan that is called for, or is kept until it is no more called for."""
    for number in range(len(_PLANS) - 1, 0, -1):
        _, _, least, most = _PLANS[number]
        ease = _EASE if number <= before else 1.0
        if occupancy >= least * ease and speed <= most / ease:
            return number
    return 0
