"""What the process of an application says, as its owner takes it; real processes are in the integration tests."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from kafkalab.apps.process import Process

STARTS = {("anna-stock-prices", 0): 10, ("anna-stock-prices", 1): 20}
SETTINGS = {"group": "anna-analyst", "topics": {"anna-stock-prices": "stock-prices"}, "derived": []}
NOTHING = dict.fromkeys(["p50_ms", "p95_ms", "p99_ms", "max_ms"], float("nan"))
TOLD: dict[str, Any] = {
    "steps": [(0, 3, 50.0), (0, 5, 51.0)],
    "read": 6,
    "lag": 2,
    "decisions": {"Candle": 4},
    "fingerprint": "0123456789ab",
    "late": 0,
    "too_late": 0,
    "redelivered": 0,
    "finished": False,
}


@pytest.fixture
def process() -> Process:
    return Process("analyst", SETTINGS, STARTS)


def say(process: Process, *told: object) -> None:
    for each in told:
        process._take(json.dumps(each).encode())


def test_at_first_nothing_is_known(process: Process) -> None:
    seen = process.look(NOTHING, None)
    assert (seen.name, seen.group, seen.read, seen.processed, seen.stored, seen.complete) == (
        "analyst", "anna-analyst", 0, 0, None, False,
    )  # fmt: skip
    assert np.isnan(seen.last_at)
    assert not process.ready


def test_what_it_says_adds_up(process: Process) -> None:
    say(process, {"ready": True}, TOLD, {**TOLD, "steps": [(1, 1, 52.0)], "decisions": {"Candle": 5}, "finished": True})
    seen = process.look(NOTHING, {("anna-stock-prices", 0): 15, ("anna-stock-prices", 1): 21})
    assert process.ready
    assert (seen.processed, seen.stored, seen.decided, seen.last_at) == (6, 6, 5, 52.0)
    assert seen.complete
    assert process.steps["anna-stock-prices", 0].at(np.arange(10, 15)).tolist() == [50.0, 50.0, 50.0, 51.0, 51.0]
    assert not process.look(NOTHING, {("anna-stock-prices", 0): 16, ("anna-stock-prices", 1): 21}).complete


def test_its_last_words(process: Process) -> None:
    process._take(b"!no broker.")
    assert process.error == "no broker."
