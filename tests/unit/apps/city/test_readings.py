from __future__ import annotations

from typing import Any, ClassVar

from kafkalab.apps import Output, Received
from kafkalab.apps.city import HeatCell, Planners, TooLate
from tests.unit.apps.city.conftest import CITY, N, records
from tests.unit.apps.conftest import run

HOUR = 3_600_000
MINUTE = 60_000


def reading(offset: int, measured: int, sent: int, vehicles: int = 1) -> Received:
    value: dict[str, Any] = {"sensor_id": "s", "district": "D", "measured_ms": measured, "vehicles": vehicles}
    value |= {"speed_kmh": 50.0, "occupancy_pct": 2.0}
    return Received("traffic-flow", 0, offset, "s", value, sent)


def counted(*readings: Received) -> tuple[dict[int, int], list[Output]]:
    outputs = run(Planners, readings)
    cells = {out.time_ms: out.vehicles for out in outputs if isinstance(out, HeatCell)}
    return cells, [out for out in outputs if isinstance(out, TooLate)]


def test_a_reading_that_is_sent_again_counts_once() -> None:
    first, again = reading(0, 100, 200), reading(1, 100, 30_000)
    assert counted(first, again, reading(2, 200, 40_000)) == ({0: 2}, [])


def test_a_late_reading_belongs_to_the_hour_it_was_measured_in() -> None:
    late = reading(1, HOUR - 1, HOUR + 10 * MINUTE - 1)
    assert counted(reading(0, HOUR, HOUR + 5), late) == ({0: 1, HOUR: 1}, [])


def test_a_reading_that_is_too_late_is_told() -> None:
    late = reading(1, HOUR - 1, HOUR + 10 * MINUTE)
    assert counted(reading(0, 5, 10), late) == ({0: 1}, [TooLate(HOUR + 10 * MINUTE, "s", HOUR - 1)])


def test_lateness_is_a_choice() -> None:
    class Hasty(Planners):
        lateness_ms: ClassVar = 0

    readings = [record for record in records() if record.topic == "traffic-flow"]
    hasty, usual = (sum(isinstance(out, TooLate) for out in run(task, readings)) for task in (Hasty, Planners))
    frame = CITY.frame(N)
    frame = frame[frame["topic"] == "traffic-flow"]
    end = frame["measured_ms"] // HOUR * HOUR + HOUR
    assert hasty == (frame["timestamp_ms"] >= end).sum() > 40
    assert usual == (frame["timestamp_ms"] >= end + 10 * MINUTE).sum() < hasty / 5
