from __future__ import annotations

import numpy as np
import pytest

from kafkalab.simulation.social_subject import KINDS, PLATFORMS, Subjects, Weighted
from kafkalab.simulation.social_text import SENTIMENTS


def test_weights_are_kept() -> None:
    weights = np.array([3.0, 0.0, 5.0, 2.0])
    counts = np.bincount(Weighted(weights).draw(np.random.default_rng(1), 100_000), minlength=4)
    assert counts / 100_000 == pytest.approx(weights / 10, abs=4.5 * np.sqrt(0.25 / 100_000))
    assert counts[1] == 0


def test_a_subject_is_a_combination() -> None:
    subjects = Subjects(3, 1.0)
    combinations = list(
        zip(*(getattr(subjects, name).tolist() for name in ("brand", "platform", "campaign", "mood")), strict=True)
    )
    assert len(set(combinations[:-1])) == len(combinations) - 1 == 3 * 4 * 3 * 3 == subjects.viral
    assert combinations[-1] == (2, 0, -1, SENTIMENTS.index("negative"))
    assert len(PLATFORMS) == 4
    assert subjects.campaigns[::2] == ("auralis-spring", "nimbus-spring", "ionride-spring")
    with_campaign = subjects.campaign >= 0
    assert (subjects.campaign // 2 == subjects.brand)[with_campaign].all()


def test_draws_are_subjects_but_the_viral_one() -> None:
    subjects = Subjects(1, 0.0)
    drawn = subjects.draw(np.random.default_rng(2), 50_000)
    assert np.unique(drawn).tolist() == list(range(subjects.viral))


def test_percentages_are_a_hundred() -> None:
    subjects = Subjects(16, 1.0)
    assert subjects.kinds.shape == (subjects.viral + 1, 100)
    assert subjects.sentiments.shape == (16, 100)
    assert subjects.brand_table()[["share"]].sum().tolist() == pytest.approx([1])
    assert subjects.campaign_table()[list(KINDS)].sum(axis=1).to_numpy() == pytest.approx(np.ones(32))


def test_the_tables_say_what_is_drawn() -> None:
    subjects = Subjects(16, 1.0)
    for row in subjects.campaign_table().itertuples():
        own = subjects.kinds[subjects.campaign == subjects.campaigns.index(row.campaign)]
        assert [(own == code).mean() for code in range(5)] == pytest.approx([getattr(row, kind) for kind in KINDS])
