from __future__ import annotations

import pytest

from kafkalab.apps import Output, Task, as_frame
from kafkalab.apps.stocks import Alert, Analyst, Candle, DecisionMaker, Signal, Trade, TradingAlgorithm, on_paper
from tests.unit.apps.conftest import SMALL, interleaved, run, small_records

N = 2600


@pytest.fixture(scope="module")
def paper() -> list[Output]:
    return on_paper(SMALL["stocks"].records(N))


@pytest.mark.parametrize(
    ("task", "kind"), [(Analyst, Candle), (TradingAlgorithm, Signal), (DecisionMaker, Trade), (DecisionMaker, Alert)]
)
def test_partitions_that_interleave_anyhow_have_the_same_outputs(
    paper: list[Output], task: type[Task], kind: type[Output]
) -> None:
    read = as_frame(kind, run(task, interleaved(small_records("stocks", N), seed=8)))
    assert len(read) > 0
    assert as_frame(kind, paper).equals(read)


def test_without_records_there_is_nothing() -> None:
    assert on_paper([]) == []
