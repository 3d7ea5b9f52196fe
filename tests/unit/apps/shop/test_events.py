from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd
import pytest

from kafkalab.apps.shop import SIGNS, as_table, balances, history, journal, statuses, truth
from kafkalab.simulation.shop import Shop
from kafkalab.simulation.source import Record

START, MINUTE = 1_740_960_000_000, 60_000
RECORDS, ORDERS = 6_000, 20


class Stored(NamedTuple):
    """What these functions look at of a ConsumerRecord."""

    partition: int
    offset: int
    timestamp: int
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


def stored(records: list[Record]) -> list[Stored]:
    """Put the records of a customer into one of two partitions, as a topic keyed by customer would."""
    ends = [0, 0]
    found = []
    for record in records:
        partition = int(json.loads(record.value)["customer_id"][-1]) % 2
        by = (("by", record.topic.encode()),)
        found.append(Stored(partition, ends[partition], record.timestamp_ms, record.value, by))
        ends[partition] += 1
    return found


def event(minute: int, name: str, offset: int = 0, *, customer: str = "anna", **more: Any) -> Stored:
    of_orders = name in ("placed", "paid", "cancelled", "returned")
    value = {"event": name, "order_id": 1, "customer_id": customer, "reason": None}
    number = {"version": 1} if of_orders else {"amount": 9.99}
    by = b"orders" if of_orders else b"payments"
    return Stored(0, offset, START + minute * MINUTE, json.dumps(value | number | more).encode(), (("by", by),))


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop(seed=25, customers=10, visits_per_day=100)


@pytest.fixture(scope="module")
def whole(shop: Shop) -> pd.DataFrame:
    return as_table(stored(journal(shop, RECORDS, ORDERS)))


def test_a_journal_has_all_events_of_the_first_orders_and_of_their_payments(shop: Shop, whole: pd.DataFrame) -> None:
    wanted = [
        (record.topic, record.timestamp_ms, record.value)
        for record in shop.records(RECORDS)
        if record.topic in ("orders", "payments") and json.loads(record.value)["order_id"] <= 100_000 + ORDERS
    ]
    assert [(record.topic, record.timestamp_ms, record.value) for record in journal(shop, RECORDS, ORDERS)] == wanted
    assert whole["order"].nunique() == ORDERS


def test_what_is_held_up_comes_at_the_end_of_that_time_in_its_order(shop: Shop) -> None:
    usual = journal(shop, RECORDS, ORDERS)
    times = [record.timestamp_ms for record in usual if record.topic == "payments"]
    first, end = times[1], times[-1]
    late = journal(shop, RECORDS, ORDERS, held_up=("payments", first, end))
    assert sorted(late) == sorted(usual)
    held = [record for record in late if record.topic == "payments" and first <= record.timestamp_ms < end]
    assert [record.timestamp_ms for record in held] == times[1:-1]
    place = late.index(held[0])
    assert late[place : place + len(held)] == held
    assert late[place - 1].timestamp_ms < end <= late[place + len(held)].timestamp_ms


def test_sums_of_the_log_are_those_of_the_simulation_at_any_time(shop: Shop, whole: pd.DataFrame) -> None:
    really = truth(shop, RECORDS, ORDERS)
    assert len(really) == len(whole)
    for moment in really["time_ms"].quantile([0.1, 0.5, 0.9, 1.0]):
        assert balances(whole[whole["time_ms"] <= moment]) == balances(really[really["time_ms"] <= moment])
    assert set(balances(whole).values()) == {0}  # all orders have ended, and are settled
    assert statuses(whole) == dict(zip(really["order"], really["final_state"], strict=True))


def test_a_table_knows_the_highest_time_so_far_of_each_partition() -> None:
    records = [event(3, "placed", amount=1.0), event(1, "captured", 1), event(2, "paid")._replace(partition=1)]
    table = as_table(records)
    assert (table["time_ms"] - START).floordiv(MINUTE).tolist() == [3, 1, 2]
    assert (table["reached_ms"] - START).floordiv(MINUTE).tolist() == [3, 3, 2]
    assert table["by"].tolist() == ["orders", "payments", "orders"]
    assert table["reason"].tolist() == [""] * 3
    assert table["version"].isna().tolist() == [False, True, False]
    assert table[["partition", "offset", "customer", "order"]].to_numpy().tolist()[1] == [0, 1, "anna", "1"]


def test_the_highest_version_says_the_status_whatever_the_order() -> None:
    table = as_table([event(2, "paid", version=2), event(1, "placed", amount=9.99), event(3, "captured")])
    assert statuses(table) == {"1": "paid"}
    assert balances(table) == {"anna": 0}


def test_a_history_has_a_row_for_each_version_of_one_account() -> None:
    def rule(account: dict[str, Any], happened: Mapping[str, Any]) -> dict[str, Any]:
        return {"balance": account["balance"] + 999 * SIGNS.get(happened["event"], 0)}

    records = [
        event(0, "placed", 0, amount=9.99),
        event(90, "placed", 1, customer="ben", amount=5.0),
        event(61, "captured", 2),
        event(91, "paid", 3, version=2),
    ]
    table = history(records, "anna", rule, {"balance": 0})
    assert table["number"].tolist() == [1, 2, 3]
    assert table["offset"].tolist() == [0, 2, 3]
    assert table["time"].tolist() == ["03 March 00:00", "03 March 01:01", "03 March 01:31"]
    assert table["change"].tolist() == [-9.99, 9.99, 0.0]
    assert table["balance"].tolist() == [-9.99, 0.0, 0.0]
    # What others do moves the time of the partition on.
    assert (table["reached_ms"] - START).floordiv(MINUTE).tolist() == [0, 90, 91]
