from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from kafkalab.apps.figures import Figures
from kafkalab.cli.outcome import Outcome
from kafkalab.faults import Observation
from kafkalab.ledger import Ledger, PartitionBounds, Reading, StoredBatch
from kafkalab.ledger.book import checksums
from tests.unit.cli.conftest import make_experiment, make_firing, make_ledger, make_run


@dataclass
class Emptied:
    """A log from which everything is gone."""

    bounds: Mapping[tuple[str, int], PartitionBounds] = field(
        default_factory=lambda: {("stock-prices", 0): PartitionBounds(0, 0, reached=True, compacts=False)}
    )

    def __iter__(self) -> Sequence[StoredBatch]:
        return iter(())  # type: ignore[return-value]

    def read_log(self, topics: Sequence[str], *, committed: bool = False, timeout: float = 60.0) -> Reading:
        return self  # type: ignore[return-value]


def outcome(ledger: Ledger, **wishes: object) -> Outcome:
    experiment = make_experiment(**wishes)
    return Outcome(experiment, make_run(experiment, ledger), ledger.verify(Emptied()), began=100.0)


def test_for_programs_it_is_one_json_object() -> None:
    ledger = make_ledger(10, seconds=0.25)
    told = json.loads(json.dumps(outcome(ledger, seed=5).as_dict(), allow_nan=False))
    assert {name: told[name] for name in ("scenario", "seed", "client", "records", "rate")} == {
        "scenario": "stocks",
        "seed": 5,
        "client": "kafka-python",
        "records": 1000,
        "rate": 2000.0,
    }
    assert told["latency"] == pytest.approx({"p50": 250, "p95": 250, "p99": 250, "max": 250})
    assert told["longest_gap"] == pytest.approx(1.0)
    assert (told["clean"], told["verified"], told["interrupted"], told["error"]) == (False, True, False, None)
    assert (told["verdict"]["sent"], told["verdict"]["lost"]) == (10, 10)
    assert told["faults"] == told["consumers"] == []


def test_what_is_not_known_is_null() -> None:
    told = outcome(Ledger()).as_dict()
    assert told["latency"] == {"p50": None, "p95": None, "p99": None, "max": None}
    assert told["longest_gap"] is None
    assert told["throughput"] == 0.0


def test_a_recovery_counts_from_the_beginning_of_the_run() -> None:
    ledger = make_ledger(10)
    ledger.event("kill", 103.5)
    (recovery,) = outcome(ledger).as_dict()["verdict"]["recoveries"]
    assert recovery == {"name": "kill", "at": pytest.approx(3.5), "seconds": pytest.approx(0.51)}


def test_in_words() -> None:
    ledger = make_ledger(10)
    whole = outcome(ledger)
    first, *lines = whole.lines()
    assert first.startswith("1,000 records of stocks: 2,000 records/s, kafka-python, acks=all: done after ")
    assert "latency      p50 10.0 ms, p95 10.0 ms, p99 10.0 ms, max 10.0 ms" in lines
    assert ": stopped after" in next(replace(whole, interrupted=True).lines())
    assert ": broken off after" in next(replace(whole, error="no.").lines())
    assert "latency      not known: nothing was acknowledged" in list(outcome(Ledger()).lines())


def test_a_fault_is_told_with_what_followed() -> None:
    ledger = make_ledger(10)
    firing = make_firing(103.5, seen=Observation(2.0, (2, 3), leader=2, isr=(2, 3)), undo_at=107.5, undone_at=108.0)
    ledger.event(firing.name, firing.at)
    broken = outcome(ledger, fault="kill-leader")
    broken.experiment.schedule.firings.append(firing)
    assert list(broken.lines())[-8:] == [
        "   3.50 s  kill broker 1, leader of stock-prices-0 (320 sent, 300 acknowledged)",
        "   4.01 s  every partition had taken new records, 0.51 s after the fault",
        "   5.50 s  broker 2 leads stock-prices-0 now; in-sync replicas: 2, 3",
        "   7.50 s  broker 1 is started again",
        "   8.00 s  broker 1 is back in the cluster, and known to every broker",
        "   8.00 s  the run ended before broker 1 was an in-sync replica of stock-prices-0 again",
        "Longest time without any acknowledgement: 1.00 s.",
        "",
    ]
    (told,) = broken.as_dict()["faults"]
    assert (told["leader"], told["recovered_after"]) == (2, pytest.approx(0.51))


def test_what_nobody_acknowledged_and_is_not_there_is_told() -> None:
    ledger = Ledger()
    session = ledger.session()
    session.identities(3)
    session.sent(0, "stock-prices", [b"k"] * 3, [b"v"] * 3, 100.0)
    unacknowledged = outcome(ledger, acks="0")
    assert unacknowledged.verdict.clean
    assert "3 records that were never acknowledged are not stored" in str(unacknowledged.verdict)


def test_a_fault_that_did_not_come_to_it() -> None:
    assert "kill-leader has not fired: the run ended before." in list(
        outcome(make_ledger(2), fault="kill-leader").lines()
    )


def test_duplicates_after_a_restart_are_explained() -> None:
    ledger = make_ledger(10)
    broken = outcome(ledger, fault="kill-leader")
    twice = replace(broken, verdict=replace(broken.verdict, duplicated=9))
    told = [line for line in twice.lines() if "producer.id.expiration.ms" in line]
    assert len(told) == 1
    assert told[0].startswith("Records are stored twice where a retry crosses a restart")
    assert not any("producer.id" in line for line in broken.lines())
    without = outcome(ledger)
    without = replace(without, verdict=replace(without.verdict, duplicated=9))
    assert not any("producer.id" in line for line in without.lines())


# ---- applications ------------------------------------------------------------------------------------------------

LATENCY = {"p50_ms": 12.34, "p95_ms": 30.0, "p99_ms": 1834.0, "max_ms": 2000.0}
ANALYST = Figures(
    "analyst", "anna-analyst", read=10, processed=10, stored=10, decisions={"Candle": 3}, fingerprint="834a58fa7679",
    latency=LATENCY, finished=True, last_at=112.0,
)  # fmt: skip
WAITING = Figures(
    "decisions", "anna-decisions", read=10, processed=4, stored=10, fingerprint="0" * 12,
    latency=dict.fromkeys(LATENCY, float("nan")), finished=True, last_at=104.0,
)  # fmt: skip


@dataclass
class Whole(Emptied):
    """A log that has what :func:`make_ledger` sent."""

    ledger: Ledger = field(default_factory=make_ledger)
    bounds: Mapping[tuple[str, int], PartitionBounds] = field(
        default_factory=lambda: {("stock-prices", 0): PartitionBounds(0, 10, reached=True, compacts=False)}
    )

    def __iter__(self) -> Iterator[StoredBatch]:  # type: ignore[override]
        (session,) = self.ledger._account.sessions
        identities: list[bytes | None] = [b"%08x-%012d" % (session.number, number) for number in range(10)]
        sums = checksums([b"k"] * 10), checksums([b"v"] * 10)
        yield StoredBatch("stock-prices", 0, np.arange(10), identities, *sums)


def whole(*applications: Figures) -> Outcome:
    log, experiment = Whole(), make_experiment()
    verdict = log.ledger.verify(log)
    assert verdict.clean, verdict
    return Outcome(experiment, make_run(experiment, log.ledger), verdict, 100.0, applications)


def test_a_run_is_good_when_all_applications_did_all() -> None:
    assert whole().good
    assert whole(ANALYST).good
    for worse in (replace(ANALYST, processed=9), replace(ANALYST, stored=None), replace(ANALYST, finished=False)):
        assert not whole(ANALYST, worse).good
    assert not replace(outcome(make_ledger()), applications=[ANALYST]).good  # all is lost


def test_the_speed_through_all_applications() -> None:
    assert whole().processed_per_second is None
    assert whole(ANALYST, replace(ANALYST, last_at=120.0)).processed_per_second == pytest.approx(10 / 20)
    assert whole(ANALYST, replace(ANALYST, finished=False)).processed_per_second is None


def test_applications_in_words() -> None:
    lines = list(whole(ANALYST, WAITING).lines())
    first = lines.index(next(line for line in lines if line.startswith("application ")))
    assert [re.split("  +", line) for line in lines[first : first + 3]] == [
        ["application", "records", "decisions", "fingerprint", "p50", "p95", "p99"],
        ["analyst", "10", "3", "834a58fa7679", "12.3 ms", "30.0 ms", "1,834.0 ms"],
        ["decisions", "4", "0", "000000000000", ""],
    ]
    assert lines[first + 3 : first + 6] == [
        "1 records/s from the first send until the last application had worked on all of them.",
        "decisions has worked on 4 records; stored in its topics: 10.",
        "",
    ]
    unknown = list(whole(replace(WAITING, stored=None)).lines())
    assert "decisions has worked on 4 records; stored in its topics: not known." in unknown


def test_applications_for_programs() -> None:
    analyst, waiting = json.loads(json.dumps(whole(ANALYST, WAITING).as_dict(), allow_nan=False))["applications"]
    assert analyst["latency"] == {"p50": 12.34, "p95": 30.0, "p99": 1834.0, "max": 2000.0}
    assert analyst["kinds"] == {"Candle": 3}
    assert [(each["records"], each["stored"], each["complete"]) for each in (analyst, waiting)] == [
        (10, 10, True),
        (4, 10, False),
    ]
    assert waiting["latency"] == dict.fromkeys(analyst["latency"])
