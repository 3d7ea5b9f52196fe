from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from kafkalab.simulation.social_hawkes import BEFORE, FIRST_POST, SPONTANEOUS, Events, Hawkes
from kafkalab.simulation.social_subject import KINDS, Subjects

SUBJECTS = Subjects(4, 1.0)


def rng(*path: int) -> np.random.Generator:
    return np.random.default_rng([9, *path])


def stretches(count: int, **parameters: float) -> list[Events]:
    given = {"rate": 20.0, "branching": 0.8, "delay_ms": 60_000.0, "viral_ms": 0, "viral_size": 0.0} | parameters
    process = Hawkes(SUBJECTS, **given)  # type: ignore[arg-type]
    return [events for _, events in islice(process.stretches(rng), count)]


def test_stretches_follow_each_other_and_number_events_and_posts_through() -> None:
    parts = stretches(6)
    events = np.concatenate(parts)
    assert (np.diff(events["time"]) >= 0).all()
    own = events["post"][events["kind"] == KINDS.index("post")]
    assert own.tolist() == list(range(FIRST_POST, FIRST_POST + len(own)))
    children = np.flatnonzero(events["parent"] >= 0)
    parents = events[events["parent"][children]]
    assert (events["parent"][children] < children).all()
    assert (events["time"][children] > parents["time"]).all()
    assert (events["subject"][children] == parents["subject"]).all()
    lengths = [len(part) for part in parts]
    begins = np.repeat(np.cumsum(lengths) - lengths, lengths)
    crossing = events["parent"][children] < begins[children]
    assert crossing.sum() > 100, "some reactions come in a later stretch than their parent"


def test_the_first_stretches_are_short() -> None:
    lengths = [len(events) for events in stretches(7, branching=0.0)]
    expected = np.array([2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 64_000])
    assert (np.abs(lengths - expected) < 4.5 * np.sqrt(expected)).all()


def test_what_came_before_the_start_fades() -> None:
    parts = stretches(4)
    before = [float((events["parent"] == BEFORE).mean()) for events in parts]
    assert before[0] > 0.3
    assert before == sorted(before, reverse=True)
    posts = np.concatenate([events["post"][events["parent"] == BEFORE] for events in parts])
    assert posts.min() >= 1


def test_without_branching_all_is_spontaneous() -> None:
    (events,) = stretches(1, branching=0.0)
    assert (events["parent"] == SPONTANEOUS).all()
    assert (events["kind"] == KINDS.index("post")).all()


@pytest.mark.parametrize("viral_ms", [0, 99_999, 100_000, 250_000])
def test_one_viral_post_at_its_time(viral_ms: int) -> None:
    # Delays as long as stretches, so that reactions wait through one or two of them; the three have 700 s together.
    events = np.concatenate(stretches(3, viral_ms=viral_ms, viral_size=3000.0, delay_ms=300_000.0))
    viral = events[events["subject"] == SUBJECTS.viral]
    assert viral["time"][0] == viral_ms
    assert (viral["parent"] == SPONTANEOUS).sum() == 1
    direct = (events["parent"] == np.flatnonzero(events["subject"] == SUBJECTS.viral)[0]).sum()
    seen = 600 * (1 - np.exp(-(700_000 - viral_ms) / 300_000))
    assert direct == pytest.approx(seen, abs=4.5 * np.sqrt(seen))
