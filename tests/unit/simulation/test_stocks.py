from __future__ import annotations

import datetime as dt
import json
from itertools import islice, pairwise

import numpy as np
import orjson
import pandas as pd
import pytest

from benchmarks.plain import stocks as plain
from kafkalab.errors import InvalidArgument
from kafkalab.simulation.source import Source
from kafkalab.simulation.stocks import Stocks

OPEN_MS = 1_672_651_800_000  # 2023-01-02 09:30 UTC
ROWS = 90_000  # more than two blocks


def test_it_opens_on_a_monday_morning_in_the_past() -> None:
    frame = Stocks().frame(1000)
    first = pd.Timestamp(frame["timestamp_ms"].iloc[0], unit="ms", tz="UTC")
    assert first.day_name() == "Monday"
    assert dt.time(9, 30) <= first.time() < dt.time(9, 31)
    assert frame["timestamp_ms"].iloc[0] >= Stocks().start_ms == OPEN_MS


def test_time_never_goes_back_and_stays_within_sessions() -> None:
    times = Stocks().frame(ROWS)["timestamp_ms"].to_numpy()
    assert (np.diff(times) >= 0).all()
    in_day = (times - OPEN_MS) % 86_400_000
    assert in_day.max() == 6.5 * 3_600_000  # the last minute's volumes, at 16:00 sharp
    assert (np.diff(times) == 0).any()
    days = pd.to_datetime(np.unique(times // 86_400_000), unit="D")
    assert days.tolist() == pd.bdate_range("2023-01-02", periods=len(days)).tolist()
    assert len(days) > 5
    assert (times < OPEN_MS + 5 * 86_400_000).sum() / 5 == pytest.approx(17_000, rel=0.06)


def test_a_start_in_a_session_is_where_trading_begins() -> None:
    frame = Stocks(start="2024-05-03T15:58:30Z").frame(500)
    times = pd.to_datetime(frame["timestamp_ms"], unit="ms").dt.strftime("%a %H:%M")
    assert times.unique()[:4].tolist() == ["Fri 15:59", "Fri 16:00", "Mon 09:30", "Mon 09:31"]


@pytest.mark.parametrize("source", [Stocks(seed=3), Stocks(seed=4, symbols=3, trades_per_session=50)])
def test_records_and_frame_are_the_same(source: Source) -> None:
    frame = source.frame(5000)
    columns = frame.astype(object).where(frame.notna(), None)
    for record, row in zip(source.records(5000), columns.to_dict("records"), strict=True):
        plan = source.topics[record.topic]
        assert (record.topic, record.timestamp_ms) == (row["topic"], row["timestamp_ms"])
        assert record.key == str(row["symbol"]).encode()
        assert orjson.loads(record.value) == {name: row[name] for name in plan.fields}
        assert None not in orjson.loads(record.value).values()
    assert set(frame["topic"]) == set(source.topics)


def test_a_column_is_missing_where_the_topic_has_no_such_field() -> None:
    frame = Stocks().frame(5000)
    for topic, rows in frame.groupby("topic", observed=True):
        fields = {"topic", "timestamp_ms", *Stocks.topics[str(topic)].fields}
        present = rows.notna()
        assert set(frame.columns[present.any()]) == set(frame.columns[present.all()]) == fields


def test_a_seed_decides() -> None:
    records = list(Stocks(seed=1).records(3000))
    assert records == list(Stocks(seed=1).records(3000))
    assert records != list(Stocks(seed=2).records(3000))
    assert not Stocks(seed=1).symbols.equals(Stocks(seed=2).symbols)


def test_the_first_records_do_not_depend_on_how_many_are_asked_for() -> None:
    source = Stocks()
    whole, truth = source.frame(ROWS), source.truth(ROWS)
    for n in (0, 10, 60_000):
        pd.testing.assert_frame_equal(source.frame(n), whole.head(n))
        pd.testing.assert_frame_equal(source.truth(n), truth.head(n))


def test_volumes_are_the_sums_of_the_trades_of_their_minute() -> None:
    frame = Stocks().frame(ROWS)
    last_minute = frame["timestamp_ms"].iloc[-1] // 60_000 * 60_000
    trades = frame[(frame["topic"] == "stock-prices") & (frame["timestamp_ms"] < last_minute)]
    # In whole cents, where sums are exact.
    trades = trades.assign(cents=(trades["price"] * 100).round().astype(int) * trades["size"].astype(int))
    window = (trades["timestamp_ms"] // 60_000 * 60_000).rename("window_start_ms")
    sums = trades.groupby([window, "symbol", "exchange"], observed=True).agg(
        trades=("size", "size"), volume=("size", "sum"), cents=("cents", "sum")
    )
    reported = frame[(frame["topic"] == "trading-volumes") & (frame["window_start_ms"] < last_minute)]
    assert (reported["timestamp_ms"] == reported["window_start_ms"] + 60_000).all()
    reported = reported.set_index(["window_start_ms", "symbol", "exchange"])
    assert len(reported) == len(sums) > 15_000
    sums = sums.reindex(reported.index)
    assert (reported["trades"] == sums["trades"]).all()
    assert (reported["volume"] == sums["volume"]).all()
    assert (reported["turnover"] == sums["cents"] / 100).all()


def test_each_exchange_numbers_its_trades_without_gaps() -> None:
    frame = Stocks().frame(ROWS)
    for _, ids in frame.dropna(subset="trade_id").groupby("exchange", observed=True)["trade_id"]:
        assert ids.tolist() == list(range(1, len(ids) + 1))
        assert len(ids) > 10_000


def test_a_symbol_is_listed_on_one_exchange() -> None:
    source = Stocks()
    listed = source.frame(20_000).groupby("symbol", observed=True)["exchange"].unique()
    expected = source.symbols.set_index("symbol")["exchange"]
    assert {symbol: list(found) for symbol, found in listed.items()} == {s: [e] for s, e in expected.items()}
    assert set(expected) == {"EAST", "WEST"}


def test_prices_begin_at_the_listed_ones_and_stay_above_nothing() -> None:
    source = Stocks(seed=9, jumps_per_session=10, news_per_session=100, news_impact=0.1, trades_per_session=20)
    frame = source.frame(400_000)
    prices = frame.dropna(subset="price")
    assert prices["price"].min() >= 0.01
    assert (np.rint(prices["price"] * 100) / 100 == prices["price"]).all()
    first = Stocks().frame(3000).dropna(subset="price").groupby("symbol", observed=True)["price"].first()
    listed = Stocks().symbols.set_index("symbol")["price"].reindex(first.index.astype(str))
    np.testing.assert_allclose(first, listed, rtol=0.02)


def test_the_truth_stands_beside_the_records() -> None:
    source = Stocks()
    frame, truth = source.frame(20_000), source.truth(20_000)
    assert list(truth.columns) == ["efficient_price", "jump", "impact"]
    assert ((frame["topic"] == "news-sentiment") == truth["impact"].notna()).all()
    assert truth["jump"].notna().all()
    assert abs(frame["price"] / truth["efficient_price"] - 1).max() < 0.001


def test_tables_of_the_market_are_copies() -> None:
    source = Stocks()
    table = source.symbols
    table["beta"] = 99.0
    assert source.symbols["beta"].max() < 2
    assert source.agencies["error"].tolist() == pytest.approx([0.001, 0.005, 0.015])
    assert source.correlation.shape == (12, 12)
    assert (len(source.rhythm), source.rhythm.index.name) == (390, "minute")


@pytest.mark.parametrize(
    ("source", "most"),
    [
        (Stocks(), 60_000),
        (Stocks(symbols=1, trades_per_session=1), 1000),
        (Stocks(symbols=100, news_per_session=100, news_minutes=390), 130_000),
        (Stocks(symbols=100, trades_per_session=50_000), 150_000),  # at the open
    ],
)
def test_a_block_has_a_bounded_number_of_rows(source: Stocks, most: int) -> None:
    rows = [len(block) for block in islice(source._blocks(), 4)]
    assert 0 < max(rows) < most


def test_no_news_and_no_jumps() -> None:
    source = Stocks(news_per_session=0, jumps_per_session=0)
    assert set(source.frame(ROWS)["topic"]) == {"stock-prices", "trading-volumes"}
    assert (source.truth(ROWS)["jump"] == 0).all()


@pytest.mark.parametrize(
    ("argument", "values"),
    [
        ("symbols", [0, 101, 2.0, True, "12", None, np.float32(3)]),
        ("trades_per_session", [0, 0.5, 100_001, float("nan"), float("inf"), "many"]),
        ("news_per_session", [-1, 101, None]),
        ("jumps_per_session", [-0.1, 11]),
        ("news_impact", [-0.01, 0.2]),
        ("news_minutes", [0, 0.99, 391, True]),
    ],
)
def test_arguments_that_cannot_be(argument: str, values: list[object]) -> None:
    for value in values:
        with pytest.raises(InvalidArgument, match=rf"^{argument}=.* is not possible: give a .*number from .* to .*\.$"):
            Stocks(**{argument: value})  # type: ignore[arg-type]


def test_arguments_at_their_bounds() -> None:
    least = Stocks(symbols=1, trades_per_session=1, news_per_session=0, jumps_per_session=0, news_impact=0,
                   news_minutes=1)  # fmt: skip
    most = Stocks(symbols=100, trades_per_session=1000.0, news_per_session=100, jumps_per_session=10,
                  news_impact=0.1, news_minutes=390)  # fmt: skip
    for source in (least, most):
        frame = source.frame(300)
        assert len(frame) == 300
        assert np.isfinite(frame["price"].dropna()).all()


def test_the_plain_loop_sends_the_same_topics_and_fields() -> None:
    lines = list(plain.records(1, 6000))
    fields = {topic: tuple(json.loads(value)) for topic, _, value, _ in lines}
    assert fields == {topic: plan.fields for topic, plan in Stocks.topics.items()}
    assert all(json.loads(value)["symbol"].encode() == key for _, key, value, _ in islice(lines, 100))
    assert all(before[3] <= after[3] for before, after in pairwise(lines))
    ours = list(Stocks().records(6000))
    assert OPEN_MS < lines[0][3] < OPEN_MS + 10_000
    # The same model has as many records in as much time.
    assert (lines[-1][3] - OPEN_MS) == pytest.approx(ours[-1].timestamp_ms - OPEN_MS, rel=0.2)
