"""Runs that were never started, and firings made by hand."""

from __future__ import annotations

from typing import Any

from kafkalab import Cluster
from kafkalab.cli.experiment import Experiment
from kafkalab.clusters.node import Node
from kafkalab.clusters.spec import NodeSpec
from kafkalab.faults import Firing, Observation
from kafkalab.faults.actions import Kill
from kafkalab.faults.targets import Aim
from kafkalab.ledger import Ledger
from kafkalab.traffic import Run
from kafkalab.traffic.asked import Asked

PARTITION = ("stock-prices", 0)


def make_experiment(**wishes: Any) -> Experiment:
    """What the command line asks for by default, but for ``wishes``."""
    defaults = {
        "scenario": "stocks",
        "records": 1000,
        "rate": None,
        "speed": None,
        "client": "kafka-python",
        "producers": 1,
        "acks": "all",
        "consumers": 0,
        "applications": True,
        "seed": 0,
        "brokers": None,
        "fault": "none",
        "fault_at": None,
        "bootstrap_servers": None,
    }
    return Experiment(**{**defaults, **wishes})


def make_run(experiment: Experiment, ledger: Ledger) -> Run:
    """A run with a hand-written ledger, on no cluster."""
    return Run(Cluster(), Asked(source=experiment.source, **experiment.traffic), ledger, progress=False)


def make_firing(at: float, *, seen: Observation | None = None, **times: float) -> Firing:
    """Broker 1, leader of ``PARTITION``, killed at that second with 300 records acknowledged; with more ``times``."""
    backend: Any = None
    node = Node(NodeSpec(1, ("broker",)), backend, lambda node_id, timeout: None)
    firing = Firing(Kill(), Cluster(), Aim((node,), "leader of stock-prices-0", PARTITION))
    firing.at, firing.observed = at, seen
    for name, time in times.items():
        setattr(firing, name, time)
    firing.sent, firing.acknowledged = 320, 300
    return firing


def make_ledger(count: int = 10, *, seconds: float = 0.01, began: float = 100.0) -> Ledger:
    """So many records sent a second apart, each acknowledged after ``seconds``."""
    ledger = Ledger()
    session = ledger.session()
    session.identities(count)
    sent_at = [began + number for number in range(count)]
    session.sent(0, "stock-prices", [b"k"] * count, [b"v"] * count, sent_at)
    session.acknowledged(range(count), [0] * count, range(count), [at + seconds for at in sent_at])
    return ledger
