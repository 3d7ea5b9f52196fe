"""The price sources of :class:`kafkalab.simulation.crypto.Crypto`: what each of them says of the true market, and when.

Everything is an array of steps by feeds by coins; the feeds are advanced along the market, stretch by stretch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kafkalab.simulation.crypto_market import Coin, Stretch, latest, redraw_probability, switch

__all__ = ["BIAS_BP", "FEEDS", "FREEZE_MS", "LATENCY_SPREAD", "Feed", "Feeds", "Quotes"]

FREEZE_MS = 300_000  # mean length of a freeze
BIAS_BP = (3.0, 15.0)  # least and greatest
LATENCY_SPREAD = 0.4  # standard deviation of the latency's logarithm
_LONGEST_LATENCY = 0.4  # of the interval, so that a quote arrives before the next is asked for
_BP = 1e-4

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Feed(NamedTuple):
    """A source of prices; the names are invented.

    Attributes:
        name: what the records call it.
        kind: ``aggregator`` (an API that averages over exchanges) or ``exchange``.
        volume_share: of the coin's turnover that it sees.
        refresh_s: seconds between two of its own updates.
        noise_bp: standard deviation of its quotes around its own bias, basis points (0.01 %).
        latency_ms: median time from a quote to its arrival.
    """

    name: str
    kind: str
    volume_share: float
    refresh_s: float
    noise_bp: float
    latency_ms: float


FEEDS = (
    Feed("coinatlas", "aggregator", 1.0, 60.0, 2.0, 220.0),
    Feed("meridian", "exchange", 0.22, 1.0, 3.0, 60.0),
    Feed("kestrel", "exchange", 0.09, 20.0, 6.0, 140.0),
    Feed("pricewell", "aggregator", 0.95, 30.0, 2.5, 300.0),
    Feed("tidewater", "exchange", 0.03, 10.0, 9.0, 400.0),
)


@dataclass(frozen=True)
class Quotes:
    """What the feeds say at each step; arrays are steps by feeds by coins.

    Attributes:
        price: US dollars, rounded to the coin's decimals (float64).
        change: percent against 24 hours before, two decimals (float64).
        volume: US dollars that the feed saw traded in 24 hours (int64).
        updated_ms: when the feed made this quote, milliseconds since 1970 (int64).
        arrived_ms: when it was received and sent on (int64).
        frozen: whether the feed hung, steps by feeds (bool).
    """

    price: Floats
    change: Floats
    volume: Times
    updated_ms: Times
    arrived_ms: Times
    frozen: Bools


class Feeds:
    """Some feeds that watch the same coins.

    Each is asked for each coin at a moment of the interval that is always the same; the true price is the step's.
    At the first step all answer with a quote of that moment, frozen or not.

    Attributes:
        bias_bp: how far each feed's quotes lie above the true price on average, basis points (float64).

    Args:
        rng: draws the biases and those moments.
        feeds: the sources.
        coins: what they quote.
        start_ms: simulated time of the first step.
        interval_ms: simulated time of a step.
        disagreement: factor on biases and noise.
        frozen_share: of the time that a feed hangs.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        feeds: Sequence[Feed],
        coins: Sequence[Coin],
        *,
        start_ms: int,
        interval_ms: int,
        disagreement: float,
        frozen_share: float,
    ) -> None:
        self._feeds, self._interval = feeds, interval_ms
        shape = (len(feeds), len(coins))
        size = np.round(rng.uniform(*BIAS_BP, len(feeds)), 1)
        # Plus 0, which makes the -0 of full agreement a 0.
        self.bias_bp: Floats = disagreement * np.where(rng.random(len(feeds)) < 0.5, -size, size) + 0.0
        self._noise = disagreement * _BP * np.array([[feed.noise_bp] for feed in feeds])
        self._every = np.array([[max(1, round(1000 * feed.refresh_s / interval_ms))] for feed in feeds])
        self._turn = rng.integers(0, self._every, shape)
        self._moment = rng.integers(0, max(1, int((1 - _LONGEST_LATENCY) * interval_ms)), shape)
        self._scale = np.array([10.0**coin.decimals for coin in coins])
        self._shares = (1 - frozen_share, frozen_share)
        self._redraw = redraw_probability(interval_ms, FREEZE_MS * (1 - frozen_share))
        self._latency = np.array([[feed.latency_ms] for feed in feeds])
        self._start, self._step = start_ms, 0
        self._frozen = np.zeros(len(feeds), np.int8)
        self._said = tuple(np.zeros((1, *shape), kind) for kind in (np.float64, np.float64, np.int64, np.int64))

    def advance(self, rng: np.random.Generator, market: Stretch) -> Quotes:
        """Return what the feeds say along the next stretch of the market."""
        frozen = switch(rng, len(market.price), self._frozen, self._shares, self._redraw)
        self._frozen = frozen[-1]
        step = self._step + np.arange(len(market.price)).reshape(-1, 1, 1)
        self._step += len(market.price)
        asked_ms = self._start + step * self._interval + self._moment
        rows = latest((((step + self._turn) % self._every == 0) & (frozen == 0)[:, :, np.newaxis]) | (step == 0))
        fresh = (*self._fresh(rng, market), asked_ms)
        price, change, volume, updated_ms = (
            _held(said, new, rows) for said, new in zip(self._said, fresh, strict=True)
        )
        self._said = tuple(column[-1:] for column in (price, change, volume, updated_ms))
        return Quotes(price, change, volume, updated_ms, asked_ms + self._latencies(rng, rows.shape), frozen == 1)

    def _fresh(self, rng: np.random.Generator, market: Stretch) -> tuple[Floats, Floats, Times]:
        """Return price, change and volume as they would be if every feed updated at every step."""
        shape = (len(market.price), *self._moment.shape)
        factor = 1 + _BP * self.bias_bp[:, np.newaxis] + self._noise * rng.standard_normal(shape)
        ticks = np.maximum(np.rint(market.price[:, np.newaxis] * factor * self._scale), 1)
        volume_share = np.array([[feed.volume_share] for feed in self._feeds])
        volume = np.rint(market.volume[:, np.newaxis] * volume_share).astype(np.int64)
        change = np.broadcast_to(np.round(market.change, 2)[:, np.newaxis], shape)
        return ticks / self._scale, change, volume

    def _latencies(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Times:
        latency = self._latency * np.exp(LATENCY_SPREAD * rng.standard_normal(shape))
        arrived: Times = np.rint(np.minimum(latency, _LONGEST_LATENCY * self._interval)).astype(np.int64)
        return arrived


def _held(said: npt.NDArray[Any], fresh: npt.NDArray[Any], rows: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
    """Return, for each step, the fresh value of the row it holds on to; of row 0, what was said before."""
    return np.take_along_axis(np.concatenate([said, fresh]), rows, axis=0)
