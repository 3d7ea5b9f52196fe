"""The city's sensors as a plain loop: one reading after the other, in the order of a heap."""

from __future__ import annotations

import heapq
import json
import math
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

__all__ = ["records"]

_START_MS = 1_740_981_600_000  # Monday, 3 March 2025, 06:00 UTC
_STEP_MS, _HOUR_MS, _DAY_MS = 300_000, 3_600_000, 86_400_000
_NAMES = ["old-town", "riverside", "foundry", "station", "northfield", "southpark", "harbour", "university"]
_NAMES += ["westgate", "market", "eastbrook", "lakeside"]
# For each district in turn: load, of that on weekends, free speed, emission of streets, stoves and plants.
_ROLES = [(1.0, 0.9, 40, 1.4, 1.0, 0.0), (0.75, 0.8, 50, 0.8, 1.3, 0.0), (0.85, 0.4, 60, 1.1, 0.4, 1.5)]
_ROLES += [(0.45, 1.0, 50, 0.5, 0.4, 0.0)]
_KINDS = (("traffic-flow", 8, 60), ("air-quality", 3, 120), ("energy-usage", 4, 300))

State = dict[str, float]
Sensor = dict[str, Any]


def records(seed: int, n: int) -> Iterator[tuple[str, bytes, bytes, int]]:
    """Return the first ``n`` records: topic, key, value, time of sending in milliseconds."""
    rng = random.Random(seed)
    city = _City(rng)
    readings = [(_START_MS + rng.randrange(s["every_ms"]), number) for number, s in enumerate(city.sensors)]
    heapq.heapify(readings)
    on_the_way: list[tuple[int, int, str, bytes, bytes]] = []
    made = sent = 0
    while sent < n:
        measured, number = readings[0]
        while on_the_way and on_the_way[0][0] < measured and sent < n:
            time, _, topic, key, value = heapq.heappop(on_the_way)
            yield topic, key, value, time
            sent += 1
        sensor = city.sensors[number]
        heapq.heapreplace(readings, (measured + sensor["every_ms"], number))
        reading = city.read(sensor, measured)
        if reading is None:
            continue
        value = json.dumps(reading).encode()
        for time in city.times_of_sending(sensor["district"], measured):
            made += 1
            heapq.heappush(on_the_way, (time, made, sensor["topic"], sensor["key"], value))


class _Sky(NamedTuple):
    now: int
    rhythm: float
    weekend: bool
    rain: bool
    air: float
    heating: float
    country: float


class _City:
    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.sensors = [
            self._sensor(topic, every_s, place, one)
            for topic, count, every_s in _KINDS
            for place in range(len(_NAMES))
            for one in range(count)
        ]
        self._chance = [rng.gauss(0, 1) for _ in range(3 + 2 * len(_NAMES))]
        self._step = self._day = -1

    def _sensor(self, topic: str, every_s: int, place: int, one: int) -> Sensor:
        name = f"{topic.partition('-')[0]}-{_NAMES[place]}-{one + 1:02}"
        rng = self._rng
        return {"topic": topic, "id": name, "key": name.encode(), "district": place, "every_ms": every_s * 1000,
                "site": rng.uniform(0.8, 1.2), "lanes": rng.randint(1, 3), "building": rng.randrange(4),
                "kw": rng.randint(80, 500), "wasteful": rng.random() < 0.15, "fault": None, "held": None}  # fmt: skip

    def read(self, sensor: Sensor, measured: int) -> dict[str, Any] | None:
        self._advance(measured)
        fault, begin, end, rate = sensor["fault"] or ("", 0, 0, 0.0)
        faulty = begin <= measured < end
        if faulty and fault == "dead":
            return None
        if faulty and fault == "stuck" and sensor["held"]:
            return {**sensor["held"], "measured_ms": measured}
        drift = (1 + abs(rate) * (measured - begin) / _HOUR_MS) ** math.copysign(1, rate)
        gain = drift if faulty and fault == "drift" else 1.0
        values = getattr(self, "_" + sensor["topic"].partition("-")[0])(sensor, self._state[sensor["district"]], gain)
        reading = {"sensor_id": sensor["id"], "district": _NAMES[sensor["district"]], "measured_ms": measured, **values}
        sensor["held"] = reading if faulty else None
        return reading

    def times_of_sending(self, district: int, measured: int) -> list[int]:
        rng = self._rng
        time = measured + 50 + int(rng.expovariate(1 / 300))
        if rng.random() < 0.02:
            time += 60_000 + int(min(rng.expovariate(1 / 300_000), _HOUR_MS / 2))
        times = [time, time + 1000 + int(rng.expovariate(1 / 20_000))] if rng.random() < 0.01 else [time]
        for place, begin, end in self._outages:
            if place == district:
                times = [end + (time - begin) // 60 if begin <= time < end else time for time in times]
        return times

    def _traffic(self, sensor: Sensor, state: State, gain: float) -> State:
        hours = sensor["every_ms"] / _HOUR_MS
        vehicles = self._poisson(state["flow"] * sensor["lanes"] * 900 * hours * sensor["site"] * gain)
        speed = round(max(state["speed"] * self._rng.gauss(1, 0.06), 1), 1)
        occupancy = min(100 * vehicles * 0.0065 / hours / sensor["lanes"] / speed, 100)
        return {"vehicles": vehicles, "speed_kmh": speed, "occupancy_pct": round(occupancy, 1)}

    def _air(self, sensor: Sensor, state: State, gain: float) -> State:
        gauss, shown = self._rng.gauss, sensor["site"] * gain
        pm25, no2 = (round(state[name] * shown * gauss(1, 0.05), 1) for name in ("pm25", "no2"))
        return {"pm25": pm25, "no2": no2, "temperature_c": round(gauss(state["temperature"], 0.2), 1)}

    def _energy(self, sensor: Sensor, state: State, gain: float) -> State:
        share = max(self._power[sensor["building"]], 0.7 if sensor["wasteful"] else 0)
        mean = share * sensor["kw"] * sensor["site"] * gain * self._rng.gauss(1, 0.05)
        peak = mean * (1.02 + 0.08 * abs(self._rng.gauss(0, 1)))
        return {"energy_kwh": round(mean * sensor["every_ms"] / _HOUR_MS, 3), "peak_kw": round(peak, 2)}

    def _poisson(self, mean: float) -> int:
        if mean > 30:
            return max(0, round(self._rng.gauss(mean, math.sqrt(mean))))
        count, left, stop = 0, self._rng.random(), math.exp(-mean)
        while left > stop:
            count, left = count + 1, left * self._rng.random()
        return count

    def _advance(self, measured: int) -> None:
        step, day = (measured - _START_MS) // _STEP_MS, (measured - _START_MS) // _DAY_MS
        if day != self._day:
            self._day = day
            self._plan(_START_MS + day * _DAY_MS)
        if step != self._step:
            self._step = step
            self._change(measured)

    def _plan(self, begin: int) -> None:
        rng = self._rng
        places = range(len(_NAMES))
        self._incidents = [(rng.choice(places), *self._spell(begin, 20, 90), rng.choice((0.35, 0.45, 0.6)))
                           for _ in range(self._poisson(6))]  # fmt: skip
        self._outages = sorted((rng.choice(places), *self._spell(begin, 5, 20)) for _ in range(self._poisson(3)))
        for sensor in self.sensors:
            rate = rng.uniform(0.1, 0.3) * rng.choice((-1, 1))
            fault = (rng.choice(("stuck", "drift", "dead")), *self._spell(begin, 120, 600), rate)
            sensor["fault"] = fault if rng.random() < 0.1 else None

    def _spell(self, begin: int, shortest: int, longest: int) -> tuple[int, int]:
        length = self._rng.randint(shortest, longest) * 60_000
        first = begin + self._rng.randrange(_DAY_MS - length)
        return first, first + length

    def _change(self, now: int) -> None:
        for number in range(len(self._chance)):
            tau = (60, 8, 4)[number] if number < 3 else (0.5, 3)[number % 2]
            keep = math.exp(-_STEP_MS / _HOUR_MS / tau)
            self._chance[number] = keep * self._chance[number] + self._rng.gauss(0, math.sqrt(1 - keep**2))
        day, hour, weekend = now / _DAY_MS, now / _HOUR_MS % 24, (now // _DAY_MS + 3) % 7 >= 5
        season, wave = math.cos(2 * math.pi * (day - 20) / 365.2425), math.cos(2 * math.pi * (hour - 15) / 24)
        country = 10 - 9 * season + 4 * wave + 3 * self._chance[0]
        wind, rain = 3 * math.exp(0.5 * self._chance[1] - 0.125), self._chance[2] > 1.15
        rhythm = 0.05 + 0.75 * _bump(hour, 8, 1.2) + 0.4 * _bump(hour, 13, 2.5) + 0.8 * _bump(hour, 17.5, 1.6)
        rhythm = 0.05 + 0.55 * _bump(hour, 14, 3.5) if weekend else rhythm
        air = 1 / max(wind / 3 * (1 + 0.6 * wave), 0.2)
        cold = max(15 - country, 0)
        heating = (0.4 + _bump(hour, 20, 3)) * cold / 10
        sky = _Sky(now, rhythm, weekend, rain, air, heating, country)
        self._state = [self._district(place, sky) for place in range(len(_NAMES))]
        work = 0 if weekend else min(max(min(hour - 8, 18 - hour) + 1, 0), 1)
        shift = 0 if weekend else min(max(min(hour - 6, 22 - hour) + 1, 0), 1)
        homes = (0.3 + 0.25 * _bump(hour, 7.5, 1.2) + 0.45 * _bump(hour, 19.5, 2)) * (1 + 0.02 * cold)
        dark = abs(hour - 12) > 6 - 2 * math.cos(2 * math.pi * (day + 10) / 365.2425)
        self._power = (homes, (0.2 + 0.6 * work) * (1 + 0.015 * cold), 0.4 + 0.5 * shift, 1 if dark else 0.03)

    def _district(self, place: int, sky: _Sky) -> State:
        share, weekends, free_kmh, streets, stoves, plants = _ROLES[place % len(_ROLES)]
        load = sky.rhythm * share * (weekends if sky.weekend else 1) * math.exp(0.1 * self._chance[3 + 2 * place])
        open_ = [left for where, begin, end, left in self._incidents if where == place and begin <= sky.now < end]
        capacity = min([1.0, *open_]) * (0.9 if sky.rain else 1)
        slow = 1 + min(load / capacity, 1.5) ** 4
        flow = min(load, capacity)
        fumes = streets * flow * math.sqrt(slow)
        air = sky.air * math.exp(0.12 * self._chance[4 + 2 * place])
        dust = 6 * fumes + 4 * stoves * sky.heating + 5 * plants
        return {"flow": flow, "speed": free_kmh * (0.95 if sky.rain else 1) / slow, "no2": 8 + 40 * fumes * air,
                "pm25": (5 + dust * air) * (0.7 if sky.rain else 1), "temperature": sky.country + 0.5}  # fmt: skip


def _bump(hour: float, top: float, width: float) -> float:
    away = (hour - top + 12) % 24 - 12
    return math.exp(-0.5 * (away / width) ** 2)
