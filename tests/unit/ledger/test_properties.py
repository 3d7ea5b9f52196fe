"""Generated histories: every planted anomaly is found, at its record, and none is invented."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from benchmarks.histories import PLANTED, Plan, differences, make_history
from kafkalab.ledger.finding import BLOCK
from kafkalab.ledger.verdict import UNCLEAN

numbers = st.integers(0, 2**32 - 1)
shapes = {"sessions": st.integers(1, 4), "topics": st.integers(1, 3), "partitions": st.integers(1, 4)}
plans = st.builds(
    Plan,
    seed=numbers,
    records=st.integers(0, 120),
    committed=st.booleans(),
    planted=st.dictionaries(st.sampled_from(PLANTED), st.integers(1, 6)),
    **shapes,
)
clean_plans = st.builds(Plan, seed=numbers, records=st.integers(0, 120), committed=st.booleans(), **shapes)


@given(plans, st.sampled_from([20, BLOCK]))
@settings(max_examples=80)
def test_exactly_what_was_planted_is_found(plan: Plan, block: int) -> None:
    history = make_history(plan)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kafkalab.ledger.finding.BLOCK", block)
        verdict = history.ledger.verify(history.log, committed=history.committed)
    assert differences(history, verdict) == []
    assert verdict.clean == (not any(history.expected[kind] for kind in UNCLEAN))


@given(clean_plans)
@settings(max_examples=30)
def test_where_nothing_was_planted_the_verdict_is_clean(plan: Plan) -> None:
    history = make_history(plan)
    verdict = history.ledger.verify(history.log, committed=history.committed)
    assert differences(history, verdict) == []
    assert verdict.clean


def test_a_large_history_has_every_kind() -> None:
    history = make_history(Plan(1, records=2000, planted=dict.fromkeys(PLANTED, 20)))
    assert all(history.expected.values())
    assert differences(history, history.ledger.verify(history.log, committed=True)) == []


def test_differences_name_what_a_wrong_verdict_says() -> None:
    history, other = (make_history(Plan(seed, planted={"lost": 2})) for seed in (1, 2))
    wrong = differences(history, other.ledger.verify(other.log, committed=True))
    assert any(line.startswith("lost: [") for line in wrong)
    assert make_history(Plan(1, planted={"lost": 2})).expected == history.expected
