"""How many records per second each simulated source makes, beside the same source as a plain Python loop."""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib import import_module
from statistics import median

from benchmarks.results import Benchmark, Measure, Result, Tick, describe
from kafkalab.simulation import SOURCES

__all__ = ["BENCHMARK", "MEASURES", "rate"]

_SEED = 1
_FRAME_RECORDS = 2_000_000
_RECORDS = 500_000
_PLAIN_RECORDS = 200_000
_RATE = Measure("", "records/s")
#: Of each source the measures of its frame and of its records.
MEASURES = {
    name: (
        Measure(f"{name}: rows of a frame", "records/s", floor=1_000_000),
        Measure(f"{name}: encoded records", "records/s", floor=150_000),
    )
    for name in SOURCES
}


@dataclass(frozen=True)
class _Rates:
    """What one source came to in each round, in records/s."""

    frame: list[float] = field(default_factory=list)
    records: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)


def rate(make: Callable[[], object], count: int) -> float:
    """Return how many of the ``count`` records that ``make`` makes come to a second of this process's processor time.

    The time of all its threads counts, so that this is what one core does, whatever else the machine does meanwhile.
    """
    gc.collect()
    began = time.process_time()
    made = make()
    seconds = time.process_time() - began
    del made  # only now: giving the memory back is no part of it
    return count / seconds


def _exhaust(records: Iterable[object]) -> None:
    deque(records, maxlen=0)


def _measure(name: str, rates: _Rates) -> None:
    make, plain = SOURCES[name], import_module(f"benchmarks.plain.{name}")
    rates.frame.append(rate(lambda: make(seed=_SEED).frame(_FRAME_RECORDS), _FRAME_RECORDS))
    rates.records.append(rate(lambda: _exhaust(make(seed=_SEED).records(_RECORDS)), _RECORDS))
    rates.plain.append(rate(lambda: _exhaust(plain.records(_SEED, _PLAIN_RECORDS)), _PLAIN_RECORDS))


def _run(rounds: int, tick: Tick) -> list[Result]:
    rates = {name: _Rates() for name in SOURCES}
    for _ in range(rounds):
        for name in SOURCES:
            tick(f"simulation, {name}")
            _measure(name, rates[name])
    return [result for name in SOURCES for result in _results(name, rates[name])]


def _results(name: str, rates: _Rates) -> list[Result]:
    frame, records = MEASURES[name]
    return [_result(frame, rates.frame, rates.plain), _result(records, rates.records, rates.plain)]


def _result(measure: Measure, ours: list[float], plain: list[float]) -> Result:
    ratio = median(ours) / median(plain)
    detail = f"{ratio:.1f} times the plain loop; {describe('kafkalab', ours, _RATE)}, {describe('plain', plain, _RATE)}"
    return Result(measure, median(ours), detail)


BENCHMARK = Benchmark(
    name="simulation",
    measures=tuple(measure for pair in MEASURES.values() for measure in pair),
    method=(
        f"records per second of processor time, all threads counted, so per core: `.frame({_FRAME_RECORDS:,})`, whose "
        f"values are columns and not encoded, and `.records({_RECORDS:,})`, whose values are JSON. The plain loop "
        f"({_PLAIN_RECORDS:,} records) is the same model with the same topics and fields, one record after the other "
        "with Python's `random` and `json`; it has no columns, so that both are compared with its encoded records. "
        "The set-up of the source counts in all three."
    ),
    rounds=5,
    steps=len(SOURCES),
    run=_run,
)
