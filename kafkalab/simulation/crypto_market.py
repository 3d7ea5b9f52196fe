"""The true market behind :class:`kafkalab.simulation.crypto.Crypto`: coins, volatility regimes, prices and turnover.

Everything is an array of steps by coins; a market is advanced stretch by stretch and carries its state from one to
the next.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = [
    "COINS",
    "CORRELATION",
    "DAY_MS",
    "REGIMES",
    "Coin",
    "Market",
    "Regime",
    "Stretch",
    "latest",
    "redraw_probability",
    "switch",
]

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
_YEAR_MS = 365 * DAY_MS  # coins trade on every day of the year
_CANDLE_MS = 60_000
_GAMMA_MS = 10_000  # over which dollars traded are distributed exponentially

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int8]
Rows = npt.NDArray[np.intp]


class Coin(NamedTuple):
    """A coin, under the id and symbol that CoinGecko has for it.

    Attributes:
        id: such as ``bitcoin``.
        symbol: such as ``btc``.
        name: such as ``Bitcoin``.
        price: US dollars a day before the start, about those of March 2025.
        decimals: of a quoted price.
        volatility: standard deviation of the log return over a year in the regime ``normal``.
        turnover: US dollars traded everywhere on a day in the regime ``normal``.
    """

    id: str
    symbol: str
    name: str
    price: float
    decimals: int
    volatility: float
    turnover: float


COINS = (
    Coin("bitcoin", "btc", "Bitcoin", 86_000.0, 2, 0.45, 4.5e10),
    Coin("ethereum", "eth", "Ethereum", 2_150.0, 2, 0.65, 2.2e10),
    Coin("ripple", "xrp", "XRP", 2.40, 4, 0.85, 7.0e9),
    Coin("binancecoin", "bnb", "BNB", 575.0, 2, 0.50, 1.8e9),
    Coin("solana", "sol", "Solana", 142.0, 2, 0.80, 5.5e9),
    Coin("dogecoin", "doge", "Dogecoin", 0.195, 6, 0.95, 2.4e9),
    Coin("cardano", "ada", "Cardano", 0.82, 5, 0.85, 2.5e9),
    Coin("tron", "trx", "TRON", 0.232, 6, 0.60, 7.0e8),
    Coin("chainlink", "link", "Chainlink", 14.2, 3, 0.80, 9.0e8),
    Coin("avalanche-2", "avax", "Avalanche", 20.5, 3, 0.85, 4.5e8),
    Coin("stellar", "xlm", "Stellar", 0.29, 6, 0.80, 3.5e8),
    Coin("litecoin", "ltc", "Litecoin", 104.0, 2, 0.70, 9.0e8),
    Coin("polkadot", "dot", "Polkadot", 4.3, 4, 0.75, 3.2e8),
    Coin("bitcoin-cash", "bch", "Bitcoin Cash", 390.0, 2, 0.80, 5.0e8),
    Coin("monero", "xmr", "Monero", 218.0, 2, 0.55, 1.0e8),
    Coin("uniswap", "uni", "Uniswap", 7.2, 4, 0.95, 3.5e8),
    Coin("near", "near", "NEAR Protocol", 2.8, 4, 0.95, 2.6e8),
    Coin("aptos", "apt", "Aptos", 5.6, 4, 0.90, 2.4e8),
    Coin("shiba-inu", "shib", "Shiba Inu", 1.32e-5, 10, 0.90, 3.0e8),
    Coin("pepe", "pepe", "Pepe", 6.9e-6, 11, 1.20, 9.0e8),
)


class Regime(NamedTuple):
    """A state that a coin's market may be in.

    Attributes:
        name: what lessons call it.
        share: of the time that a coin spends in it.
        volatility: factor on the coin's volatility.
        turnover: factor on the coin's turnover.
    """

    name: str
    share: float
    volatility: float
    turnover: float


REGIMES = (Regime("calm", 0.5, 0.5, 0.7), Regime("normal", 0.35, 1.0, 1.0), Regime("turbulent", 0.15, 2.5, 2.2))

#: Of the log returns of any two coins, in whatever regimes they are.
CORRELATION = 0.65


def latest(changed: npt.NDArray[np.bool_]) -> Rows:
    """Return for each step the step of the latest change up to it, counted from 1; 0 where there was none yet.

    Args:
        changed: steps along the first axis.
    """
    steps = np.arange(1, len(changed) + 1).reshape(-1, *[1] * (changed.ndim - 1))
    return np.maximum.accumulate(np.where(changed, steps, 0), axis=0)


def switch(rng: np.random.Generator, steps: int, current: Codes, shares: Sequence[float], redraw: float) -> Codes:
    """Advance independent Markov chains, and return their states, steps by chains.

    At each step a chain's state is drawn anew by ``shares`` with the probability ``redraw``, else it stays. Those are
    the Markov chains whose next state, if there is one, does not hang on the state left; that makes ``shares`` the
    stationary distribution, and every two-state chain is one of them.

    Args:
        rng: the generator to draw from.
        steps: how many.
        current: the states before the first step.
        shares: probabilities of the states; they sum to 1.
        redraw: probability of a new draw at a step.
    """
    shape = (steps, len(current))
    rows = latest(rng.random(shape) < redraw)
    drawn = np.searchsorted(np.cumsum(shares)[:-1], rng.random(shape), side="right").astype(np.int8)
    return np.take_along_axis(np.concatenate([current[np.newaxis], drawn]), rows, axis=0)


def redraw_probability(interval_ms: float, mean_ms: float) -> float:
    """Return the probability of at least one draw within an interval where draws come at random, on average
    ``mean_ms`` apart.
    """
    return -math.expm1(-interval_ms / mean_ms)


@dataclass(frozen=True)
class Stretch:
    """A stretch of the true market; all arrays are steps by coins.

    Attributes:
        regime: codes into :data:`REGIMES` (int8).
        price: US dollars, two decimals more than are quoted (float64).
        change: percent against 24 hours before (float64).
        volume: US dollars traded in the last 24 hours (float64).
    """

    regime: Codes
    price: Floats
    change: Floats
    volume: Floats


class Market:
    """The market of some coins, a day old when it is made: it knows the 24 hours before the first step.

    That day is kept as the last state of each candle, a stretch of about a minute, or of a step where that is longer;
    so a change or a volume of 24 hours reaches back to the end of a candle, less than a candle away from them.

    Args:
        rng: draws that day.
        coins: what is traded.
        interval_ms: simulated time of a step.
        regime_hours: mean time between two draws of a coin's regime.
    """

    def __init__(self, rng: np.random.Generator, coins: Sequence[Coin], interval_ms: int, regime_hours: float) -> None:
        self._interval_ms, self._regime_ms = interval_ms, regime_hours * HOUR_MS
        self._scale = np.array([10.0 ** (coin.decimals + 2) for coin in coins])
        self._volatility = np.outer([regime.volatility for regime in REGIMES], [coin.volatility for coin in coins])
        self._turnover = np.outer([regime.turnover for regime in REGIMES], [coin.turnover for coin in coins])
        self._regime = switch(rng, 1, np.zeros(len(coins), np.int8), _SHARES, 1.0)[0]
        self._log_price = np.log(np.array([coin.price for coin in coins]))
        self._traded = np.zeros(len(coins))
        self._candle_steps = max(1, round(_CANDLE_MS / interval_ms))
        candle_ms = self._candle_steps * interval_ms
        _, *self._day = self._walk(rng, math.ceil(DAY_MS / candle_ms), candle_ms)

    def advance(self, rng: np.random.Generator, prices: int) -> Stretch:
        """Return the next stretch: at most so many prices of all coins together, but one whole candle or more."""
        length = self._candle_steps
        candles = max(1, prices // (length * len(self._regime)))
        regime, log_price, traded = self._walk(rng, candles * length, self._interval_ms)
        days = [
            np.concatenate([day, new[length - 1 :: length]])
            for day, new in zip(self._day, (log_price, traded), strict=True)
        ]
        self._day = [day[candles:] for day in days]
        log_price_then, traded_then = (np.repeat(day[:candles], length, axis=0) for day in days)
        change = 100 * np.expm1(log_price - log_price_then)
        return Stretch(regime, self._rounded(np.exp(log_price)), change, traded - traded_then)

    def _walk(self, rng: np.random.Generator, steps: int, interval_ms: int) -> tuple[Codes, Floats, Floats]:
        """Go on by so many steps; return their regimes, logarithms of prices and dollars traded since the beginning."""
        shape = (steps, len(self._regime))
        coin = np.arange(len(self._regime))
        regime = switch(rng, steps, self._regime, _SHARES, redraw_probability(interval_ms, self._regime_ms))
        shock = math.sqrt(CORRELATION) * rng.standard_normal((steps, 1))
        shock = shock + math.sqrt(1 - CORRELATION) * rng.standard_normal(shape)
        returns = math.sqrt(interval_ms / _YEAR_MS) * self._volatility[regime, coin] * shock
        # A gamma process, whose increments over any interval are consistent with those over a part of it.
        trades = rng.standard_gamma(interval_ms / _GAMMA_MS, shape) * (_GAMMA_MS / DAY_MS)
        log_price = self._log_price + np.cumsum(returns, axis=0)
        traded = self._traded + np.cumsum(self._turnover[regime, coin] * trades, axis=0)
        self._regime, self._log_price, self._traded = regime[-1], log_price[-1], traded[-1]
        return regime, log_price, traded

    def _rounded(self, price: Floats) -> Floats:
        # Never 0: a price that has fallen so far stays on the smallest step that a quote has.
        rounded: Floats = np.maximum(np.rint(price * self._scale), 100) / self._scale
        return rounded


_SHARES = tuple(regime.share for regime in REGIMES)
