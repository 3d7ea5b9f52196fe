from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest

from kafkalab.errors import InvalidArgument
from kafkalab.simulation.social import Social

N = 60_000
SIGMAS = 4.5  # of sampling error; the seeds are fixed, so that a test passes always or never


def joined(source: Social, n: int = N) -> pd.DataFrame:
    return source.frame(n).join(source.truth(n))


@pytest.fixture(scope="module")
def viral() -> pd.DataFrame:
    return joined(Social(seed=1))


@pytest.fixture(scope="module")
def calm() -> pd.DataFrame:
    """Without a viral post, and quick to forget, so that neighbouring rows say little about each other."""
    return joined(Social(seed=2, viral_size=0, reaction_s=2, branching=0.5), 200_000)


def assert_share(part: float, expected: float, count: int, spread: float = 1.0) -> None:
    """``spread`` is how much larger the variance is than that of independent rows."""
    assert abs(part - expected) <= SIGMAS * np.sqrt(spread * expected * (1 - expected) / count), (part, expected)


def test_records_are_the_rows_of_the_frame() -> None:
    source = Social(seed=3, viral_after_s=60)
    frame = source.frame(5000)
    plain = frame.astype(object).where(frame.notna(), None).to_dict("records")
    for record, row in zip(source.records(5000), plain, strict=True):
        plan = Social.topics[record.topic]
        assert (record.topic, record.timestamp_ms) == (row["topic"], row["timestamp_ms"])
        assert orjson.loads(record.value) == {name: row[name] for name in plan.fields}
        assert record.key == str(row[plan.key]).encode()
    assert {row["topic"] for row in plain} == set(Social.topics)


def test_a_seed_decides_and_the_number_asked_for_does_not() -> None:
    source = Social(seed=4)
    first = list(source.records(3000))
    assert first == list(source.records(9000))[:3000] == list(Social(seed=4).records(3000))
    assert first != list(Social(seed=5).records(3000))
    pd.testing.assert_frame_equal(source.truth(3000), source.truth(9000).head(3000))


def test_columns(viral: pd.DataFrame) -> None:
    assert viral.dtypes.astype(str).to_dict() == {
        "topic": "category",
        "timestamp_ms": "int64",
        "event_id": "int64",
        "post_id": "int64",
        "platform": "category",
        "user": "category",
        "brand": "category",
        "campaign": "category",
        "text": "category",
        "sentiment": "category",
        "figure": "category",
        "offspring": "bool",
        "parent": "Int64",
        "viral": "bool",
    }
    texts = viral["topic"].isin(["social-posts", "social-comments", "social-mentions"])
    for column in ("text", "sentiment", "figure"):
        assert (viral[column].notna() == texts).all()
    assert viral[["post_id", "platform", "user", "brand"]].notna().all(axis=None)


def test_time_goes_on_and_posts_and_events_are_numbered_in_its_order(viral: pd.DataFrame) -> None:
    assert viral["timestamp_ms"].is_monotonic_increasing
    assert viral["timestamp_ms"].iloc[0] >= Social().start_ms
    assert viral["event_id"].tolist() == list(range(N))
    posts = viral.loc[viral["topic"] == "social-posts", "post_id"]
    assert posts.tolist() == list(range(1000, 1000 + len(posts)))


def test_an_event_belongs_to_a_post_that_was_sent_and_is_about_the_same(viral: pd.DataFrame) -> None:
    posts = viral[viral["topic"] == "social-posts"].set_index("post_id")
    answers = viral[(viral["topic"] != "social-posts") & (viral["post_id"] >= 1000)]
    own = posts.loc[answers["post_id"]]
    assert (own["event_id"].to_numpy() < answers["event_id"].to_numpy()).all()
    for column in ("platform", "brand", "campaign"):
        assert (own[column].cat.codes.to_numpy() == answers[column].cat.codes.to_numpy()).all()


def test_the_first_minutes_have_reactions_to_posts_from_before_the_start(viral: pd.DataFrame) -> None:
    unknown = viral["offspring"] & viral["parent"].isna()
    earlier = viral["post_id"] < 1000
    minutes = (viral["timestamp_ms"] - Social().start_ms) // 60_000
    # What is pending at the start comes after a mean delay of one minute, and then sets off others.
    assert (earlier | ~unknown | (viral["topic"] == "social-posts")).all()
    assert minutes[unknown].median() == 0
    assert 3 < minutes[earlier].mean() < 6
    assert earlier[:1000].mean() > 0.5


def test_a_parent_is_of_the_same_conversation(viral: pd.DataFrame) -> None:
    children = viral[viral["parent"].notna()]
    parents = viral.iloc[children["parent"].astype("int64")]
    assert children["offspring"].all()
    assert (parents["timestamp_ms"].to_numpy() < children["timestamp_ms"].to_numpy()).all()
    assert (parents["viral"].to_numpy() == children["viral"].to_numpy()).all()
    answers = children["topic"].to_numpy() != "social-posts"
    assert (parents["post_id"].to_numpy() == children["post_id"].to_numpy())[answers].all()
    spontaneous = viral[~viral["offspring"]]
    assert (spontaneous["topic"] == "social-posts").all()
    assert spontaneous["parent"].isna().all()
    posts = viral[viral["topic"] == "social-posts"]
    assert 0 < posts["offspring"].sum() < len(posts)


@pytest.mark.parametrize("branching", [0.0, 0.3, 0.8])
def test_rate_branching_and_cascades(branching: float) -> None:
    source = Social(seed=6, rate=20, branching=branching, reaction_s=5, viral_size=0)
    events = joined(source, 200_000)
    (process,) = source.process.to_dict("records")
    seconds = (events["timestamp_ms"].iloc[-1] - source.start_ms) / 1000
    # The variance of a count, and of the share of offspring in it, over a time much longer than a cascade.
    assert abs(len(events) / seconds - process["rate"]) < SIGMAS * process["rate"] * np.sqrt(
        process["dispersion"] / len(events)
    )
    assert_share(events["offspring"].mean(), branching, len(events), process["mean_cascade"])
    assert process["spontaneous_rate"] == pytest.approx(20 * (1 - branching))
    assert len(events) / (~events["offspring"]).sum() == pytest.approx(process["mean_cascade"], rel=0.05)


def test_counts_vary_as_those_of_a_hawkes_process() -> None:
    """Var N(t) for an exponential kernel is known: Hawkes (1971), integrated twice."""
    source = Social(seed=7, rate=20, branching=0.5, reaction_s=2, viral_size=0)
    window, n, relaxation = 20, 0.5, 2 / (1 - 0.5)
    counts = np.bincount((source.frame(400_000)["timestamp_ms"] - source.start_ms) // (1000 * window))[1:-1]
    factor = 1 / (1 - n) ** 2
    expected = factor + (1 - factor) * (1 - np.exp(-window / relaxation)) * relaxation / window
    assert 3 < expected < 4  # four times a Poisson process's in the long run
    assert counts.var() / counts.mean() == pytest.approx(expected, rel=SIGMAS * np.sqrt(2 / len(counts)))


def test_delays_are_exponential(calm: pd.DataFrame) -> None:
    children = calm[calm["parent"].notna()]
    times = calm["timestamp_ms"].to_numpy()
    delays = (times[children.index] - times[children["parent"].astype("int64")]) / 1000
    for seconds in (0.2, 1, 2, 5, 10):
        assert_share((delays > seconds).mean(), np.exp(-seconds / 2), len(delays))
    # The 200,000th event cuts off children of the last seconds only.
    assert delays.min() == 0.001


def test_the_first_minutes_are_as_busy_as_later_ones() -> None:
    counts = [len(minute) for seed in range(8) for minute in minutes_of(Social(seed=seed), 5)]
    assert np.mean(counts) == pytest.approx(1200, abs=SIGMAS * np.sqrt(1200 * 25 / len(counts)))


def minutes_of(source: Social, count: int) -> list[pd.DataFrame]:
    frame = source.frame(count * 2000)
    minute = (frame["timestamp_ms"] - source.start_ms) // 60_000
    return [frame[minute == number] for number in range(count)]


def test_kinds_of_offspring_hang_on_the_campaign(calm: pd.DataFrame) -> None:
    source = Social(seed=2)
    offspring = calm[calm["offspring"]]
    kind = offspring["topic"].astype(str).str.removeprefix("social-").str.removesuffix("s")
    none = kind[offspring["campaign"].isna()]
    for name, expected in {"like": 0.6, "comment": 0.15, "share": 0.12, "mention": 0.08, "post": 0.05}.items():
        assert_share((none == name).mean(), expected, len(none))
    assert set(source.campaigns["style"]) == {"giveaway", "question", "discount"}
    for row in source.campaigns.to_dict("records"):
        own = kind[offspring["campaign"] == row["campaign"]]
        assert (offspring.loc[own.index, "brand"] == row["brand"]).all()
        for name in ("like", "comment", "share", "mention", "post"):
            assert_share((own == name).mean(), row[name], len(own))


def test_conversations_are_about_brands_and_platforms_as_said(calm: pd.DataFrame) -> None:
    first = calm[~calm["offspring"]]
    count = len(first)
    for row in Social().brands.to_dict("records"):
        assert_share((first["brand"] == row["brand"]).mean(), row["share"], count)
        assert row["handle"] == "@" + row["brand"].lower()
    for platform, expected in {"chirper": 0.4, "photofeed": 0.3, "clipstream": 0.2, "townsquare": 0.1}.items():
        assert_share((first["platform"] == platform).mean(), expected, count)
    assert_share(first["campaign"].notna().mean(), 0.4, count)


@pytest.mark.parametrize("zipf", [0.0, 0.8, 1.0, 1.5])
def test_authors_and_brands_follow_zipf(zipf: float) -> None:
    source = Social(seed=8, users=200, zipf=zipf, viral_size=0, branching=0.2, reaction_s=1)
    frame = source.frame(100_000)
    posts = frame[frame["topic"] == "social-posts"]
    written = posts["user"].cat.codes.value_counts().reindex(range(200), fill_value=0).sort_index()
    expected = np.arange(1.0, 201) ** -zipf
    expected /= expected.sum()
    # Pearson's chi-squared has 199 degrees of freedom.
    assert (((written / len(posts) - expected) ** 2 / expected).sum() * len(posts) - 199) < SIGMAS * np.sqrt(2 * 199)
    assert source.brands["share"].to_numpy() == pytest.approx(expected[:12] / expected[:12].sum())
    others = frame.loc[frame["topic"] != "social-posts", "user"].value_counts()
    assert others.var() / others.mean() == pytest.approx(1, abs=SIGMAS * np.sqrt(2 / 200))


def test_the_sentiments_of_a_brand(calm: pd.DataFrame) -> None:
    texts = calm[calm["text"].notna()]
    for row in Social().brands.to_dict("records"):
        own = texts.loc[texts["brand"] == row["brand"], "sentiment"]
        for sentiment in ("negative", "neutral", "positive"):
            # Texts of a conversation hang together, at most as much as its events do: four at this branching.
            assert_share((own == sentiment).mean(), row[sentiment], len(own), spread=4)


def test_answers_agree_with_their_post_more_often_than_not(calm: pd.DataFrame) -> None:
    first = calm[~calm["offspring"]].set_index("post_id")["sentiment"].astype(str)
    answers = calm[calm["topic"].isin(["social-comments", "social-mentions"]) & calm["post_id"].isin(first.index)]
    shares = Social().brands.set_index("brand")[["negative", "neutral", "positive"]].to_numpy()
    # With probability 0.6 the mood, else any: the same with the sum of squares of the shares.
    expected = 0.6 + 0.4 * (shares[answers["brand"].cat.codes] ** 2).sum(axis=1).mean()
    agree = answers["sentiment"].astype(str).to_numpy() == first.loc[answers["post_id"]].to_numpy()
    assert_share(agree.mean(), expected, len(answers), spread=4)


def test_the_viral_post(viral: pd.DataFrame) -> None:
    source = Social(seed=1)
    (post,) = source.viral.to_dict("records")
    row = viral.loc[post["event_id"]]
    assert (post["start_ms"] - source.start_ms) == 600_000 == row["timestamp_ms"] - source.start_ms
    for column in ("post_id", "brand", "platform"):
        assert row[column] == post[column]
    assert (row["topic"], row["sentiment"], row["figure"]) == ("social-posts", "negative", "plain")
    assert "caught fire" in row["text"]
    assert (viral["text"] == row["text"]).sum() == 1
    assert row["viral"]
    assert not row["offspring"]
    assert viral.loc[viral["viral"], "event_id"].iloc[0] == post["event_id"]


def test_how_large_and_how_long_the_viral_cascade_is() -> None:
    sizes, over = [], []
    for seed in range(12):
        source = Social(seed=seed, rate=5, viral_after_s=30, viral_size=2000, branching=0.6, reaction_s=10)
        events = joined(source, 6000)
        times = events.loc[events["viral"] & events["offspring"], "timestamp_ms"]
        assert times.iloc[-1] < events["timestamp_ms"].iloc[-1] - 60_000, "the cascade is over"
        sizes.append(len(times))
        over.append((times < source.viral["end_ms"].iloc[0]).mean())
    # Each of Poisson many direct reactions sets off a cascade; see Hawkes and Oakes (1974).
    assert np.mean(sizes) == pytest.approx(2000, abs=SIGMAS * np.sqrt(2000 * 6.25 / len(sizes)))
    assert_share(np.mean(over), 0.95, sum(sizes), spread=6.25)


def test_the_viral_post_is_a_hot_key_and_a_spike(viral: pd.DataFrame) -> None:
    (post,) = Social(seed=1).viral.to_dict("records")
    span = viral[viral["timestamp_ms"].between(post["start_ms"], post["end_ms"])]
    likes = span[span["topic"] == "social-likes"]["post_id"].value_counts(normalize=True)
    assert likes.index[0] == post["post_id"]
    assert likes.iloc[0] > 0.4 > 20 * likes.iloc[1]
    mentions = viral[(viral["topic"] == "social-mentions") & (viral["brand"] == post["brand"])]
    minute = (mentions["timestamp_ms"] - Social().start_ms) // 60_000
    per_minute = minute.value_counts().sort_index()
    assert per_minute.idxmax() == 10
    assert per_minute.max() > 5 * per_minute[per_minute.index < 10].max()
    assert (mentions.loc[minute.between(10, 20), "sentiment"] == "negative").mean() > 0.55


def test_without_a_viral_post(calm: pd.DataFrame) -> None:
    source = Social(viral_size=0)
    assert len(source.viral) == 0
    assert source.viral.dtypes["post_id"] == Social().viral.dtypes["post_id"] == np.int64
    assert not calm["viral"].any()
    assert not calm["text"].astype(str).str.contains("caught fire").any()


def test_a_source_of_few_things() -> None:
    source = Social(users=1, brands=1, branching=0, viral_size=10, viral_after_s=0, rate=0.5)
    frame = source.frame(100)
    assert set(frame["user"]) == {"ada_abel"}
    assert set(frame["brand"]) == {"Auralis"}
    assert source.viral["brand"].tolist() == ["Auralis"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate": 0},
        {"rate": "fast"},
        {"rate": float("nan")},
        {"branching": 1},
        {"branching": -0.1},
        {"branching": True},
        {"reaction_s": 0.5},
        {"users": 0},
        {"users": 2.5},
        {"brands": 17},
        {"zipf": -1},
        {"viral_after_s": -1},
        {"viral_after_s": 1.5},
        {"viral_size": 10**7},
    ],
    ids=str,
)
def test_arguments_that_cannot_be(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(InvalidArgument, match=rf"^{name}=.* is not possible: give a .*\.$"):
        Social(**wrong)
