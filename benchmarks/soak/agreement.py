"""Repeated runs, whole and broken ones, whose verdicts must agree with a reading by Kafka's own console consumer."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from benchmarks.second_reading import disagreements, read_topic, second_opinion
from benchmarks.soak.faulty_traffic import CLIENTS, numbered, with_lagging_followers, with_leader_kills
from benchmarks.soak.outcome import Advance, Outcome, Soak
from kafkalab import Cluster, traffic
from kafkalab.simulation import Crypto, Record
from kafkalab.traffic import Run

__all__ = ["KINDS", "SOAK", "disagreements_of_a_run"]

_TIMES = 20
_COIN_RECORDS = 5000
Sent = tuple[Run, Iterable[Record]]


def _undisturbed(cluster: Cluster, name: str, client: str) -> Sent:
    """Prices of coins, in a topic of six partitions that earlier runs have written to as well."""
    coins = Crypto(seed=1)
    return traffic.run(cluster, coins, records=_COIN_RECORDS, client=client), coins.records(_COIN_RECORDS)


def _with_a_leader_kill(cluster: Cluster, name: str, client: str) -> Sent:
    return with_leader_kills(cluster, name, client, kills=1), numbered(name)


def _with_lagging_followers(cluster: Cluster, name: str, client: str) -> Sent:
    return with_lagging_followers(cluster, name, client), numbered(name)


#: The kinds of runs, by what is done to the cluster meanwhile.
KINDS: dict[str, Callable[[Cluster, str, str], Sent]] = {
    "undisturbed": _undisturbed,
    "leader kill": _with_a_leader_kill,
    "lagging followers": _with_lagging_followers,
}


def disagreements_of_a_run(cluster: Cluster, number: int) -> list[str]:
    """Make one run and return where its verdict and the second reading differ; empty where they agree.

    Args:
        cluster: of three combined nodes.
        number: the kind and the client change with it; another one for each run on this cluster.
    """
    kind, client = list(KINDS)[number % len(KINDS)], CLIENTS[number % len(CLIENTS)]
    run, records = KINDS[kind](cluster, f"agreement-{number}", client)
    verdict = run.ledger.verify(cluster)
    stored = [record for topic in run.topics.values() for record in read_topic(cluster, topic)]
    wrong = disagreements(verdict, second_opinion(run.ledger, stored, records))
    return [f"run {number + 1} ({kind}, {client}): {what}" for what in wrong]


def _run(quick: bool, advance: Advance) -> Outcome:
    times = len(KINDS) if quick else _TIMES
    failures: list[str] = []
    with Cluster(brokers=3) as cluster:
        for number in range(times):
            failures += disagreements_of_a_run(cluster, number)
            advance((number + 1) / times)
    return Outcome.of(failures, f"{times} runs ({', '.join(KINDS)}; {' and '.join(CLIENTS)}): every count, every name")


SOAK = Soak("agreement", "20 verdicts agree with a second reading by Kafka's own console consumer", _run)
