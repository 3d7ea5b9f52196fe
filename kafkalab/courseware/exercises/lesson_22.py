"""The exercises of lesson 22, Smart city."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from kafkalab import Cluster
from kafkalab.courseware.declaration import NotDoneYet, exercise, expect
from kafkalab.courseware.exercises.reading import records_of, require_topic
from kafkalab.simulation import City

__all__ = ["dead_sensors", "once", "rush_hour"]

_MINUTE_MS, _HOUR_MS, _DAY_MS = 60_000, 3_600_000, 86_400_000
_SEVEN_MS, _EIGHT_MS = 7 * _HOUR_MS, 8 * _HOUR_MS
_SILENT_MS = 30 * _MINUTE_MS


@exercise(
    "22.rush-hour",
    task="Send the vehicles that each district counted from 07:00 to 08:00 by event time, each reading once.",
    hints=(
        "measured_ms says which hour a reading belongs to. And which two columns make a reading unique?",
        (
            'once = table("traffic-flow").drop_duplicates(["sensor_id", "measured_ms"]); keep the rows from '
            'city.start_ms + 7 * HOUR on and before 8 * HOUR; then groupby("district")["vehicles"].sum().'
        ),
    ),
)
def rush_hour(cluster: Cluster, *, readings: str, rush_hour: str) -> str:
    """Count the stored readings in the right way and in the likely wrong ones, and compare with what was sent."""
    sent = _numbers(records_of(cluster, require_topic(cluster, rush_hour, "rush_hour")), rush_hour)
    stored = _vehicles(cluster, readings)
    wanted = _in_the_hour(_unique(stored), "measured_ms")
    missing, others = sorted(wanted.keys() - sent), sorted(sent.keys() - wanted)
    expect(not missing, f"topic {rush_hour} has no record for {', '.join(missing)}.")
    expect(not others, f"topic {rush_hour} has a record with the key {', '.join(others[:1])}, which is no district.")
    for district, vehicles in sorted(wanted.items()):
        if sent[district] != vehicles:
            told = f"for {district} you sent {sent[district]} vehicles, and {vehicles} were counted"
            raise NotDoneYet(f"{told}{_mistake(sent, stored)}.")
    return f"{len(wanted)} districts, {sum(wanted.values())} vehicles, each reading once in the hour of its measuring."


def _numbers(records: Iterable[Any], topic: str) -> dict[str, int]:
    """Return the number that each key has."""
    numbers: dict[str, int] = {}
    for record in records:
        district = _key(record)
        if district in numbers:
            raise NotDoneYet(f"topic {topic} has more than one record for {district}: run both cells once more.")
        if not (record.value or b"").isdigit():
            raise NotDoneYet(f"the value for {district} is {record.value!r}, and not a whole number such as b'1234'.")
        numbers[district] = int(record.value)
    return numbers


def _key(record: Any) -> str:
    return record.key.decode(errors="replace") if record.key else "(none)"


def _vehicles(cluster: Cluster, topic: str) -> pd.DataFrame:
    rows = [{**json.loads(record.value), "sent_ms": record.timestamp} for record in records_of(cluster, topic)]
    return pd.DataFrame(rows)


def _unique(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.drop_duplicates(["sensor_id", "measured_ms"])


def _in_the_hour(rows: pd.DataFrame, time: str) -> dict[str, int]:
    midnight = rows["measured_ms"].min() // _DAY_MS * _DAY_MS
    chosen = rows[(rows[time] >= midnight + _SEVEN_MS) & (rows[time] < midnight + _EIGHT_MS)]
    return {str(name): int(number) for name, number in chosen.groupby("district")["vehicles"].sum().items()}


def _mistake(sent: Mapping[str, int], stored: pd.DataFrame) -> str:
    """Return which likely mistake gives these numbers; empty where none does."""
    if sent == _in_the_hour(stored, "measured_ms"):
        return ": readings that came twice are counted twice"
    if sent in (_in_the_hour(_unique(stored), "sent_ms"), _in_the_hour(stored, "sent_ms")):
        return ": yours are those sent in that hour, not those measured in it"
    return ""


@exercise(
    "22.once",
    task="Write each reading of the air once to a clean topic, unchanged and with its key.",
    hints=(
        "A reading is known by its sensor and the time it was measured at. Have you sent this one before?",
        (
            'which = record.key, json.loads(record.value)["measured_ms"]; if it is not in `seen`, '
            "producer.send(clean, record.value, key=record.key), and add it to `seen`."
        ),
    ),
)
def once(cluster: Cluster, *, readings: str, clean: str) -> str:
    """Compare the two topics, reading by reading."""
    found = records_of(cluster, require_topic(cluster, clean, "clean"))
    given = {_reading(record): record for record in records_of(cluster, readings)}
    expect(found, f"topic {clean} is empty, and {readings} has {len(given)} readings.")
    for record in found:
        original = given.get(_reading(record))
        if original is None or (original.key, original.value) != (record.key, record.value):
            told = f"a record of {clean} with the key {_key(record)} is not as it was in {readings}"
            raise NotDoneYet(f"{told}: change no key or value.")
    times = Counter(map(_reading, found))
    doubled = sorted(which for which, number in times.items() if number > 1)
    missing = sorted(given.keys() - times)
    expect(not doubled, f"{len(doubled)} readings are in {clean} more than once{_such_as(doubled)}.")
    expect(not missing, f"{len(missing)} of {len(given)} readings are not in {clean}{_such_as(missing)}.")
    places = {(record.key, record.partition) for record in found}
    expect(len(places) == len({key for key, _ in places}), f"some sensors are in two partitions of {clean}.")
    return f"{readings} has {len(given)} different readings, and each is once in {clean}."


def _reading(record: Any) -> tuple[str, int]:
    try:
        return _key(record), int(json.loads(record.value)["measured_ms"])
    except (TypeError, ValueError, KeyError):
        return _key(record), -1


def _such_as(readings: list[tuple[str, int]]) -> str:
    return f", such as that of {readings[0][0]} at {_clock(readings[0][1])}" if readings else ""


def _clock(milliseconds: int) -> str:
    return f"{milliseconds // _HOUR_MS % 24:02}:{milliseconds // _MINUTE_MS % 60:02}"


@exercise(
    "22.dead-sensors",
    task="Find the sensors that measured nothing for more than 30 minutes of the day, and send each to a topic.",
    hints=(
        "Look at the gaps between the times of measuring, sensor by sensor: a gateway's failure makes none there.",
        (
            "The first and the last gap count, too: sort [*measured, *midnights], compare each moment with the next, "
            "and look for later - earlier > 30 * MINUTE. Send with key=sensor.encode()."
        ),
    ),
)
def dead_sensors(cluster: Cluster, *, city: City, dead: str) -> str:
    """Compare the keys in the topic with the truth of the simulation."""
    times = Counter(map(_key, records_of(cluster, require_topic(cluster, dead, "dead"))))
    expect(times, f"topic {dead} is empty: send a record for each dead sensor.")
    unknown = sorted(times.keys() - set(city.sensors["sensor_id"]))
    doubled = sorted(name for name, number in times.items() if number > 1)
    expect(not unknown, f"topic {dead} has a record with the key {', '.join(unknown[:1])}: no sensor has that name.")
    expect(not doubled, f"{', '.join(doubled[:1])} is in {dead} more than once: run both cells once more.")
    true = _dead(city)
    wrong, missing = sorted(times.keys() - true), sorted(true.keys() - times)
    right = len(times) - len(wrong)
    told = (
        f"{right} of your {len(times)} sensors are dead (precision), and {right} of the {len(true)} dead found (recall)"
    )
    expect(not wrong, f"{told}. Not dead is {', '.join(wrong[:1])}: look at when it measured, not at when it sent.")
    expect(not missing, f"{told}. Not found is, for one, a sensor that was silent from {_first(true, missing)} on.")
    return f"{told}."


def _dead(city: City) -> dict[str, int]:
    """Return the sensors that were dead for long enough on the first day, and when each fell silent (ms)."""
    faults = city.faults(1)
    last_ms = city.start_ms + _DAY_MS - _SILENT_MS
    dead = faults[(faults["fault"] == "dead") & (faults["from_ms"] < last_ms)]
    return dict(zip(dead["sensor_id"].astype(str), dead["from_ms"].tolist(), strict=True))


def _first(true: Mapping[str, int], missing: list[str]) -> str:
    return _clock(min(true[name] for name in missing)) if missing else ""
