"""A run in figures: throughput and latency over time, from the ledger's columns."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from kafkalab.errors import InvalidArgument

__all__ = ["PERCENTILES", "latency", "latency_percentiles", "longest_gap", "throughput"]

Times = npt.NDArray[np.float64]
PERCENTILES = {"p50_ms": 50.0, "p95_ms": 95.0, "p99_ms": 99.0, "max_ms": 100.0}


def throughput(sent_at: Times, acknowledged_at: Times, started: float, every: float) -> pd.DataFrame:
    """Return one row per interval: second (float64, its begin), sent, acknowledged (int64, records).

    Args:
        sent_at: seconds of any clock.
        acknowledged_at: the same clock.
        started: the same clock; intervals count from here.
        every: length of an interval in seconds.
    """
    parts = [_intervals(times, started, every) for times in (sent_at, acknowledged_at)]
    count = max([int(part.max()) + 1 for part in parts if len(part)], default=0)
    sent, acknowledged = (np.bincount(part, minlength=count) for part in parts)
    return pd.DataFrame({"second": np.arange(count) * float(every), "sent": sent, "acknowledged": acknowledged})


def latency(sent_at: Times, acknowledged_at: Times, started: float, every: float) -> pd.DataFrame:
    """Return one row per interval in which records were acknowledged: second, p50_ms, p95_ms, p99_ms, max_ms.

    All are float64; see :func:`throughput` for the arguments, whose times belong together here.
    """
    part = _intervals(acknowledged_at, started, every)
    order = np.argsort(part, kind="stable")
    numbers, firsts = np.unique(part[order], return_index=True)
    groups = np.split((acknowledged_at - sent_at)[order] * 1000, firsts[1:]) if len(numbers) else []
    rows = [(number * float(every), *_percentiles(group)) for number, group in zip(numbers, groups, strict=True)]
    return pd.DataFrame(rows, columns=["second", *PERCENTILES], dtype="float64")


def latency_percentiles(latencies: Times) -> dict[str, float]:
    """Return p50_ms, p95_ms, p99_ms and max_ms of ``latencies`` (seconds); all NaN where there is none."""
    found = _percentiles(latencies * 1000) if len(latencies) else [float("nan")] * len(PERCENTILES)
    return dict(zip(PERCENTILES, found, strict=True))


def longest_gap(acknowledged_at: Times) -> float:
    """Return the longest time in seconds between two acknowledgements; NaN with fewer than two."""
    if len(acknowledged_at) < 2:
        return float("nan")
    return float(np.diff(np.sort(acknowledged_at)).max())


def _percentiles(values: Times) -> list[float]:
    return [float(value) for value in np.percentile(values, list(PERCENTILES.values()))]


def _intervals(times: Times, started: float, every: float) -> npt.NDArray[np.int64]:
    if not every > 0:
        raise InvalidArgument(f"every={every!r} is not possible: give a number of seconds above 0.")
    return ((times - started) / every).astype(np.int64)
