"""Starting traffic: the two functions that lessons and the command line call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kafkalab.clusters import Cluster
from kafkalab.ledger import Ledger
from kafkalab.simulation.source import Record, Source
from kafkalab.traffic.asked import Asked, Faults
from kafkalab.traffic.group import Group
from kafkalab.traffic.running import Run

__all__ = ["run", "start"]


def start(
    cluster: Cluster,
    source: Source | Iterable[Record],
    records: int | None = None,
    *,
    rate: float | None = None,
    speed: float | None = None,
    client: str = "kafka-python",
    producers: int = 1,
    acks: str | int = "all",
    topics: Mapping[str, object] | None = None,
    producer_config: Mapping[str, Any] | None = None,
    consumers: Sequence[Group] | None = None,
    faults: Faults | None = None,
    progress: bool | None = None,
    deadline: float = 30.0,
    ledger: Ledger | None = None,
) -> Run:
    """Start to send records and return the run, which goes on in the background.

    Args:
        cluster: where to.
        source: one of :mod:`kafkalab.simulation`, or records; their topics are made where they are missing.
        records: how many; None for all that ``source`` has, where it is no simulated one.
        rate: records/s in real time.
        speed: simulated seconds for each real one, by the records' times. Neither: as fast as it goes.
        client: ``"kafka-python"`` or ``"confluent-kafka"``.
        producers: how many, each with a thread and a session of its own; all records of a key go through one.
        acks: ``"all"``, 1 or 0; with 0 nothing is acknowledged, and every record stays unknown.
        topics: for topics by name, the number of partitions, or ``partitions``, ``replication_factor``, ``config``.
        producer_config: settings of the client library, in its own names, over the harness's.
        consumers: groups that read meanwhile; the run ends when they have read what was acknowledged.
        faults: a :class:`kafkalab.faults.Schedule`; undone when the run ends.
        progress: whether to show a bar; by default where somebody looks.
        deadline: seconds after which a send counts as unknown, and after which nothing is waited for any more.
        ledger: to keep several runs in; by default a new one.

    Raises:
        InvalidArgument: a value that cannot be right; nothing was sent.
        TrafficFailed: no broker answers.
        NotRunning: the cluster does not run.
    """
    asked = Asked(
        source,
        records,
        rate,
        speed,
        client,
        producers,
        acks,
        topics or {},
        producer_config or {},
        tuple(consumers or ()),
        faults,
        deadline,
    )
    started = Run(cluster, asked, Ledger() if ledger is None else ledger, progress=progress)
    started._start()  # noqa: SLF001 - one thing in two modules
    return started


def run(cluster: Cluster, source: Source | Iterable[Record], records: int | None = None, **settings: Any) -> Run:
    """Send records and return the run when it has ended; takes what :func:`start` takes.

    Ctrl-C stops it in good order, and is raised then.

    Raises:
        TrafficFailed: it could not go on; the error's ``run`` has what was sent until then.
        InvalidArgument: a value that cannot be right; nothing was sent.
        NotRunning: the cluster does not run.
    """
    with start(cluster, source, records, **settings) as started:
        return started.wait()
