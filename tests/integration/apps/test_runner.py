"""Applications as processes beside traffic, on real brokers: all is worked on once, and decided as in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psutil
import pytest

from benchmarks.soak.scenarios import fingerprints_in_memory
from kafkalab import Cluster, traffic
from kafkalab.apps.figures import Figures
from kafkalab.apps.runner import Applications
from kafkalab.errors import ApplicationFailed, InvalidArgument
from kafkalab.simulation import SOURCES
from kafkalab.traffic import Run
from kafkalab.waiting import wait_until
from tests.integration.conftest import wait_until_gone
from tests.processes import words

pytestmark = pytest.mark.integration
COUNT = 4000


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=3) as running:
        yield running


@pytest.fixture
def guest(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A guest on the cluster, whose names are no other test's, and go with it."""
    prefix = f"{request.node.originalname}-"
    with Cluster.connect(cluster.bootstrap_servers, prefix=prefix) as borrowed:
        yield borrowed
    wait_until_gone(cluster, prefix)


def sent(cluster: Cluster, scenario: str, producers: int = 1) -> Run:
    return traffic.start(cluster, SOURCES[scenario](), COUNT, client="confluent-kafka", producers=producers)


def worked_on(cluster: Cluster, scenario: str, producers: int) -> list[Figures]:
    with Applications(cluster, scenario, ordered=producers == 1) as applications:
        run = sent(cluster, scenario, producers)
        applications.follow(run)
        run.wait()
        applications.finish()
        return applications.look(run.ledger, stored=True)


def processes() -> list[psutil.Process]:
    return [each for each in psutil.Process(os.getpid()).children() if "kafkalab.apps.member" in words(each)]


@pytest.mark.parametrize("scenario", ["stocks", "city"])
def test_one_producer_and_then_several_to_the_same_topics(scenario: str, cluster: Cluster) -> None:
    for producers in (1, 3):
        seen = worked_on(cluster, scenario, producers)
        assert {each.name: each.fingerprint for each in seen} == fingerprints_in_memory(scenario, COUNT)
        for each in seen:
            assert each.complete, each
            assert (each.read, each.lag, each.late, each.redelivered) == (each.processed, 0, 0, 0)
            assert 0 < each.latency["p50_ms"] <= each.latency["p95_ms"] <= each.latency["max_ms"]
            lag = cluster.lag(each.group)
            assert (lag["lag"].sum(), lag["committed"].sum()) == (0, each.processed * (1 if producers == 1 else 2))
    assert processes() == []


def test_while_traffic_runs_nothing_waits_for_its_end(guest: Cluster) -> None:
    source = SOURCES["stocks"]()
    with (
        Applications(guest, "stocks", ["trading-algorithm"]) as applications,
        traffic.start(guest, source, 10**6, rate=1000) as run,
    ):
        applications.follow(run)
        # News of most partitions is an hour of simulated time away.
        wait_until(lambda: applications.look(run.ledger), lambda seen: seen[0].decided > 300, what="signals")
        wait_until(lambda: guest.lag(guest.name("trading-algorithm"))["committed"].sum() > 0, what="a commit")


def test_one_that_is_killed_is_an_error(guest: Cluster) -> None:
    with Applications(guest, "social") as applications:
        run = sent(guest, "social")
        applications.follow(run)
        processes()[1].kill()
        with pytest.raises(ApplicationFailed, match=r"application 'marketing-team' ended by itself: SIGKILL\. "):
            applications.finish()
        run.wait()
        assert not applications.look(run.ledger, stored=True)[1].complete
    assert processes() == []


def test_what_is_no_json_is_named(guest: Cluster) -> None:
    with Applications(guest, "stocks", ["analyst"]) as applications:
        guest.producer().send(guest.name("stock-prices"), b"{no", partition=2).get(10)
        with pytest.raises(ApplicationFailed, match=r"'analyst' .*-stock-prices-2 has at offset 0 what is no JSON"):
            applications.finish()


def test_topics_that_do_not_go_together(guest: Cluster) -> None:
    guest.create_topic("news-sentiment", partitions=3)
    with pytest.raises(InvalidArgument, match="needs the same partitions of stock-prices, news-sentiment"):
        Applications(guest, "stocks").__enter__()
    assert processes() == []


def test_names_that_there_are_not(cluster: Cluster) -> None:
    with pytest.raises(InvalidArgument, match="there is no scenario 'weather': choose from stocks"):
        Applications(cluster, "weather")
    with pytest.raises(InvalidArgument, match="city has no application 'analyst': choose from planners"):
        Applications(cluster, "city", ["analyst"])
    with Applications(cluster, "shop") as none:
        none.finish()
        assert none.look(traffic.run(cluster, [], 0).ledger) == []
