"""How readings reach the broker: some late, some twice, some overtaken, and many at once after an outage."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kafkalab.simulation.source import Columns

__all__ = ["LATE_MS", "Delivery"]

Ints = npt.NDArray[np.int64]

#: A reading is late when it is sent more than this after it was measured.
LATE_MS = 60_000
_USUAL_MS, _USUAL_MEAN_MS = 50, 300  # the way of a reading takes at least this, and on average so much more
_LATE_MEAN_MS, _LATE_MOST_MS = 5 * 60_000, 30 * 60_000
_AGAIN_MS, _AGAIN_MEAN_MS = 1_000, 20_000
_FLUSH = 60  # after an outage, a gateway sends what it kept so many times faster than it came in
_SENSOR_BIT = 44  # milliseconds since 1970 need 41 bits


class Delivery:
    """Takes readings as they are measured, and returns them as they are sent.

    Args:
        sensors: how many there are.
        late: share of readings that a sensor sends late.
        duplicate: share of readings that are sent again, since the acknowledgement did not come back.
    """

    def __init__(self, sensors: int, late: float, duplicate: float) -> None:
        self._late = late
        self._duplicate = duplicate
        self._waiting: Columns = {}  # measured and not yet sent
        self._newest = np.zeros(sensors, np.int64)  # of each sensor, the latest measured_ms that was sent

    def send(self, rng: np.random.Generator, readings: Columns, outages: Columns, end_ms: int) -> Columns:
        """Return what is sent before ``end_ms``, in this order; the rest waits for the next call.

        Args:
            rng: decides on delays and duplicates.
            readings: ``sensor_id`` (code), ``district`` (code), ``measured_ms`` and any other columns.
            outages: of the day, as in ``Day``: nothing of that district is sent meanwhile, and all afterwards.
            end_ms: the end of the stretch that was measured.

        Returns:
            The columns of ``readings``, with ``timestamp_ms``, and the flags ``late``, ``duplicate``, ``out_of_order``.
        """
        pool = self._pool(rng, readings)
        sent = _held(pool["ready_ms"], pool["district"], outages)
        order = np.argsort(sent, kind="stable")
        now, later = np.split(order, [np.searchsorted(sent[order], end_ms)])
        self._waiting = _rows(pool, later)
        del pool["ready_ms"]
        return self._flagged({**_rows(pool, now), "timestamp_ms": sent[now]})

    def _pool(self, rng: np.random.Generator, readings: Columns) -> Columns:
        """Return what waits, the readings, and their duplicates, with ``ready_ms``, when the gateway has them."""
        ready = self._ready_ms(rng, readings["measured_ms"])
        again = np.flatnonzero(rng.random(len(ready), np.float32) < self._duplicate)
        resent = ready[again] + _AGAIN_MS + _wait_ms(rng, len(again), _AGAIN_MEAN_MS)
        parts = [
            self._waiting,
            {**readings, "ready_ms": ready, "duplicate": np.zeros(len(ready), bool)},
            {**_rows(readings, again), "ready_ms": resent, "duplicate": np.ones(len(again), bool)},
        ]
        return {name: np.concatenate([part[name] for part in parts if part]) for name in parts[1]}

    def _ready_ms(self, rng: np.random.Generator, measured: Ints) -> Ints:
        ready = measured + _USUAL_MS + _wait_ms(rng, len(measured), _USUAL_MEAN_MS)
        late = np.flatnonzero(rng.random(len(measured), np.float32) < self._late)
        ready[late] += LATE_MS + np.minimum(_wait_ms(rng, len(late), _LATE_MEAN_MS), _LATE_MOST_MS)
        return ready

    def _flagged(self, sent: Columns) -> Columns:
        """Add what is known of the order in which readings are sent, and remember each sensor's newest."""
        sent["late"] = sent["timestamp_ms"] - sent["measured_ms"] > LATE_MS
        by_sensor = np.argsort(sent["sensor_id"], kind="stable")
        sensor, measured = sent["sensor_id"][by_sensor].astype(np.int64), sent["measured_ms"][by_sensor]
        # The newest so far of the same sensor: with the sensor in the upper bits, no other sensor's can be taken.
        newest = np.maximum.accumulate(np.maximum(measured, self._newest[sensor]) | sensor << _SENSOR_BIT)
        newest &= (1 << _SENSOR_BIT) - 1
        sent["out_of_order"] = np.empty(len(sensor), bool)
        sent["out_of_order"][by_sensor] = measured < newest
        self._newest[sensor] = newest  # of a sensor's several, the last is written last
        return sent


def _wait_ms(rng: np.random.Generator, count: int, mean_ms: int) -> Ints:
    return (rng.standard_exponential(count, np.float32) * np.float32(mean_ms)).astype(np.int64)


def _rows(columns: Columns, rows: npt.NDArray[np.intp]) -> Columns:
    return {name: column[rows] for name, column in columns.items()}


def _held(ready: Ints, district: npt.NDArray[np.int8], outages: Columns) -> Ints:
    """Return when things are sent: after an outage, what was kept goes first, in its order, and what is new behind."""
    sent = ready.copy()
    for place, from_ms, to_ms in zip(outages["district"], outages["from_ms"], outages["to_ms"], strict=True):
        held = np.flatnonzero((district == place) & (sent >= from_ms))
        sent[held] = np.maximum(sent[held], to_ms + (sent[held] - from_ms) // _FLUSH)
    return sent
