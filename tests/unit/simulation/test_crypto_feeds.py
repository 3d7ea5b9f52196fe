"""What the docstrings claim of the sources; tolerances are five standard errors of the estimate."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from kafkalab.simulation.crypto_feeds import BIAS_BP, FEEDS, FREEZE_MS, LATENCY_SPREAD, Feeds, Quotes
from kafkalab.simulation.crypto_market import COINS, Market, Stretch

START_MS, TEN_SECONDS = 1_740_960_000_000, 10_000
# Their quotes have seven digits and more, so that rounding does not show in what is measured.
FINE = tuple(coin for coin in COINS if coin.price * 10**coin.decimals > 100_000)[:5]


def watch(
    stretches: int = 1, interval_ms: int = TEN_SECONDS, **settings: float
) -> tuple[Feeds, list[Stretch], list[Quotes]]:
    """Let all feeds watch a market for some stretches of 12,000 steps; by default they never freeze."""
    market = Market(np.random.default_rng(0), FINE, interval_ms, 2.0)
    options = {"disagreement": 1.0, "frozen_share": 0.0} | settings
    feeds = Feeds(np.random.default_rng(1), FEEDS, FINE, start_ms=START_MS, interval_ms=interval_ms, **options)
    markets = [market.advance(np.random.default_rng([2, part]), 12_000 * len(FINE)) for part in range(stretches)]
    quotes = [feeds.advance(np.random.default_rng([3, part]), stretch) for part, stretch in enumerate(markets)]
    return feeds, markets, quotes


def joined(parts: list[Any], name: str) -> npt.NDArray[Any]:
    return np.concatenate([getattr(part, name) for part in parts])


def updates(quotes: Quotes) -> npt.NDArray[np.bool_]:
    """Where a quote differs in time from the one of the step before; the first step is left out."""
    changed: npt.NDArray[np.bool_] = np.diff(quotes.updated_ms, axis=0) > 0
    return changed


def test_the_catalogue() -> None:
    assert len({feed.name for feed in FEEDS}) == len(FEEDS) == 5
    assert {feed.kind for feed in FEEDS[:2]} == {"aggregator", "exchange"}
    assert sum(feed.volume_share for feed in FEEDS if feed.kind == "exchange") < 1


def test_bias_and_noise_of_each_feed() -> None:
    feeds, (market,), (quotes,) = watch()
    fresh = updates(quotes)
    deviation = 1e4 * (quotes.price / market.price[:, np.newaxis] - 1)[1:]
    for number, feed in enumerate(FEEDS):
        found = deviation[:, number][fresh[:, number]]
        assert abs(found.mean() - feeds.bias_bp[number]) < 5 * feed.noise_bp / math.sqrt(len(found)), feed.name
        assert abs(found.std() / feed.noise_bp - 1) < 5 / math.sqrt(2 * len(found)), feed.name


def test_biases_are_drawn_both_ways_within_their_limits() -> None:
    def biases(seed: int) -> npt.NDArray[np.float64]:
        rng = np.random.default_rng(seed)
        return Feeds(rng, FEEDS, FINE, start_ms=0, interval_ms=1000, disagreement=2.0, frozen_share=0.0).bias_bp

    drawn = np.array([biases(seed) for seed in range(200)])
    low, high = 2 * BIAS_BP[0], 2 * BIAS_BP[1]
    assert low <= np.abs(drawn).min() < low + 0.5
    assert high - 0.5 < np.abs(drawn).max() <= high
    assert abs((drawn > 0).mean() - 0.5) < 5 * 0.5 / math.sqrt(drawn.size)


def test_a_quote_is_the_truth_of_when_it_was_made() -> None:
    # Over three stretches: a quote is held across their borders, too.
    _, markets, parts = watch(3, disagreement=0.0, frozen_share=0.3)
    price, change, volume = (joined(markets, name)[:, np.newaxis] for name in ("price", "change", "volume"))
    made = (joined(parts, "updated_ms") - START_MS) // TEN_SECONDS
    decimals = np.array([10.0**coin.decimals for coin in FINE])
    share = np.array([[feed.volume_share] for feed in FEEDS])

    def then(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.take_along_axis(np.broadcast_to(column, made.shape), made, axis=0)

    assert (joined(parts, "price") == np.rint(then(price) * decimals) / decimals).all()
    assert (joined(parts, "change") == np.round(then(change), 2)).all()
    assert (joined(parts, "volume") == np.rint(then(volume) * share)).all()
    late = np.arange(len(made)).reshape(-1, 1, 1) - made
    assert late.min() == 0
    assert late.max() > 30, "some feed hung for five minutes"


@pytest.mark.parametrize("interval_ms", [1000, TEN_SECONDS, 3_600_000])
def test_each_feed_updates_in_its_own_rhythm(interval_ms: int) -> None:
    _, _, (quotes,) = watch(interval_ms=interval_ms)
    for number, feed in enumerate(FEEDS):
        times = quotes.updated_ms[:, number]
        gaps = {gap for coin in times.T for gap in np.diff(np.unique(coin))[1:].tolist()}
        assert gaps == {max(interval_ms, 1000 * feed.refresh_s)}, feed.name


def test_a_frozen_feed_does_not_update() -> None:
    _, _, (quotes,) = watch(frozen_share=0.3)
    assert not (updates(quotes) & quotes.frozen[1:, :, np.newaxis]).any()
    assert (quotes.price[0] > 0).all()


def test_how_often_and_how_long_feeds_freeze() -> None:
    share = 0.2
    _, _, parts = watch(5, frozen_share=share)
    frozen = joined(parts, "frozen")
    lasts = FREEZE_MS / TEN_SECONDS  # steps
    begun = (frozen[1:] & ~frozen[:-1]).sum()
    draws = frozen.size / (lasts * (1 - share))
    assert abs(frozen.mean() - share) < 5 * math.sqrt(2 * share * (1 - share) / draws)
    # In steps of 10 s a freeze lasts half a step longer than in continuous time, and the shortest are not seen.
    leave = -math.expm1(-1 / (lasts * (1 - share))) * (1 - share)
    assert abs(frozen.sum() / begun * leave - 1) < 5 / math.sqrt(begun)
    assert 1 / leave == pytest.approx(lasts, rel=0.03)


def test_a_freeze_goes_on_from_stretch_to_stretch() -> None:
    market = Market(np.random.default_rng(0), FINE, TEN_SECONDS, 2.0)
    feeds = Feeds(
        np.random.default_rng(1), FEEDS, FINE, start_ms=0, interval_ms=TEN_SECONDS, disagreement=1.0, frozen_share=0.5
    )
    rng = np.random.default_rng(2)
    parts = [feeds.advance(rng, market.advance(rng, 1)).frozen for _ in range(400)]
    before, after = (np.concatenate([part[[step]] for part in parts]) for step in (-1, 0))
    assert (before[:-1] == after[1:]).mean() > 0.9
    assert 0.1 < before.mean() < 0.9


def test_without_freezes_none_freezes() -> None:
    assert not watch(frozen_share=0.0)[2][0].frozen.any()


def test_latency_is_log_normal_with_its_median() -> None:
    _, _, (quotes,) = watch()
    step = TEN_SECONDS * np.arange(len(quotes.price)).reshape(-1, 1, 1)
    moment = quotes.updated_ms[0] - START_MS
    latency = quotes.arrived_ms - START_MS - step - moment
    for number, feed in enumerate(FEEDS):
        found = np.log(latency[:, number].ravel() / feed.latency_ms)
        # Rounded to whole milliseconds, of 60 at the least.
        assert abs(np.median(found)) < 5 * LATENCY_SPREAD * math.sqrt(math.pi / 2 / found.size) + 0.5 / 60, feed.name
        assert found.std() == pytest.approx(LATENCY_SPREAD, rel=0.02)
    assert np.ptp(moment) > TEN_SECONDS / 4, "coins are asked for at different moments"


@pytest.mark.parametrize("interval_ms", [1000, 1001, 1002, 1003, 1004])
def test_an_answer_arrives_in_its_own_step(interval_ms: int) -> None:
    _, _, (quotes,) = watch(interval_ms=interval_ms)
    step = np.arange(len(quotes.price)).reshape(-1, 1, 1)
    assert ((quotes.arrived_ms - START_MS) // interval_ms == step).all()
    assert (quotes.arrived_ms > quotes.updated_ms).all()
    # The slowest feed's median is the longest latency there can be at this interval: half of its answers are cut.
    latency = (quotes.arrived_ms - START_MS - step * interval_ms - (quotes.updated_ms[0] - START_MS))[:, 4]
    cut = 1 - NormalDist(0, LATENCY_SPREAD).cdf(math.log(0.4 * interval_ms / FEEDS[4].latency_ms))
    assert abs((latency == round(0.4 * interval_ms)).mean() - cut) < 0.02
