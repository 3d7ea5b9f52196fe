"""What the sensors make of the city's state: noisy readings, with drifting, stuck and dead sensors among them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kafkalab.simulation.city_days import FAULTS, STEP_MS, Day
from kafkalab.simulation.city_map import SensorMap
from kafkalab.simulation.source import Columns

__all__ = ["SensorGroup"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Spells = list[tuple[int, int, slice]]

_HOUR_MS = 3_600_000
_LANE_PER_HOUR = 900  # vehicles that a lane with traffic lights lets through
_VEHICLE_KM = 0.0065  # length of a vehicle and of the loop that detects it
_WASTED = 0.7  # share of its rated power that a wasteful building always takes
_STUCK, _DRIFT, _DEAD = range(len(FAULTS))


class SensorGroup:
    """The sensors of one kind, read together.

    Args:
        sensors: all sensors of the city.
        kind: code into SENSOR_KINDS.
        start_ms: the start of the simulation.
    """

    def __init__(self, sensors: SensorMap, kind: int, start_ms: int) -> None:
        self._codes = np.flatnonzero(sensors.kind == kind)
        self._read_kind = (self._traffic, self._air, self._energy)[kind]
        self._start_ms = start_ms
        self._phase_ms = sensors.phase_ms[self._codes, None]
        self._every_ms = int(sensors.every_ms[self._codes[0]])
        self._district = sensors.district[self._codes, None].astype(np.int64)
        self._site = sensors.site[self._codes, None]
        self._lanes = sensors.lanes[self._codes, None]
        self._building = sensors.building[self._codes, None].astype(np.int64)
        self._rated_kw = sensors.rated_kw[self._codes, None]
        self._floor = np.where(sensors.wasteful[self._codes, None], _WASTED, 0)
        # What a stuck sensor shows: when its fault began, and the reading it repeats since.
        self._held: dict[int, tuple[int, dict[str, float]]] = {}

    def read(self, rng: np.random.Generator, day: Day, begin_ms: int, end_ms: int) -> Columns:
        """Return the readings of a stretch of the day, some whole intervals long, sensor by sensor.

        Columns are ``sensor_id`` (code), ``measured_ms``, ``fault`` (code) and what this kind of sensor measures. A
        dead sensor has none.
        """
        first, last = (begin_ms - self._start_ms) // self._every_ms, (end_ms - self._start_ms) // self._every_ms
        measured = self._start_ms + self._phase_ms + np.arange(first, last) * self._every_ms
        spells = self._spells(day, measured)
        step = (measured - day.begin_ms) // STEP_MS
        values = self._read_kind(rng, day, step, self._gain(day, measured, spells))
        self._hold(day, values, spells)
        fault = np.full(measured.shape, -1, np.int8)
        for row, kind, span in spells:
            fault[row, span] = kind
        sensor = np.repeat(self._codes.astype(np.int16), last - first).reshape(measured.shape)
        columns = {"sensor_id": sensor, "measured_ms": measured, "fault": fault, **values}
        return {name: column[fault != _DEAD] for name, column in columns.items()}

    def _spells(self, day: Day, measured: Ints) -> Spells:
        """Return the faulty stretches of this grid of readings: row, fault, columns."""
        faults = {name: column[self._codes] for name, column in day.faults.items()}
        found = []
        for row in np.flatnonzero(faults["fault"] >= 0).tolist():
            first, last = np.searchsorted(measured[row], [faults["from_ms"][row], faults["to_ms"][row]])
            if first < last:
                found.append((row, int(faults["fault"][row]), slice(first, last)))
        return found

    def _gain(self, day: Day, measured: Ints, spells: Spells) -> Floats:
        gain = np.ones(measured.shape)
        for row, kind, span in spells:
            if kind == _DRIFT:
                hours = (measured[row, span] - day.faults["from_ms"][self._codes[row]]) / _HOUR_MS
                rate = day.faults["drift_per_hour"][self._codes[row]]
                gain[row, span] = (1 + abs(rate) * hours) ** np.sign(rate)
        return gain

    def _hold(self, day: Day, values: Columns, spells: Spells) -> None:
        for row, kind, span in spells:
            if kind == _STUCK:
                since = int(day.faults["from_ms"][self._codes[row]])
                if self._held.get(row, (None,))[0] != since:
                    self._held[row] = (since, {name: column[row, span.start] for name, column in values.items()})
                for name, value in self._held[row][1].items():
                    values[name][row, span] = value

    def _traffic(self, rng: np.random.Generator, day: Day, step: Ints, gain: Floats) -> Columns:
        hours = self._every_ms / _HOUR_MS
        passing = self._at(day, "flow", step) * (self._lanes * _LANE_PER_HOUR * hours * self._site) * gain
        count = rng.poisson(passing)
        speed = np.round(np.maximum(self._at(day, "speed_kmh", step) * (1 + 0.06 * _noise(rng, step)), 1), 1)
        occupied = np.minimum(count * (100 * _VEHICLE_KM / hours / self._lanes) / speed, 100)
        return {"vehicles": count, "speed_kmh": speed, "occupancy_pct": np.round(occupied, 1)}

    def _air(self, rng: np.random.Generator, day: Day, step: Ints, gain: Floats) -> Columns:
        pm25, no2 = (
            np.round(self._at(day, name, step) * self._site * gain * (1 + 0.05 * _noise(rng, step)), 1)
            for name in ("pm25", "no2")
        )
        temperature = np.round(self._at(day, "temperature_c", step) + 0.2 * _noise(rng, step), 1)
        return {"pm25": pm25, "no2": no2, "temperature_c": temperature}

    def _energy(self, rng: np.random.Generator, day: Day, step: Ints, gain: Floats) -> Columns:
        share = np.maximum(day.power[self._building, step], self._floor)
        mean_kw = share * self._rated_kw * self._site * gain * (1 + 0.05 * _noise(rng, step))
        peak_kw = mean_kw * (1.02 + 0.08 * np.abs(_noise(rng, step)))
        return {
            "energy_kwh": np.round(mean_kw * (self._every_ms / _HOUR_MS), 3),
            "peak_kw": np.round(peak_kw, 2),
        }

    def _at(self, day: Day, name: str, step: Ints) -> Floats:
        return day.conditions[name][self._district, step]


def _noise(rng: np.random.Generator, like: Ints) -> npt.NDArray[np.float32]:
    return rng.standard_normal(like.shape, np.float32)
