from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from kafkalab.simulation.city_delivery import LATE_MS, Delivery
from kafkalab.simulation.source import Columns

SENSORS, EVERY_MS, MINUTES = 60, 60_000, 600
NONE: Columns = {"district": np.array([], int), "from_ms": np.array([], int), "to_ms": np.array([], int)}
ONE: Columns = {"district": np.array([1]), "from_ms": np.array([7_200_000]), "to_ms": np.array([8_100_000])}


def deliver(late: float = 0.0, duplicate: float = 0.0, outages: Columns = NONE, cuts: tuple[int, ...] = ()) -> Columns:
    """Deliver ten hours of readings, cut at these minutes, and what then still waits."""
    delivery, rng = Delivery(SENSORS, late, duplicate), np.random.default_rng(3)
    edges = [0, *cuts, MINUTES, 10 * MINUTES]
    parts = [delivery.send(rng, readings(*span), outages, span[1] * EVERY_MS) for span in itertools.pairwise(edges)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def readings(first: int, last: int) -> Columns:
    """Each sensor reads every minute of the first ten hours; a value tells the reading."""
    minute = np.arange(first, min(last, MINUTES))
    sensor = np.repeat(np.arange(SENSORS), len(minute))
    minutes = np.tile(minute, SENSORS)
    return {
        "sensor_id": sensor.astype(np.int16),
        "district": (sensor % 3).astype(np.int8),
        "measured_ms": minutes * EVERY_MS + sensor * 1000,
        "value": sensor * MINUTES + minutes,
    }


CUTS = [(), (1, 2, 30, 400)]


@pytest.mark.parametrize("cuts", CUTS, ids=str)
def test_nothing_is_lost_and_nothing_comes_before_it_was_measured(cuts: tuple[int, ...]) -> None:
    sent = deliver(late=0.1, duplicate=0.1, outages=ONE, cuts=cuts)
    assert (np.sort(sent["value"][~sent["duplicate"]]) == np.arange(SENSORS * MINUTES)).all()
    assert (np.diff(sent["timestamp_ms"]) >= 0).all()
    assert (sent["timestamp_ms"] >= sent["measured_ms"] + 50).all()


def test_the_usual_way_takes_a_third_of_a_second() -> None:
    sent = deliver()
    way = sent["timestamp_ms"] - sent["measured_ms"]
    assert way.mean() == pytest.approx(350, abs=4 * 300 / len(way) ** 0.5 + 0.5)
    assert way.std() == pytest.approx(300, rel=0.03)
    assert way.min() == 50
    assert not (sent["late"] | sent["duplicate"] | sent["out_of_order"]).any()


def test_late_readings() -> None:
    sent = deliver(late=0.1)
    way = sent["timestamp_ms"] - sent["measured_ms"]
    assert (sent["late"] == (way > LATE_MS)).all()
    count = len(way)
    assert sent["late"].mean() == pytest.approx(0.1, abs=4 * (0.1 * 0.9 / count) ** 0.5)
    extra = way[sent["late"]] - LATE_MS
    assert extra.mean() == pytest.approx(300_000 * (1 - np.exp(-6)), rel=4 / len(extra) ** 0.5)


def test_a_duplicate_is_a_reading_that_was_sent_before() -> None:
    sent = pd.DataFrame(deliver(late=0.05, duplicate=0.1, outages=ONE, cuts=(100, 101)))
    assert (sent["duplicate"] == sent.duplicated("value")).all()
    count = SENSORS * MINUTES
    assert sent["duplicate"].sum() == pytest.approx(0.1 * count, abs=4 * (0.1 * 0.9 * count) ** 0.5)
    assert sent.groupby("value").size().max() == 2


def test_a_duplicate_follows_after_seconds() -> None:
    sent = pd.DataFrame(deliver(duplicate=0.1))
    gap = sent[sent["duplicate"]].set_index("value")["timestamp_ms"]
    gap -= sent[~sent["duplicate"]].set_index("value")["timestamp_ms"]
    assert gap.min() >= 1000
    assert gap.mean() == pytest.approx(21_000, abs=4 * 20_000 / len(gap) ** 0.5)


@pytest.mark.parametrize("cuts", CUTS, ids=str)
def test_out_of_order_is_what_a_newer_reading_overtook(cuts: tuple[int, ...]) -> None:
    sent = pd.DataFrame(deliver(late=0.1, duplicate=0.1, outages=ONE, cuts=cuts))
    newest = sent.groupby("sensor_id")["measured_ms"].cummax()
    assert (sent["out_of_order"] == (sent["measured_ms"] < newest)).all()
    assert 0.05 < sent["out_of_order"].mean() < 0.3


@pytest.mark.parametrize("cuts", [(), (121, 130)], ids=str)
def test_an_outage_keeps_a_districts_readings_and_then_sends_them_in_order(cuts: tuple[int, ...]) -> None:
    sent = pd.DataFrame(deliver(outages=ONE, cuts=cuts))
    hit = sent[sent["district"] == 1]
    during = hit["timestamp_ms"].between(7_200_000, 8_100_000, inclusive="left")
    assert not during.any()
    assert (sent["district"] == 0).any()
    flushed = hit[hit["timestamp_ms"].between(8_100_000, 8_115_000) & (hit["measured_ms"] < 8_100_000)]
    assert len(flushed) == pytest.approx(15 * SENSORS / 3, abs=3)
    # All that was sent more than a minute before the end is late, and nothing overtook anything.
    assert (flushed["late"] == (flushed["timestamp_ms"] - flushed["measured_ms"] > LATE_MS)).all()
    assert flushed["late"].mean() > 0.9
    assert not sent["out_of_order"].any()
    assert not sent.loc[sent["district"] != 1, "late"].any()


def test_always_late_and_always_twice() -> None:
    sent = deliver(late=1.0, duplicate=1.0)
    assert sent["late"].all()
    way = (sent["timestamp_ms"] - sent["measured_ms"])[~sent["duplicate"]]
    assert LATE_MS + 1_800_000 < way.max() < LATE_MS + 1_800_000 + 10_000  # half an hour at most
    assert sent["duplicate"].sum() == SENSORS * MINUTES
