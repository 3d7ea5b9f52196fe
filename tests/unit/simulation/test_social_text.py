from __future__ import annotations

import re

import numpy as np
import pytest

from kafkalab.simulation.social_subject import BRANDS
from kafkalab.simulation.social_text import FIGURES, SENTIMENTS, Texts, handles

TEXTS = Texts(BRANDS, viral=2)
# A small opinion lexicon, as a learner would write it.
GOOD = re.compile(
    r"\b(amazing|beautiful|best|better|brilliant|excellent|fair|fast|friendly|good|great|happy|joy|love|nice|perfect"
    r"|perfectly|recommend|thank)\b"
)
BAD = re.compile(
    r"\b(angry|avoid|awful|bad|broke|complaint|disappointed|fails|hate|horrible|ignored|problem|ridiculous|rude|slow"
    r"|terrible|ugly|waste|worse|worst)\b"
)


def by_lexicon(text: str) -> str:
    score = len(GOOD.findall(text.lower())) - len(BAD.findall(text.lower()))
    return SENTIMENTS[1 + (score > 0) - (score < 0)]


def right(figure: str, sentiment: str | None = None) -> float:
    rows = [
        by_lexicon(text) == SENTIMENTS[TEXTS.sentiment[code]]
        for code, text in enumerate(TEXTS.all)
        if FIGURES[TEXTS.figure[code]] == figure and sentiment in (None, SENTIMENTS[TEXTS.sentiment[code]])
    ]
    return float(np.mean(rows))


def test_texts_are_different_filled_in_and_name_what_they_are_about() -> None:
    assert len(set(TEXTS.all)) == len(TEXTS.all) == len(TEXTS.sentiment) - 1 == len(TEXTS.figure) - 1
    assert not [text for text in TEXTS.all if re.search(r"[{}]|  |^ | $", text)]
    named = re.compile("|".join(f"{brand.name}|{brand.product}" for brand in BRANDS))
    assert all(named.search(text) for text in TEXTS.all)
    assert (TEXTS.sentiment[-1], TEXTS.figure[-1]) == (-1, -1)


def test_each_sentiment_is_as_large_and_has_its_figures() -> None:
    pairs = {(SENTIMENTS[s], FIGURES[f]) for s, f in zip(TEXTS.sentiment[:-1], TEXTS.figure[:-1], strict=True)}
    assert pairs == {
        ("negative", "plain"),
        ("negative", "negated"),
        ("negative", "ironic"),
        ("neutral", "plain"),
        ("neutral", "loaded"),
        ("positive", "plain"),
        ("positive", "negated"),
        ("positive", "ironic"),
    }
    assert np.bincount(TEXTS.sentiment[: TEXTS.viral]).tolist() == [TEXTS.viral / 3] * 3


def test_a_lexicon_does_well_on_plain_texts_only() -> None:
    assert 0.85 < right("plain") < 1
    assert 0 < right("negated") < 0.4
    assert 0 < right("ironic") < 0.4
    assert 0 < right("loaded") < 0.4
    everything = np.mean(
        [by_lexicon(text) == SENTIMENTS[code] for text, code in zip(TEXTS.all, TEXTS.sentiment, strict=False)]
    )
    assert 0.6 < everything < 0.75


@pytest.mark.parametrize("kind", [0, 1, 2])
@pytest.mark.parametrize("sentiment", [0, 1, 2])
def test_what_is_drawn_is_what_was_asked_for(kind: int, sentiment: int) -> None:
    rng = np.random.default_rng(5)
    for code, brand in enumerate(BRANDS):
        drawn = TEXTS.draw(rng, *np.repeat([[kind], [code], [sentiment]], 1000, axis=1))
        assert (TEXTS.sentiment[drawn] == sentiment).all()
        assert len(set(drawn.tolist())) == 64  # every variant comes
        texts = [TEXTS.all[text] for text in drawn]
        assert all(brand.name in text or brand.product in text for text in texts)
        assert all((f"@{brand.tag}" in text) == (kind == 2) for text in texts)


def test_brands_are_told_apart() -> None:
    for names in ([brand.name for brand in BRANDS], [brand.product for brand in BRANDS]):
        assert len(set(names)) == len(BRANDS)
    assert all(sum(brand.sentiment) == 100 for brand in BRANDS)


def test_handles() -> None:
    assert len(set(handles(20_000))) == 20_000
    assert handles(20_000)[:700] == handles(700)
    assert all(re.fullmatch(r"[a-z]+_[a-z]+\d*", name) for name in handles(1000))
    assert len({name.split("_")[1] for name in handles(20)}) > 10
