from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest

from benchmarks.plain import crypto as plain
from kafkalab.errors import InvalidArgument
from kafkalab.simulation.crypto import Crypto, Quote
from kafkalab.simulation.crypto_feeds import FEEDS
from kafkalab.simulation.crypto_market import COINS

TOPIC = "crypto-price-updates"
ROWS = 60_000  # more than the first blocks, which are small
VALUE = list(Quote._fields)


@pytest.fixture(scope="module")
def source() -> Crypto:
    return Crypto(seed=4)


@pytest.fixture(scope="module")
def frame(source: Crypto) -> pd.DataFrame:
    return source.frame(ROWS)


@pytest.fixture(scope="module")
def truth(source: Crypto) -> pd.DataFrame:
    return source.truth(ROWS)


def test_records_and_frame_are_the_same(source: Crypto, frame: pd.DataFrame) -> None:
    n = 5000
    records = list(source.records(n))
    decoded = pd.DataFrame([orjson.loads(record.value) for record in records])
    assert list(decoded.columns) == VALUE
    expected = frame.head(n)[VALUE].astype({"coin_id": object, "symbol": object, "source": object})
    pd.testing.assert_frame_equal(decoded.astype(expected.dtypes.to_dict()), expected, check_exact=True)
    assert [record.timestamp_ms for record in records] == frame["timestamp_ms"].head(n).tolist()
    assert [record.key for record in records] == [coin.encode() for coin in frame["coin_id"].head(n)]
    assert {record.topic for record in records} == {TOPIC}


def test_the_first_record() -> None:
    # Written out, so that a change of the model, or another machine, cannot change the records unseen.
    first = next(Crypto(seed=0).records(1))
    assert (first.topic, first.key, first.timestamp_ms) == (TOPIC, b"dogecoin", 1740960000339)
    assert orjson.loads(first.value) == {
        "coin_id": "dogecoin",
        "symbol": "doge",
        "source": "coinatlas",
        "price_usd": 0.195907,
        "change_24h_pct": 0.38,
        "volume_24h_usd": 2199732646,
        "last_updated_ms": 1740960000200,
    }


def test_columns(frame: pd.DataFrame, truth: pd.DataFrame) -> None:
    whole = {"volume_24h_usd": "int64", "last_updated_ms": "int64", "timestamp_ms": "int64"}
    real = {"price_usd": "float64", "change_24h_pct": "float64"}
    texts = dict.fromkeys(["topic", "coin_id", "symbol", "source"], "category")
    assert frame.dtypes.astype(str).to_dict() == whole | real | texts
    expected = {"regime": "category", "true_price_usd": "float64", "frozen": "bool"}
    assert truth.dtypes.astype(str).to_dict() == expected


def test_a_seed_decides_and_n_does_not(source: Crypto, frame: pd.DataFrame, truth: pd.DataFrame) -> None:
    assert list(source.records(700)) == list(Crypto(seed=4).records(3000))[:700]
    assert list(source.records(9)) != list(Crypto(seed=5).records(9))
    for n in (1, 3000, 20_000):
        pd.testing.assert_frame_equal(source.frame(n), frame.head(n))
        pd.testing.assert_frame_equal(source.truth(n), truth.head(n))


def test_time_never_goes_back_and_quotes_are_from_the_past(frame: pd.DataFrame) -> None:
    assert frame["timestamp_ms"].is_monotonic_increasing
    assert frame["timestamp_ms"].iloc[0] >= Crypto().start_ms
    assert (frame["last_updated_ms"] < frame["timestamp_ms"]).all()
    updated = frame.groupby(["coin_id", "source"], observed=True)["last_updated_ms"]
    assert updated.is_monotonic_increasing.all()


def test_every_source_is_asked_for_every_coin_once_per_interval(source: Crypto, frame: pd.DataFrame) -> None:
    step = (frame["timestamp_ms"] - source.start_ms) // 10_000
    counts = frame.groupby([step, "source", "coin_id"], observed=True).size()
    assert (counts == 1).all()
    assert len(counts) == ROWS
    assert step.max() == ROWS // 30 - 1


def test_trade_goes_on_around_the_clock() -> None:
    # A fortnight from a Monday: as many records in each hour of each day.
    crypto = Crypto(interval_s=600, coins=2, sources=1)
    times = pd.to_datetime(crypto.frame(2 * 6 * 24 * 14)["timestamp_ms"], unit="ms")
    assert times.groupby([times.dt.day_of_week, times.dt.hour]).size().tolist() == [24] * 7 * 24


def test_prices_lie_where_the_sources_table_says(source: Crypto, frame: pd.DataFrame, truth: pd.DataFrame) -> None:
    # A quote is older than the truth beside it, by moves that the coins share: the error of the mean is thus taken
    # from the spread of the means of forty stretches.
    deviation = 1e4 * (frame["price_usd"] / truth["true_price_usd"] - 1)
    stretches = deviation.to_frame("deviation").assign(source=frame["source"], stretch=np.arange(ROWS) * 40 // ROWS)
    means = stretches.pivot_table("deviation", "source", "stretch", observed=True)
    error = means.std(axis=1) / np.sqrt(40)
    bias = source.sources.set_index("source")["bias_bp"]
    assert (bias.abs() >= 3).all()
    assert (error < 0.6).all()
    assert ((means.mean(axis=1) - bias).abs() < 5 * error).all()


def test_a_hanging_source_gives_itself_away_by_its_last_update() -> None:
    hanging = Crypto(seed=4, frozen_share=0.2)
    frame, frozen = hanging.frame(ROWS), hanging.truth(ROWS)["frozen"]
    assert 0.1 < frozen.mean() < 0.3
    age_ms = frame["timestamp_ms"] - frame["last_updated_ms"]
    assert age_ms[~frozen].median() < 20_000
    assert age_ms[frozen].median() > 60_000
    quotes = frame.groupby(["coin_id", "source"], observed=True)
    repeated = quotes[VALUE[3:]].diff().eq(0).all(axis=1)
    assert repeated[frozen & (quotes.cumcount() > 0)].all()


def test_values_are_rounded_and_positive(source: Crypto, frame: pd.DataFrame) -> None:
    decimals = frame["coin_id"].astype(object).map(source.coins.set_index("coin_id")["decimals"])
    ticks = frame["price_usd"] * 10.0**decimals
    assert np.allclose(ticks, ticks.round(), atol=1e-6, rtol=0)
    assert (frame[["price_usd", "volume_24h_usd"]] > 0).all(axis=None)
    assert (frame["change_24h_pct"].round(2) == frame["change_24h_pct"]).all()


def test_the_tables_of_coins_and_sources(source: Crypto, frame: pd.DataFrame) -> None:
    assert source.coins["coin_id"].tolist() == [coin.id for coin in COINS[:10]]
    pairs = frame[["coin_id", "symbol"]].astype(object).drop_duplicates().sort_values("coin_id")
    known = source.coins[["coin_id", "symbol"]].sort_values("coin_id")
    assert pairs.to_numpy().tolist() == known.to_numpy().tolist()
    assert source.sources["source"].tolist() == [feed.name for feed in FEEDS[:3]]
    assert source.sources["noise_bp"].tolist() == [feed.noise_bp for feed in FEEDS[:3]]


def test_ticks_say_what_records_say(source: Crypto, frame: pd.DataFrame, truth: pd.DataFrame) -> None:
    rows = pd.concat([frame, truth], axis=1).head(30 * 200)
    rows["step"] = (rows["timestamp_ms"] - source.start_ms) // 10_000
    told: dict[tuple[Any, ...], Any] = {}
    for number, tick in enumerate(itertools.islice(source.ticks(), 200)):
        assert tick.time_ms == source.start_ms + 10_000 * number
        for name, quotes in tick.quotes.items():
            told |= {(number, name, coin): (quote, tick.true_price_usd[coin]) for coin, quote in quotes.items()}
    assert len(told) == len(rows)
    for row in rows.itertuples():
        quote = Quote(*(getattr(row, name) for name in VALUE))
        assert told[row.step, row.source, row.coin_id] == (quote, row.true_price_usd)


def test_true_prices_are_those_beside_the_records(source: Crypto, frame: pd.DataFrame, truth: pd.DataFrame) -> None:
    prices = source.true_prices(ROWS // 30)
    assert prices.dtypes.astype(str).tolist() == ["int64", "category", "float64", "category"]
    market = prices.set_index(["time_ms", "coin_id"])
    time_ms = frame["timestamp_ms"] - (frame["timestamp_ms"] - source.start_ms) % 10_000
    beside = market.loc[pd.MultiIndex.from_arrays([time_ms, frame["coin_id"]])].reset_index(drop=True)
    assert (beside["price_usd"] == truth["true_price_usd"]).all()
    assert (beside["regime"].astype(object) == truth["regime"].astype(object)).all()
    pd.testing.assert_frame_equal(source.true_prices(7), prices.head(70))
    assert len(source.true_prices(0)) == 0


def test_the_market_does_not_hang_on_who_reports_it(source: Crypto) -> None:
    other = Crypto(seed=4, sources=1, disagreement=3, frozen_share=0.5)
    pd.testing.assert_frame_equal(source.true_prices(500), other.true_prices(500))


def test_no_block_repeats_another(source: Crypto) -> None:
    *_, (market, quotes), (market_after, quotes_after) = itertools.islice(source._quoted(), 12)
    returns = [np.diff(np.log(part.price), axis=0).ravel() for part in (market, market_after)]
    latency = [np.diff(part.arrived_ms, axis=0).ravel() for part in (quotes, quotes_after)]
    for pair in (returns, latency):
        assert abs(np.corrcoef(pair)[0, 1]) < 0.05


def test_agreement_and_disagreement() -> None:
    agreeing = Crypto(seed=1, disagreement=0, frozen_share=0)
    assert agreeing.sources[["bias_bp", "noise_bp"]].eq(0).all(axis=None)
    assert not agreeing.truth(5000)["frozen"].any()
    ratio = Crypto(seed=1, disagreement=2.5).sources["bias_bp"] / Crypto(seed=1).sources["bias_bp"]
    assert ratio.to_numpy() == pytest.approx(2.5)


def test_coins_by_name() -> None:
    crypto = Crypto(coins=["solana", "bitcoin"], sources=2, start="2025-01-01")
    assert crypto.coins["symbol"].tolist() == ["sol", "btc"]
    tick = next(crypto.ticks())
    assert list(tick.quotes["meridian"]) == list(tick.true_price_usd) == ["solana", "bitcoin"]
    assert 100 < tick.quotes["coinatlas"]["solana"].price_usd < 200
    assert tick.time_ms == crypto.start_ms == 1735689600000


@pytest.mark.parametrize("options", [{"interval_s": 1, "coins": 20, "sources": 5}, {"interval_s": 3600}, {"coins": 1}])
def test_the_first_block_is_small_and_none_is_large(options: dict[str, int]) -> None:
    lengths = [len(block) for block in itertools.islice(Crypto(**options)._blocks(), 12)]  # type: ignore[arg-type]
    assert lengths[0] <= 6000
    assert 15_000 <= lengths[-1] <= 100_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"coins": 0}, "coins=0 is not possible: give a whole number from 1 to 20."),
        ({"coins": 21}, "coins=21 is not possible: give a whole number from 1 to 20."),
        ({"coins": "bitcoin"}, "coins='bitcoin' is not possible: give a whole number from 1 to 20."),
        ({"coins": 2.0}, "coins=2.0 is not possible: give a whole number from 1 to 20."),
        ({"coins": ["bitcoin", "gold"]}, "coins=['bitcoin', 'gold'] has 'gold', which is not one of bitcoin, eth"),
        ({"coins": [["bitcoin"]]}, "coins=[['bitcoin']] has ['bitcoin'], which is not one of bitcoin, ethereum"),
        ({"coins": []}, "coins=[] is not possible: give one id or more, each once."),
        ({"coins": ["tron", "tron"]}, "coins=['tron', 'tron'] is not possible: give one id or more, each once."),
        ({"sources": 6}, "sources=6 is not possible: give a whole number from 1 to 5."),
        ({"sources": True}, "sources=True is not possible: give a whole number from 1 to 5."),
        ({"interval_s": 0.9}, "interval_s=0.9 is not possible: give a number from 1 to 3,600."),
        ({"interval_s": "10"}, "interval_s='10' is not possible: give a number from 1 to 3,600."),
        ({"regime_hours": 0}, "regime_hours=0 is not possible: give a number from 0.01 to 10,000."),
        ({"regime_hours": float("inf")}, "regime_hours=inf is not possible"),
        ({"disagreement": -1}, "disagreement=-1 is not possible: give a number from 0 to 20."),
        ({"disagreement": float("nan")}, "disagreement=nan is not possible"),
        ({"frozen_share": 1.0}, "frozen_share=1.0 is not possible: give a number from 0 to 0.9."),
        ({"seed": -1}, "seed=-1 is not possible"),
    ],
)
def test_what_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        Crypto(**options)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("steps", [-1, 2.5, None, True])
def test_a_number_of_steps_that_cannot_be(steps: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"steps=.* is not possible"):
        Crypto().true_prices(steps)


def test_the_plain_loop_tells_the_same_story() -> None:
    rows = [(topic, key.decode(), time, orjson.loads(value)) for topic, key, value, time in plain.records(3, 30_000)]
    values = pd.DataFrame([value for *_, value in rows])
    assert len(rows) == 30_000
    assert list(values.columns) == VALUE
    assert {topic for topic, *_ in rows} == {TOPIC}
    assert [key for _, key, *_ in rows] == values["coin_id"].tolist()
    assert pd.Series([time for _, _, time, _ in rows]).is_monotonic_increasing
    ours = Crypto().frame(30_000)
    assert set(values["source"]) == set(ours["source"])
    middle = [data.groupby("coin_id", observed=True)["price_usd"].median() for data in (values, ours)]
    assert (middle[0] / middle[1] - 1).abs().max() < 0.5
