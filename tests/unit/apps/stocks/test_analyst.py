from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kafkalab.apps import Received, as_frame
from kafkalab.apps.stocks import Analyst, Candle
from kafkalab.simulation import Stocks
from tests.unit.apps.conftest import received, run

N = 15_000


@pytest.fixture(scope="module")
def candles() -> pd.DataFrame:
    return as_frame(Candle, run(Analyst, received(Stocks(), N)))


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    frame = Stocks().frame(N)
    return frame.assign(minute=pd.to_datetime(frame["timestamp_ms"], unit="ms"), symbol=frame["symbol"].astype(str))


def test_candles_are_those_of_pandas(candles: pd.DataFrame, frame: pd.DataFrame) -> None:
    prices = frame[frame["topic"] == "stock-prices"].set_index("minute").groupby("symbol")
    wanted = prices["price"].resample("1min").ohlc().dropna()
    wanted["volume"] = prices["size"].resample("1min").sum()
    wanted["trades"] = prices["size"].resample("1min").count()
    seen = candles.assign(minute=pd.to_datetime(candles["time_ms"], unit="ms")).set_index(["symbol", "minute"])
    pd.testing.assert_frame_equal(
        seen[wanted.columns].sort_index(), wanted.sort_index(), check_dtype=False, check_index_type=False
    )


def test_volumes_are_those_the_exchanges_told(candles: pd.DataFrame, frame: pd.DataFrame) -> None:
    told = frame[frame["topic"] == "trading-volumes"]
    columns = ["symbol", "window_start_ms", "trades", "volume"]
    both = told[columns].merge(candles, left_on=columns[:2], right_on=["symbol", "time_ms"], how="left")
    assert len(both) > 1000
    assert (both["volume_x"] == both["volume_y"]).all()
    assert (both["trades_x"] == both["trades_y"]).all()


def test_averages_and_volatility_are_those_of_pandas(candles: pd.DataFrame) -> None:
    for _, own in candles.groupby("symbol"):
        average = own["close"].rolling(20, min_periods=1).mean()
        np.testing.assert_allclose(own["moving_average"], average, rtol=1e-12)
        volatility = np.log(own["close"]).diff().rolling(20, min_periods=5).std()
        np.testing.assert_allclose(own["volatility"], volatility, rtol=1e-6, atol=1e-12)


def test_a_candle_is_given_with_the_first_trade_after_its_minute() -> None:
    trades = [(1_000, 10.0), (59_999, 12.0), (60_000, 11.0)]
    records = [
        Received("stock-prices", 0, offset, "A", {"symbol": "A", "price": price, "size": 5}, time)
        for offset, (time, price) in enumerate(trades)
    ]
    outputs = run(Analyst, records[:2])
    assert outputs == [Candle(0, "A", 10.0, 12.0, 10.0, 12.0, 10, 2, 12.0, None)]
    assert run(Analyst, records)[0] == outputs[0]
