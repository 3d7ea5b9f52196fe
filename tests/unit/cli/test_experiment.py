from __future__ import annotations

import math
from itertools import islice

import pytest

from kafkalab.cli.experiment import DEFAULT_RATE, KINDS, SCENARIOS
from kafkalab.errors import InvalidArgument
from kafkalab.simulation import SOURCES
from tests.unit.cli.conftest import make_experiment


def test_every_source_is_described() -> None:
    assert list(SCENARIOS) == list(SOURCES)


def test_the_pace() -> None:
    assert make_experiment().pace == DEFAULT_RATE
    assert make_experiment(rate=50.0).pace == 50.0
    assert make_experiment(rate=math.inf).pace is None
    assert make_experiment(speed=60.0).pace is None
    with pytest.raises(InvalidArgument, match="exclude each other"):
        make_experiment(rate=math.inf, speed=60.0)


@pytest.mark.parametrize("scenario", SOURCES)
def test_the_same_seed_gives_the_same_records(scenario: str) -> None:
    first, again, other = (make_experiment(scenario=scenario, seed=seed).source.records(50) for seed in (7, 7, 8))
    records = list(first)
    assert records == list(again)
    assert records != list(islice(other, 50))


@pytest.mark.parametrize("fault", KINDS)
def test_a_fault_hits_the_leader_of_the_first_partition(fault: str) -> None:
    experiment = make_experiment(scenario="shop", fault=fault)
    assert experiment.target == ("carts", 0)
    assert str(experiment.schedule.faults[0].target) == "leader of carts-0"
    assert experiment.coming.endswith("when 300 are acknowledged, undone 5 s later")
    assert experiment.schedule is experiment.schedule


def test_when_a_fault_fires() -> None:
    (at,) = make_experiment(fault="kill-leader", fault_at=17).schedule.faults
    assert (at.trigger.acknowledged, at.trigger.sent) == (17, 0)
    # With acks=0 nothing is ever acknowledged.
    (sent,) = make_experiment(fault="kill-leader", acks="0").schedule.faults
    assert (sent.trigger.acknowledged, sent.trigger.sent) == (0, 300)
    (only,) = make_experiment(fault="kill-leader", records=1).schedule.faults
    assert only.trigger.acknowledged == 1


def test_without_a_fault_nothing_is_to_come() -> None:
    experiment = make_experiment()
    assert (experiment.kind, experiment.target, experiment.coming, experiment.schedule.faults) == (None, None, "", ())


def test_only_network_faults_need_a_proxy() -> None:
    assert {name for name, kind in KINDS.items() if kind.proxied} == {"isolate-leader", "slow-leader"}


def test_consumers_are_one_group() -> None:
    assert make_experiment().traffic["consumers"] == []
    (group,) = make_experiment(consumers=3).traffic["consumers"]
    assert (group.name, group.members) == ("readers", 3)


def test_it_says_what_it_is() -> None:
    assert str(make_experiment()) == "1,000 records of stocks: 2,000 records/s, kafka-python, acks=all"
    fast = make_experiment(rate=math.inf, producers=4, acks="1", client="confluent-kafka")
    assert str(fast) == "1,000 records of stocks by 4 producers: as fast as it goes, confluent-kafka, acks=1"
    assert "60 simulated seconds a second" in str(make_experiment(speed=60.0))


def test_who_reads() -> None:
    assert list(make_experiment().readers) == ["analyst", "trading-algorithm", "decisions"]
    assert not make_experiment(applications=False).readers
    assert not make_experiment(scenario="shop").readers


def test_several_producers_race() -> None:
    assert make_experiment().ordered
    assert not make_experiment(producers=2).ordered
    # Nothing is ever acknowledged that could tell how far they are.
    assert make_experiment(producers=2, acks="0").ordered
