from __future__ import annotations

import pandas as pd
import pytest

from kafkalab.apps import as_frame
from kafkalab.apps.social import Opinion, SentimentAnalysis, confusion, hit_rates, score
from kafkalab.simulation import Social
from tests.unit.apps.conftest import received, run

SOURCE = Social(seed=4)
N = 12_000


@pytest.fixture(scope="module")
def opinions() -> pd.DataFrame:
    return as_frame(Opinion, run(SentimentAnalysis, received(SOURCE, N)))


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("The best, a great product!", 2),
        ("Terrible. Slow, too.", -2),
        ("not good", -1),
        ("It is NOT a very good one", -1),
        ("not one of those that are good", 1),  # too far away
        ("no, good", 1),
        ("I don't love it", -1),
        ("never bad", 1),
        ("", 0),
        ("goodness gracious", 0),
    ],
)
def test_the_score_of_a_text(text: str, points: int) -> None:
    assert score(text) == points


def test_every_text_gets_one_opinion(opinions: pd.DataFrame) -> None:
    frame = SOURCE.frame(N).dropna(subset="text")
    assert sorted(opinions["event_id"]) == frame["event_id"].tolist()
    texts = frame.set_index("event_id")["text"].astype(str)
    assert (opinions["event_id"].map(texts).map(score) == opinions["score"]).all()


def test_confusion_is_counted_against_the_truth(opinions: pd.DataFrame) -> None:
    truth, frame = SOURCE.truth(N), SOURCE.frame(N)
    table = confusion(opinions, truth)
    assert table.to_numpy().sum() == len(opinions)
    assert table.index.tolist() == table.columns.tolist() == ["negative", "neutral", "positive"]
    is_neutral = (truth["sentiment"] == "neutral") & frame["text"].notna()
    taken = frame[is_neutral]["text"].astype(str).map(score)
    wanted = [(taken < 0).sum(), (taken == 0).sum(), (taken > 0).sum()]
    assert table.loc[["neutral"]].to_numpy().tolist() == [wanted]


def test_it_does_well_on_plain_texts_and_cannot_see_irony(opinions: pd.DataFrame) -> None:
    rates = hit_rates(opinions, SOURCE.truth(N)).set_index("figure")
    assert rates["texts"].sum() == len(opinions)
    right = rates["right"].to_dict()
    assert right["plain"] > 0.85
    assert right["ironic"] < 0.4
    assert right["loaded"] < 0.5


def test_an_empty_table_has_its_shape() -> None:
    table = confusion(as_frame(Opinion, []), SOURCE.truth(10))
    assert table.to_numpy().tolist() == [[0] * 3] * 3
