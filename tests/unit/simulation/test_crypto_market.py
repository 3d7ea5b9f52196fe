"""What the docstrings claim of the true market; tolerances are five standard errors of the estimate."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from kafkalab.simulation.crypto_market import (
    COINS,
    CORRELATION,
    DAY_MS,
    REGIMES,
    Coin,
    Market,
    Stretch,
    latest,
    redraw_probability,
    switch,
)

TEN_MINUTES, YEAR_MS = 600_000, 365 * DAY_MS
SHARES = np.array([regime.share for regime in REGIMES])
FACTORS = np.array([regime.volatility for regime in REGIMES])
STEPS, REGIME_HOURS = 20_000, 2.0


def advance(market: Market, steps: int, seed: int = 1) -> Stretch:
    """Steps of ten minutes: each is a candle of its own."""
    return market.advance(np.random.default_rng(seed), steps * len(market._regime))


def new_market(
    coins: tuple[Coin, ...] = COINS, interval_ms: int = TEN_MINUTES, regime_hours: float = REGIME_HOURS
) -> Market:
    return Market(np.random.default_rng(0), coins, interval_ms, regime_hours)


@pytest.fixture(scope="module")
def stretch() -> Stretch:
    return advance(new_market(), STEPS)


@pytest.fixture(scope="module")
def shocks(stretch: Stretch) -> npt.NDArray[np.float64]:
    """Log returns over what their coin's regime makes of a step: standard normal, if the claims hold."""
    volatility = FACTORS[stretch.regime] * [coin.volatility for coin in COINS] * math.sqrt(TEN_MINUTES / YEAR_MS)
    shocks: npt.NDArray[np.float64] = np.diff(np.log(stretch.price), axis=0) / volatility[1:]
    return shocks


def test_the_catalogue() -> None:
    assert len({coin.id for coin in COINS}) == len({coin.symbol for coin in COINS}) == len(COINS) == 20
    assert SHARES.sum() == 1
    assert all(coin.price * 10**coin.decimals > 10_000 for coin in COINS), "quotes finer than a basis point"


def test_the_latest_change() -> None:
    changed = np.array([[0, 1], [1, 0], [0, 0], [1, 0]], bool)
    assert latest(changed).tolist() == [[0, 1], [2, 1], [2, 1], [4, 1]]


def test_switching_is_the_markov_chain_it_says() -> None:
    shares, redraw, steps = (0.7, 0.2, 0.1), 0.3, 400_000
    states = switch(np.random.default_rng(2), steps, np.zeros(1, np.int8), shares, redraw)[:, 0]
    for before, share in enumerate(shares):
        left = states[1:][states[:-1] == before]
        expected = redraw * np.array(shares) + (1 - redraw) * (np.arange(3) == before)
        error = np.sqrt(expected * (1 - expected) / len(left))
        assert (np.abs(np.bincount(left, minlength=3) / len(left) - expected) < 5 * error).all()
        # The share of time varies more than that of independent draws, since states stay: by (2 - redraw) / redraw.
        spread = math.sqrt(share * (1 - share) / steps * (2 - redraw) / redraw)
        assert abs((states == before).mean() - share) < 5 * spread


def test_switching_goes_on_from_the_current_state() -> None:
    current = np.array([2, 0, 1], np.int8)
    assert (switch(np.random.default_rng(0), 5, current, (0.4, 0.3, 0.3), 0.0) == current).all()


def test_two_short_steps_redraw_as_often_as_a_long_one() -> None:
    short = redraw_probability(10, 100)
    assert 1 - (1 - short) ** 2 == pytest.approx(redraw_probability(20, 100))
    assert short == pytest.approx(1 - math.exp(-0.1))


def test_time_in_each_regime(stretch: Stretch) -> None:
    draws = STEPS * len(COINS) * TEN_MINUTES / (REGIME_HOURS * 3_600_000)
    error = np.sqrt(2 * SHARES * (1 - SHARES) / draws)
    assert (np.abs(np.bincount(stretch.regime.ravel()) / stretch.regime.size - SHARES) < 5 * error).all()


def test_regimes_are_forgotten_in_the_time_it_says(stretch: Stretch) -> None:
    # The covariance of a regime with itself falls by a factor e in regime_hours, here 12 steps.
    turbulent = (stretch.regime == 2) - SHARES[2]
    fallen = (turbulent[12:] * turbulent[:-12]).mean() / turbulent.var()
    draws = stretch.regime.size / 12
    assert abs(fallen - math.exp(-1)) < 5 / math.sqrt(draws)


def test_volatility_of_each_coin_in_each_regime(stretch: Stretch, shocks: npt.NDArray[np.float64]) -> None:
    for coin in range(len(COINS)):
        for regime in range(len(REGIMES)):
            found = shocks[stretch.regime[1:, coin] == regime, coin]
            assert abs(found.std() - 1) < 5 / math.sqrt(2 * len(found)), (COINS[coin].id, REGIMES[regime].name)


def test_prices_have_no_drift(shocks: npt.NDArray[np.float64]) -> None:
    assert np.abs(shocks.mean(axis=0)).max() < 5 / math.sqrt(len(shocks))


def test_returns_are_normal_in_a_regime_and_fat_tailed_in_all(
    stretch: Stretch, shocks: npt.NDArray[np.float64]
) -> None:
    error = math.sqrt(24 / len(shocks))
    assert np.abs((shocks**4).mean(axis=0) / (shocks**2).mean(axis=0) ** 2 - 3).max() < 5 * error
    returns = np.diff(np.log(stretch.price), axis=0)
    mixed = 3 * (SHARES @ FACTORS**4) / (SHARES @ FACTORS**2) ** 2
    kurtosis = ((returns**4).mean(axis=0) / (returns**2).mean(axis=0) ** 2).mean()
    assert kurtosis == pytest.approx(mixed, rel=0.1)
    assert mixed > 8


def test_every_pair_of_coins_correlates(shocks: npt.NDArray[np.float64]) -> None:
    pairs = np.asarray(np.corrcoef(shocks.T))[np.triu_indices(len(COINS), 1)]
    assert np.abs(pairs - CORRELATION).max() < 5 * (1 - CORRELATION**2) / math.sqrt(len(shocks))


def test_shocks_do_not_remember(shocks: npt.NDArray[np.float64]) -> None:
    lagged = (shocks[1:] * shocks[:-1]).mean(axis=0)
    assert np.abs(lagged).max() < 5 / math.sqrt(len(shocks))


def test_no_hour_and_no_day_is_unlike_another(shocks: npt.NDArray[np.float64]) -> None:
    hour = np.arange(1, STEPS) // 6 % 24
    day = np.arange(1, STEPS) // 144 % 7
    for clock in (hour, day):
        means = [(shocks[clock == value] ** 2).mean(axis=0) for value in np.unique(clock)]
        fewest = np.bincount(clock).min()
        assert np.abs(np.array(means) - 1).max() < 5 * math.sqrt(2 / fewest)


@pytest.mark.parametrize(("interval_ms", "candle_steps"), [(TEN_MINUTES, 1), (20_000, 3), (7_000, 9)])
def test_change_is_against_the_candle_of_a_day_before(interval_ms: int, candle_steps: int) -> None:
    coins = COINS[:2]
    market = new_market(coins, interval_ms)
    candles = math.ceil(DAY_MS / (candle_steps * interval_ms))
    per_candle = candle_steps * len(coins)
    parts = [market.advance(np.random.default_rng(part), per_candle * candles // 4 * 3) for part in range(3)]
    price, change = (
        np.concatenate(columns) for columns in zip(*((part.price, part.change) for part in parts), strict=True)
    )
    steps = np.arange(candles * candle_steps + candle_steps, len(price))
    then = (steps // candle_steps - candles + 1) * candle_steps - 1
    expected = 100 * (price[steps] / price[then] - 1)
    assert len(steps) > 100
    np.testing.assert_allclose(change[steps], expected, atol=1e-4)
    assert np.abs(DAY_MS - (steps - then) * interval_ms).max() < candle_steps * interval_ms


@pytest.mark.parametrize("interval_ms", [10_000, TEN_MINUTES, 3_600_000])
@pytest.mark.parametrize("regime", range(len(REGIMES)))
def test_turnover_of_a_day_in_a_regime(interval_ms: int, regime: int) -> None:
    # With a regime that is never drawn anew; what is traded in 10 s is exponential, and thus in a day nearly normal.
    market = new_market(interval_ms=interval_ms, regime_hours=1e12)
    market._regime[:] = regime
    days = 2 * DAY_MS // interval_ms
    stretch = market.advance(np.random.default_rng(3), days * len(COINS))
    expected = np.array([coin.turnover for coin in COINS]) * REGIMES[regime].turnover
    window = (DAY_MS - max(0, 60_000 - interval_ms) / 2) / DAY_MS
    assert np.abs(stretch.volume[-1] / expected / window - 1).max() < 5 * math.sqrt(10_000 / DAY_MS) + 0.001
    assert (stretch.volume > 0).all()


def test_a_stretch_goes_on_where_the_last_one_ended() -> None:
    market = new_market()
    first, second = advance(market, 300, seed=1), advance(market, 300, seed=2)
    step = np.log(second.price[0] / first.price[-1])
    volatility = [coin.volatility * math.sqrt(TEN_MINUTES / YEAR_MS) * FACTORS.max() for coin in COINS]
    assert (np.abs(step) < 5 * np.array(volatility)).all()
    assert (second.volume[0] != first.volume[-1]).all()
    assert np.abs(second.volume[0] / first.volume[-1] - 1).max() < 0.2


def test_a_regime_goes_on_from_stretch_to_stretch() -> None:
    market = new_market(interval_ms=20_000)
    # Three hours each, in which most regimes are drawn anew.
    parts = [market.advance(np.random.default_rng(part), 540 * len(COINS)).regime for part in range(30)]
    first, last = (np.concatenate([part[[step]] for part in parts]) for step in (0, -1))
    assert (last[:-1] == first[1:]).mean() > 0.98
    assert (last == first).mean() < 0.7


def test_a_price_never_falls_to_nothing() -> None:
    doomed = Coin("doomed", "doom", "Doomed", 0.02, 2, 50.0, 1e6)
    price = advance(new_market((doomed,)), STEPS).price
    assert price.min() == 0.01
    assert np.isfinite(price).all()


def test_a_stretch_has_whole_candles() -> None:
    market = new_market(COINS[:4], interval_ms=20_000)
    assert [len(market.advance(np.random.default_rng(0), prices).price) for prices in (1, 12, 25, 47)] == [3, 3, 6, 9]
