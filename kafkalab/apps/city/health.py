"""Sensor health: stuck, dead and drifting sensors, found from their readings, and how many of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import median
from typing import Any, ClassVar

import pandas as pd

from kafkalab.apps.city.readings import ReadingTask, TooLate
from kafkalab.apps.merge import Received
from kafkalab.apps.output import Output
from kafkalab.apps.task import HOUR_MS, MINUTE_MS

__all__ = ["Finding", "SensorHealth", "precision_and_recall"]

_MEASURED = {
    "traffic-flow": ("vehicles", "speed_kmh", "occupancy_pct"),
    "air-quality": ("pm25", "no2", "temperature_c"),
    "energy-usage": ("energy_kwh", "peak_kw"),
}
# What sensors of a kind see alike in a district; and the part of it that one reading is off by chance, 0 for a count.
_ALIKE = {"traffic-flow": ("vehicles", 0.0), "air-quality": ("pm25", 0.05)}
_SAME = 4  # readings
_SILENT_MS = 30 * MINUTE_MS
_LEARNED = 4  # windows in which a sensor's place is compared with the others'
_FOLLOWS = 0.04  # part by which its place's offset follows it later on
_DRIFTED = 0.25  # of a logarithm
_ERRORS = 3  # standard errors that do not count
_WINDOWS = 2  # that it has to be so for


@dataclass(frozen=True, slots=True)
class Finding(Output):
    """A sensor is faulty; ``time_ms`` is when that was found, in time of sending.

    Attributes:
        sensor_id: which.
        district: where.
        fault: stuck, dead or drift.
        since_ms: the first reading of the same, the last sign of life, the window that showed it first.
        text: what was seen.
    """

    topic: ClassVar = "sensor-faults"
    key: ClassVar = "sensor_id"
    sensor_id: str
    district: str
    fault: str
    since_ms: int
    text: str


class SensorHealth(ReadingTask):
    """Finds sensors that cannot be trusted, once for each fault.

    Reads ``traffic-flow``, ``air-quality`` and ``energy-usage``, key = sensor; drift shows only beside the district's
    other sensors, which are in all partitions: so one member does the work. Half hours are looked at five minutes after
    their end.

    - *stuck*: four newer readings in a row that are the same in all they measure.
    - *dead*: its district's last reading is half an hour after its own; where all are silent, it is the gateway.
    - *drift*: for two half hours the sensor's level is off what the other sensors of its kind in its district show, by
      a factor of 1.28 and three standard errors. Places differ: a sensor's usual offset is learned in its first four
      half hours, and followed slowly while it is not off (sensors that see the same air are compared, too, in
      Hasenfratz et al., "On-the-fly calibration of low-cost gas sensors", 2012).

    It cannot see a sensor that has never spoken, a drift that is shorter or slower than that, one of a sensor that is
    stuck, one that began while the offset was learned, and none of energy meters, since buildings differ too much.
    Where that was at night, few vehicles pass, and a healthy sensor may be accused by day. Writes ``sensor-faults``,
    key = sensor.
    """

    reads: ClassVar = ("traffic-flow", "air-quality", "energy-usage")
    gives: ClassVar = (Finding, TooLate)
    together: ClassVar = "all"
    window_ms: ClassVar = HOUR_MS // 2
    lateness_ms: ClassVar = 5 * MINUTE_MS

    def take(self, record: Received, now_ms: int) -> None:
        value = record.value
        sensor = value["sensor_id"]
        known = self.memory.get(sensor)
        if known is None:
            known = self.memory[sensor] = _unknown(value["district"])
        known["heard"], known["dead"] = now_ms, False
        window = self.window_of(record, now_ms)
        if value["measured_ms"] > known["newest"]:
            self._compare_with_last(known, record, now_ms)
        alike = _ALIKE.get(record.topic)
        if window is not None and alike is not None and known["same"] < _SAME:
            level = window.get(sensor)
            if level is None:
                level = window[sensor] = [record.topic, 0.0, 0]
            level[1] += value[alike[0]]
            level[2] += 1

    def _compare_with_last(self, known: dict[str, Any], record: Received, now_ms: int) -> None:
        value = record.value
        known["newest"] = measured = value["measured_ms"]
        shown = [value[name] for name in _MEASURED[record.topic]]
        if shown != known["shown"]:
            known["shown"], known["same"], known["since"] = shown, 1, measured
            return
        known["same"] += 1
        if known["same"] == _SAME:
            text = f"shows {', '.join(map(str, shown))} again and again"
            self.give(Finding(now_ms, value["sensor_id"], known["district"], "stuck", known["since"], text))

    def sum_up(self, start_ms: int, window: dict[str, Any]) -> None:
        now_ms = start_ms + self.window_ms + self.lateness_ms
        self._look_for_dead(now_ms)
        groups: dict[tuple[str, str], dict[str, tuple[float, float]]] = defaultdict(dict)
        for sensor, (topic, total, count) in sorted(window.items()):
            if total > 0:
                error = _ALIKE[topic][1] / sqrt(count) or 1 / sqrt(total)
                groups[topic, self.memory[sensor]["district"]][sensor] = (log(total / count), error)
        for levels in groups.values():
            self._look_for_drift(levels, start_ms, now_ms)

    def _look_for_dead(self, now_ms: int) -> None:
        last: dict[str, int] = defaultdict(int)
        for known in self.memory.values():
            last[known["district"]] = max(last[known["district"]], known["heard"])
        for sensor, known in sorted(self.memory.items()):
            if not known["dead"] and known["heard"] < last[known["district"]] - _SILENT_MS:
                known["dead"] = True
                text = f"sent nothing for {(now_ms - known['heard']) // MINUTE_MS} minutes"
                self.give(Finding(now_ms, sensor, known["district"], "dead", known["heard"], text))

    def _look_for_drift(self, levels: Mapping[str, tuple[float, float]], start_ms: int, now_ms: int) -> None:
        """Compare each level, less its place's offset, with the median of all."""
        if len(levels) < 3:
            return
        usual = median(level - self.memory[sensor]["offset"] for sensor, (level, _) in levels.items())
        for sensor, (level, error) in levels.items():
            known = self.memory[sensor]
            off = level - known["offset"] - usual
            known["learned"] += 1
            if known["learned"] <= _LEARNED:
                known["offset"] += off / known["learned"]
                continue
            is_off = abs(off) > max(_DRIFTED, _ERRORS * error)
            if not is_off:
                known["offset"] += _FOLLOWS * off
            self._count_off(sensor, off, is_off, start_ms, now_ms)

    def _count_off(self, sensor: str, off: float, is_off: bool, start_ms: int, now_ms: int) -> None:
        known = self.memory[sensor]
        known["off"] = known["off"] + 1 if is_off else 0
        if known["off"] == _WINDOWS:
            text = f"shows {exp(off) - 1:+.0%} beside its neighbours"
            since = start_ms - (_WINDOWS - 1) * self.window_ms
            self.give(Finding(now_ms, sensor, known["district"], "drift", since, text))


def _unknown(district: str) -> dict[str, Any]:
    last: dict[str, Any] = {"newest": -1, "shown": [], "same": 0, "since": 0}
    return {"district": district, "heard": 0, "dead": False, **last, "offset": 0.0, "learned": 0, "off": 0}


def precision_and_recall(findings: pd.DataFrame, faults: pd.DataFrame, until_ms: int) -> pd.DataFrame:
    """Return for each kind of fault how good the findings are.

    A finding is right where its sensor had that fault when it was found, or up to an hour before. Columns: ``fault``,
    ``faults`` (those that began before ``until_ms``), ``found`` (of these, int64 both), ``findings`` (int64),
    ``precision`` (right findings over findings), ``recall`` (found over faults; float64, NaN for 0 / 0).

    Args:
        findings: a table of :class:`Finding`.
        faults: ``City.faults(days)``, of all days that were looked at.
        until_ms: the end of what was looked at.
    """
    kinds = ["stuck", "drift", "dead"]
    true = faults[faults["from_ms"] < until_ms].astype({"sensor_id": str, "fault": str}).reset_index(names="number")
    pairs = findings[["sensor_id", "fault", "time_ms"]].reset_index(names="finding").merge(true)
    right = pairs[(pairs["from_ms"] <= pairs["time_ms"]) & (pairs["time_ms"] <= pairs["to_ms"] + HOUR_MS)]

    def counted(rows: pd.DataFrame, of: str) -> pd.Series[int]:
        return rows.groupby("fault")[of].nunique().reindex(kinds, fill_value=0)

    table = pd.DataFrame({"faults": counted(true, "number"), "found": counted(right, "number")})
    table["findings"] = counted(findings.reset_index(names="finding"), "finding")
    table["precision"] = counted(right, "finding") / table["findings"]
    table["recall"] = table["found"] / table["faults"]
    return table.rename_axis("fault").reset_index()
