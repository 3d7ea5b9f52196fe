from __future__ import annotations

import math

import numpy as np
import pandas as pd

from kafkalab.simulation.stocks_paths import Decay, Groups, Walks

ROWS, GROUPS = 3000, 7  # group 6 has no rows


def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.integers(0, GROUPS - 1, ROWS).astype(np.int16), np.sort(rng.random(ROWS)) * 100


def test_running_sums_and_gaps_are_those_of_pandas() -> None:
    codes, clock = rows()
    groups, start = Groups(codes, GROUPS), np.linspace(0, 60, GROUPS)
    by_group = pd.Series(clock).groupby(codes)
    np.testing.assert_allclose(groups.running_sum(clock, start), by_group.cumsum() + start[codes])
    np.testing.assert_allclose(groups.elapsed(clock, -start), by_group.diff().fillna(pd.Series(clock + start[codes])))
    kept = np.full(GROUPS, -1.0)
    groups.keep_last(clock, kept)
    np.testing.assert_array_equal(kept, [*by_group.last(), -1.0])


def test_a_walk_in_two_blocks_is_the_walk_in_one() -> None:
    codes, clock = rows()
    steps = np.random.default_rng(2).normal(size=ROWS)
    whole = Walks(GROUPS, 0.0).go(Groups(codes, GROUPS), clock, steps)
    walks = Walks(GROUPS, 0.0)
    half = slice(0, 1000), slice(1000, ROWS)
    parts = [walks.go(Groups(codes[part], GROUPS), clock[part], steps[part]) for part in half]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-10)
    elapsed = walks.elapsed(Groups(np.arange(GROUPS), GROUPS), np.full(GROUPS, 100.0))
    expected = 100 - pd.Series(clock).groupby(codes).last().reindex(range(GROUPS), fill_value=0.0)
    np.testing.assert_allclose(elapsed, expected)


def test_brownian_motions_are_apart_and_have_variance_one_per_unit_of_time() -> None:
    rng = np.random.default_rng(3)
    codes, clock = np.tile(np.arange(2, dtype=np.int16), 20_000), np.repeat(np.cumsum(rng.random(20_000)), 2)
    groups, walks = Groups(codes, 2), Walks(2, 0.0)
    elapsed = walks.elapsed(groups, clock)
    path = walks.brownian(groups, clock, rng)
    steps = np.stack([np.diff(path[codes == code], prepend=0) / np.sqrt(elapsed[codes == code]) for code in (0, 1)])
    error = 4 / math.sqrt(20_000)
    np.testing.assert_allclose(np.cov(steps), np.eye(2), atol=1.5 * error)
    assert (abs(steps.mean(axis=1)) < error).all()
    assert abs(np.corrcoef(steps[0, 1:], steps[0, :-1])[0, 1]) < error


def plain_decay(codes: np.ndarray, minutes: np.ndarray, shocks: dict[int, float], span: float) -> list[float]:
    """What is left at each row, added up shock by shock."""
    return [
        sum(
            size * math.exp(-(minutes[row] - minutes[shock]) / span)
            for shock, size in shocks.items()
            if shock <= row and codes[shock] == codes[row]
        )
        for row in range(len(codes))
    ]


def test_shocks_fade_and_what_is_left_passes_into_the_next_block() -> None:
    codes, minutes = (part[:300] for part in rows())
    minutes = (minutes - minutes[0]) * 30  # up to 300 minutes of span 5
    shocks = {row: (-1.0) ** row * row for row in range(0, 300, 17)}
    decay, left, edge = Decay(GROUPS, 5.0), [], math.ceil(minutes[149])
    for part, begin, length in ((slice(0, 150), 0, edge), (slice(150, 300), edge, 500)):
        brings = [row for row in shocks if part.start <= row < part.stop]
        given = np.array(brings) - part.start, np.array([shocks[row] for row in brings])
        left.append(decay.at_rows(Groups(codes[part], GROUPS), codes[part], minutes[part] - begin, given, length))
    np.testing.assert_allclose(np.concatenate(left), plain_decay(codes, minutes, shocks, 5.0), atol=1e-9)


def test_what_is_left_before_each_minute() -> None:
    shocks = np.zeros((12, 2))
    shocks[2, 0], shocks[7, 0], shocks[3, 1] = 1.0, 10.0, 5.0
    decay = Decay(2, 4.0)
    left = np.concatenate([decay.before_minutes(shocks[:5]), decay.before_minutes(shocks[5:])])
    # A shock is there in full in the minute after its own.
    expected = [math.exp(-(m - 3) / 4) * (m > 2) + 10 * math.exp(-(m - 8) / 4) * (m > 7) for m in range(12)]
    np.testing.assert_allclose(left[:, 0], expected)
    np.testing.assert_allclose(left[:, 1], [5 * math.exp(-(m - 4) / 4) * (m > 3) for m in range(12)])
