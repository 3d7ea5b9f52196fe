"""Twenty times acks=1 with lagging followers: records are lost each time, and every one of them is named."""

from __future__ import annotations

from benchmarks.second_reading import disagreements, read_topic, second_opinion
from benchmarks.soak.faulty_traffic import CLIENTS, numbered, with_lagging_followers
from benchmarks.soak.outcome import Advance, Outcome, Soak
from kafkalab import Cluster

__all__ = ["SOAK"]

_TIMES = 20
_QUICK_TIMES = 2


def _round(cluster: Cluster, topic: str, client: str) -> tuple[int, list[str]]:
    """Return how many records were lost in one round, and what was wrong with it."""
    run = with_lagging_followers(cluster, topic, client)
    verdict = run.ledger.verify(cluster)
    opinion = second_opinion(run.ledger, read_topic(cluster, topic), numbered(topic))
    kept = [] if verdict.lost else ["nothing was lost"]
    return verdict.lost, kept + disagreements(verdict, opinion)


def _run(quick: bool, advance: Advance) -> Outcome:
    times = _QUICK_TIMES if quick else _TIMES
    failures: list[str] = []
    losses: list[int] = []
    with Cluster(brokers=3) as cluster:
        for number in range(times):
            client = CLIENTS[number % len(CLIENTS)]
            lost, wrong = _round(cluster, f"lagging-{number}", client)
            losses.append(lost)
            failures += [f"round {number + 1} ({client}): {what}" for what in wrong]
            advance((number + 1) / times)
    seen = f"{times} rounds, {min(losses)} to {max(losses)} records lost in each"
    return Outcome.of(failures, f"{seen}, the same to Kafka's console consumer, by name")


SOAK = Soak("lagging", "20 rounds of lagging followers under acks=1: losses each time, every one named", _run)
