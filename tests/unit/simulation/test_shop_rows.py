from __future__ import annotations

import numpy as np
import pytest

from kafkalab.simulation.shop_rows import EVENTS, MOST_RUNS, NUMBERS, TOPICS, Pending, Timeline, event_code, pause
from kafkalab.simulation.source import MISSING


def rows(*times: int, first: int = 0) -> dict[str, np.ndarray]:
    return {"time": np.array(times), "name": first + np.arange(len(times))}


def test_rows_wait_for_their_time() -> None:
    pending = Pending()
    pending.put(rows(30, 10, 20))
    assert pending.take(20)["name"].tolist() == [1]
    pending.put(rows(25, 99, first=10))
    assert pending.take(30)["name"].tolist() == [2, 10]
    assert pending.take(1_000)["name"].tolist() == [0, 11]


def test_rows_of_the_same_time_stay_in_their_order() -> None:
    pending = Pending()
    pending.put(rows(7, 7, 5))
    pending.take(0)
    pending.put(rows(7, 5, first=10))
    pending.put(rows(7, first=20))
    assert pending.take(8)["name"].tolist() == [2, 11, 0, 1, 10, 20]


def test_what_waits_long_is_put_together() -> None:
    pending, rng, shown = Pending(), np.random.default_rng(0), []
    for block in range(5 * MOST_RUNS):
        pending.put({"time": block + rng.integers(0, 1_000, 20), "name": np.full(20, block)})
        shown += pending.take(block + 1)["time"].tolist()
        assert len(pending._runs) <= MOST_RUNS + 1
    shown += pending.take(10_000)["time"].tolist()
    assert len(shown) == 5 * MOST_RUNS * 20
    assert shown == sorted(shown)


def test_memory_is_that_of_what_waits() -> None:
    pending = Pending()
    for block in range(300):
        pending.put(rows(*[block] * 999, 10_000))
        assert len(pending.take(block + 1)["time"]) == 999
    kept = {
        id(base): base.nbytes for run in pending._runs for base in (run["time"].base, run["time"]) if base is not None
    }
    assert sum(kept.values()) < 5 * 300 * 8


def test_a_column_that_a_row_does_not_have_is_filled() -> None:
    timeline = Timeline()
    timeline.add("orders", "placed", np.array([5]), order_id=np.array([1]), amount=np.array([2.5]))
    timeline.add("carts", np.array([0, 1]), np.array([4, 6]), sku=np.array([7, 8]))
    block = timeline.block(6)
    assert block.sent["timestamp_ms"].tolist() == [4, 5]
    assert [EVENTS[code] for code in block.sent["event"]] == ["viewed", "placed"]
    assert [list(TOPICS)[code] for code in block.sent["topic"]] == ["carts", "orders"]
    assert block.sent["sku"].tolist() == [7, -1]
    assert block.sent["order_id"].tolist() == [MISSING, 1]
    assert np.isnan(block.sent["amount"]).tolist() == [True, False]
    assert block.sent["items"].tolist() == [None, None]
    assert sorted(block.truth) == ["final_state", "fraud", "stock"]
    assert timeline.block(7).sent["sku"].tolist() == [8]


def test_the_columns_are_those_of_the_topics() -> None:
    fields = {name for plan in TOPICS.values() for name in plan.fields}
    assert set(NUMBERS) < fields
    assert all(plan.key in plan.fields for plan in TOPICS.values())
    assert len(set(EVENTS)) == len(EVENTS) < 128  # codes of eight bits
    assert event_code("placed") == EVENTS.index("placed")


def test_pauses() -> None:
    waits = pause(np.random.default_rng(0), 100_000, 1_000, 4_000)
    assert waits.min() >= 1_000
    assert waits.mean() == pytest.approx(5_000, abs=4 * 4_000 / 100_000**0.5)
