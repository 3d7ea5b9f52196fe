from __future__ import annotations

from kafkalab.apps import as_frame
from kafkalab.apps.social import Engagement, MarketingTeam
from kafkalab.simulation import Social
from tests.unit.apps.conftest import received, run

N = 30_000
KINDS = {"social-likes": "likes", "social-comments": "comments", "social-shares": "shares"}


def test_engagement_is_that_of_a_groupby() -> None:
    source = Social(seed=2)
    seen = as_frame(Engagement, run(MarketingTeam, received(source, N)))
    frame = source.frame(N).assign(time_ms=lambda frame: frame["timestamp_ms"] // 600_000 * 600_000)
    frame = frame[frame["topic"].isin(KINDS)].dropna(subset="campaign")
    names = frame["topic"].astype(str).map(KINDS)
    wanted = frame.groupby(["time_ms", frame["campaign"].astype(str), names]).size().unstack(fill_value=0)
    counts = seen.set_index(["time_ms", "campaign"])[["likes", "comments", "shares"]]
    assert counts.to_dict("index") == wanted[list(KINDS.values())].to_dict("index")
    assert (counts.sum(axis="columns").to_numpy() == seen["engagement"]).all()
    assert seen["engagement"].sum() > 4000
    brands = source.campaigns.set_index("campaign")["brand"]
    assert (seen["campaign"].map(brands) == seen["brand"]).all()
