"""Verdicts on real runs beside a second reading of the topics by Kafka's own console consumer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.second_reading import disagreements, read_topic, second_opinion
from benchmarks.soak.agreement import KINDS, disagreements_of_a_run
from benchmarks.soak.faulty_traffic import CLIENTS, numbered, with_lagging_followers
from kafkalab import Cluster

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=3) as running:
        yield running


# The second of these runs finds the records of the first one in its topic.
@pytest.mark.parametrize("number", [0, len(KINDS)], ids=CLIENTS)
def test_an_undisturbed_run_is_judged_alike(cluster: Cluster, number: int) -> None:
    assert disagreements_of_a_run(cluster, number) == []


def test_lagging_followers_lose_records_and_both_name_the_same(cluster: Cluster) -> None:
    run = with_lagging_followers(cluster, "lagging", "confluent-kafka")
    verdict = run.ledger.verify(cluster)
    assert verdict.lost > 0
    stored = read_topic(cluster, "lagging")
    assert disagreements(verdict, second_opinion(run.ledger, stored, numbered("lagging"))) == []
    # A reading that left out a single record would be noticed.
    assert disagreements(verdict, second_opinion(run.ledger, stored[1:], numbered("lagging"))) != []
