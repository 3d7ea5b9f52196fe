"""What the ledger costs: traffic beside the bare client libraries, and verifying beside reading back."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import Any

from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as ConfluentPartition
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from benchmarks.results import Benchmark, Measure, Result, Tick
from kafkalab import Cluster, traffic
from kafkalab.clusters.reading import LOGGER
from kafkalab.ledger import Ledger
from kafkalab.ledger.identity import HEADER
from kafkalab.simulation.source import Record
from kafkalab.traffic.with_confluent import AT_FULL_SPEED, DEFAULTS

__all__ = ["BENCHMARK", "Contest", "perf_test_seconds"]

_PYTHON = Measure("traffic with ledger by kafka-python, of the bare library's time", "", 1 / 0.90)
_CONFLUENT = Measure("traffic with ledger by confluent-kafka, of the bare library's time", "", 1 / 0.75)
_JAVA = Measure("traffic with ledger by confluent-kafka, of the time of Kafka's kafka-producer-perf-test", "", 1.0)
_VERIFY = Measure("verifying, of the time of a confluent-kafka loop that reads the same", "")
_VERIFY_PYTHON = Measure("verifying, of the time of a kafka-python loop that reads the same", "", 1.0)
_RECORDS = {"kafka-python": 60_000, "confluent-kafka": 500_000}
_VERIFIED = 1_000_000
_PARTITIONS = 6
_KEYS = 50
_START_MS = 1_740_000_000_000
_IDENTITY = b"0123abcd-000000000001"  # as long as every other
# perf-test can send neither keys nor headers: the same bytes in its values.
_BYTES = 100 + 2 + len(HEADER) + len(_IDENTITY)
_TOOL_SECONDS = 300.0
_SENT = re.compile(r"^(\d+) records sent, ([\d.]+) records/sec", re.MULTILINE)


def _records(count: int) -> list[Record]:
    value = bytes(100)
    return [Record("load", b"%02d" % (n % _KEYS), value, _START_MS + n) for n in range(count)]


def _by_kafka_python(cluster: Cluster, records: Sequence[Record]) -> None:
    producer: Any = KafkaProducer(**cluster.client_config(), acks="all")
    headers = [(HEADER, _IDENTITY)]
    for topic, key, value, timestamp, _ in records:
        producer.send(topic, value, key, headers, None, timestamp)
    producer.flush()
    producer.close()


def _by_confluent_kafka(cluster: Cluster, records: Sequence[Record]) -> None:
    own = {**DEFAULTS, **AT_FULL_SPEED, "acks": "all", "enable.idempotence": True}
    producer = Producer({**cluster.client_config("confluent-kafka"), **own}, logger=LOGGER)
    headers = [(HEADER, _IDENTITY)]
    for topic, key, value, timestamp, _ in records:
        while True:
            try:
                producer.produce(topic, value, key, headers=headers, timestamp=timestamp)
                break
            except BufferError:
                producer.poll(0.01)
    producer.flush()


_BARE: dict[str, Callable[[Cluster, Sequence[Record]], None]] = {
    "kafka-python": _by_kafka_python,
    "confluent-kafka": _by_confluent_kafka,
}


def perf_test_seconds(output: str) -> float:
    """Return the seconds that kafka-producer-perf-test says it took: from its last line, which sums up.

    Raises:
        ValueError: it says nothing of the kind.
    """
    found = _SENT.findall(output)
    if not found:
        raise ValueError(f"kafka-producer-perf-test did not say how much it sent: {output!r}")
    count, rate = found[-1]
    return int(count) / float(rate)


class Contest:
    """All contestants on one cluster, in seconds.

    Args:
        cluster: where to.
        tick: called before each.
    """

    def __init__(self, cluster: Cluster, tick: Tick) -> None:
        self._cluster = cluster
        self._tick = tick
        self._records = {client: _records(count) for client, count in _RECORDS.items()}
        cluster.create_topic("load", partitions=_PARTITIONS)

    def traffic(self, client: str) -> float:
        """Send with a ledger."""
        self._tick(f"traffic by {client}")
        return _timed(lambda: self._run(self._records[client], client))

    def bare(self, client: str) -> float:
        """Send by the library alone."""
        self._tick(f"bare {client}")
        return _timed(lambda: _BARE[client](self._cluster, self._records[client]))

    def perf_test(self) -> float:
        """Send by Kafka's own producer, which says how long it took, its start not counted."""
        self._tick("kafka-producer-perf-test")
        count = str(_RECORDS["confluent-kafka"])
        arguments = ["--topic", "load", "--num-records", count, "--throughput", "-1", "--record-size", str(_BYTES)]
        return perf_test_seconds(
            self._cluster.kafka_tool("kafka-producer-perf-test", *arguments, timeout=_TOOL_SECONDS)
        )

    def _run(self, records: Sequence[Record], client: str) -> Ledger:
        ledger = traffic.run(self._cluster, records, client=client, progress=False).ledger
        assert ledger.counts.acknowledged == len(records)
        return ledger

    def sent_to_read(self) -> Ledger:
        """Send what is then read back, to a topic of its own."""
        self._cluster.create_topic("verified", partitions=_PARTITIONS)
        records = (record._replace(topic="verified") for record in _records(_VERIFIED))
        run = traffic.run(self._cluster, records, client="confluent-kafka", progress=False)
        return run.ledger

    def verify(self, ledger: Ledger) -> float:
        """Verify what was sent."""
        self._tick("verify")
        return _timed(lambda: _demand_clean(ledger, self._cluster))

    def read(self, client: str) -> float:
        """Read the same by a loop of the library alone, which looks at every part of a record."""
        self._tick(f"read by {client}")
        return _timed(lambda: _READ[client](self._cluster))


def _timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _demand_clean(ledger: Ledger, cluster: Cluster) -> None:
    verdict = ledger.verify(cluster)
    assert (verdict.clean, verdict.stored) == (True, _VERIFIED), str(verdict)


def _read_by_confluent_kafka(cluster: Cluster) -> None:
    # With the library's default for fetch.queue.backoff.ms, a second, it is four times slower.
    own = {"group.id": "benchmark", "enable.auto.commit": False, "check.crcs": True, "fetch.queue.backoff.ms": 5}
    consumer = Consumer({**cluster.client_config("confluent-kafka"), **own}, logger=LOGGER)
    consumer.assign([ConfluentPartition("verified", number, 0) for number in range(_PARTITIONS)])
    count = 0
    while count < _VERIFIED:
        for message in consumer.consume(5000, 1.0):
            message.offset(), message.key(), message.value(), message.headers()
            count += 1
    consumer.close()


def _read_by_kafka_python(cluster: Cluster) -> None:
    consumer: Any = KafkaConsumer(**cluster.client_config(), auto_offset_reset="earliest", enable_auto_commit=False)
    consumer.assign([TopicPartition("verified", number) for number in range(_PARTITIONS)])
    count = 0
    while count < _VERIFIED:
        count += sum(map(len, consumer.poll(timeout_ms=1000, max_records=5000).values()))
    consumer.close()


_READ: dict[str, Callable[[Cluster], None]] = {
    "kafka-python": _read_by_kafka_python,
    "confluent-kafka": _read_by_confluent_kafka,
}


def _run(rounds: int, tick: Tick) -> list[Result]:
    times: dict[tuple[str, str], list[float]] = {}
    with Cluster(brokers=3) as cluster:
        contest = Contest(cluster, tick)
        ledger = contest.sent_to_read()
        for number in range(rounds):
            # Who comes first changes, so that what the machine does meanwhile favours nobody.
            for what, measured in sorted(_contestants(contest, ledger).items(), reverse=bool(number % 2)):
                times.setdefault(what, []).append(measured())
    return [
        _result(_PYTHON, times["kafka-python", "traffic"], times["kafka-python", "bare"]),
        _result(_CONFLUENT, times["confluent-kafka", "traffic"], times["confluent-kafka", "bare"]),
        _result(_JAVA, times["confluent-kafka", "traffic"], times["confluent-kafka", "perf-test"]),
        _result(_VERIFY, times["read", "verify"], times["read", "confluent-kafka"]),
        _result(_VERIFY_PYTHON, times["read", "verify"], times["read", "kafka-python"]),
    ]


def _contestants(contest: Contest, ledger: Ledger) -> dict[tuple[str, str], Callable[[], float]]:
    clients = tuple(_BARE)
    return {
        **{(client, "traffic"): partial(contest.traffic, client) for client in clients},
        **{(client, "bare"): partial(contest.bare, client) for client in clients},
        ("confluent-kafka", "perf-test"): contest.perf_test,
        ("read", "verify"): partial(contest.verify, ledger),
        **{("read", client): partial(contest.read, client) for client in clients},
    }


def _result(measure: Measure, ours: Sequence[float], other: Sequence[float]) -> Result:
    """Return the median of the ratios of each round's pair, which the load of the machine disturbs least."""
    ratios = [mine / its for mine, its in zip(ours, other, strict=True)]
    return Result(measure, median(ratios), f"{median(ours):.2f} s, the other {median(other):.2f} s")


BENCHMARK = Benchmark(
    name="traffic",
    measures=(_PYTHON, _CONFLUENT, _JAVA, _VERIFY, _VERIFY_PYTHON),
    method=(
        f"seconds for {_RECORDS['kafka-python']:,} (kafka-python) and {_RECORDS['confluent-kafka']:,} records of 100 "
        "bytes, acks=all, idempotent, replication factor 3, six partitions, one producer, from making the producer to "
        "the last acknowledgement; median of the rounds' ratios. Traffic keeps its ledger: an identity and a checksum "
        "for each record, its outcome, offset and times. The bare loop sends prepared records with a header of the "
        "same size by the same settings, and looks at no outcome; kafka-producer-perf-test sends the same bytes "
        "without headers, and its own figure is taken. Verifying: a run of "
        f"{_VERIFIED:,} records is read back and checked; the loops read the same topic and check nothing."
    ),
    rounds=5,
    steps=8,
    run=_run,
)
