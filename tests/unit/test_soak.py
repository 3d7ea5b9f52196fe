"""The long runs of the harness, in small: what they find wrong is shown to be found."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest

from benchmarks.histories import Plan, make_history
from benchmarks.soak import generated, scenarios, ten_million
from benchmarks.soak.faulty_traffic import numbered
from benchmarks.soak.outcome import faults_of
from kafkalab.apps import APPLICATIONS
from kafkalab.ledger import Ledger, Verdict

COUNTS: dict[str, Any] = dict.fromkeys(Ledger().verify(ten_million._Log([], [])).counts, 0)


# ---- generated histories ------------------------------------------------------------------------------------


def test_histories_of_every_size_are_judged_right() -> None:
    found = [generated.wrong_with(generated.plan(seed)) for seed in range(12)]
    assert [wrong for _, wrong in found if wrong] == []
    assert sum(planted > 0 for planted, _ in found) > 5
    assert found[0][0] == 0  # every third has none


def test_a_wrong_verdict_on_a_history_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    history = make_history(Plan(1))
    other = make_history(Plan(2, planted={"lost": 3}))
    monkeypatch.setattr(history.ledger, "verify", lambda *_, **__: other.ledger.verify(other.log, committed=True))
    monkeypatch.setattr(generated, "make_history", lambda plan: history)
    planted, wrong = generated.wrong_with(Plan(1))
    assert planted == 0
    assert any(what.startswith("lost: ") for what in wrong)
    assert wrong[-1] == "clean is False"


# ---- ten million records ------------------------------------------------------------------------------------


def test_a_large_ledger_names_what_was_planted(monkeypatch: pytest.MonkeyPatch) -> None:
    shares: list[float] = []
    result = ten_million.measure(50_000, shares.append)
    assert result.wrong == ""
    assert 10**7 < result.peak_bytes < 10**10
    assert shares == sorted(shares)
    assert 0 < shares[-1] < 1
    monkeypatch.setattr(ten_million, "_PLANTED", {"lost": 8, "duplicated": 4321})
    assert ten_million.measure(50_000, shares.append).wrong == "2 records are wrongly lost, or not named"


def test_too_much_memory_and_a_wrong_verdict_fail() -> None:
    good = ten_million.Result(900_000_000, 1.0, 2.0, "")
    large = ten_million.Result(1_000_000_001, 1.0, 2.0, "")
    wrong = ten_million.Result(900_000_000, 1.0, 2.0, "2 records are wrongly lost, or not named")
    assert ten_million._outcome(10**7, good).detail.startswith("10,000,000 records: peak 900 MB, filled in 1.0 s")
    assert [ten_million._outcome(10**7, each).verdict for each in (good, large, wrong)] == [
        "passed",
        "failed",
        "failed",
    ]


def test_it_runs_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ten_million, "_QUICK_RECORDS", 10_000)
    shares: list[float] = []
    outcome = ten_million.SOAK.run(True, shares.append)
    assert (outcome.verdict, shares[-1]) == ("passed", 1.0)
    monkeypatch.setattr(ten_million, "_QUICK_RECORDS", "many")
    assert ten_million.SOAK.run(True, shares.append).detail == "the measuring process ended with exit code 1"


# ---- scenarios ----------------------------------------------------------------------------------------------

ANALYST = {"name": "analyst", "fingerprint": "aa", "complete": True, "records": 5, "stored": 5}
TOLD = {"clean": True, "verdict": {"lost": 1}, "error": None, "faults": [{"error": None}], "applications": [ANALYST]}


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({}, None),
        ({"clean": False}, "not clean: {'lost': 1}"),
        ({"error": "a topic is gone."}, "a topic is gone."),
        ({"faults": []}, "no leader was killed"),
        ({"faults": [{"error": "there is none"}]}, "no leader was killed"),
        ({"applications": []}, "an application is missing"),
        ({"applications": [{**ANALYST, "complete": False, "records": 4}]}, "analyst has worked on 4 of 5 records"),
        ({"applications": [{**ANALYST, "fingerprint": "bb"}]}, "analyst decided bb, and aa in memory"),
    ],
)
def test_whatever_is_wrong_with_a_scenario_is_told(change: dict[str, Any], wrong: str | None) -> None:
    assert scenarios.wrong_with({**TOLD, **change}, {"analyst": "aa"}) == ([] if wrong is None else [wrong])


def test_in_memory_the_batches_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = scenarios.fingerprints_in_memory("stocks", 3000)
    assert list(whole) == list(APPLICATIONS["stocks"])
    assert len(set(whole.values())) == 3
    monkeypatch.setattr(scenarios, "_BATCH", 7)
    assert scenarios.fingerprints_in_memory("stocks", 3000) == whole
    assert scenarios.fingerprints_in_memory("stocks", 2999) != whole


# ---- traffic under faults -----------------------------------------------------------------------------------


def test_records_are_numbered_and_all_different() -> None:
    records = list(islice(numbered("orders"), 30))
    assert len({record.value for record in records}) == 30
    assert {len(record.value) for record in records} == {100}
    assert len({record.key for record in records}) == 10
    assert {record.topic for record in records} == {"orders"}


def test_a_verdict_s_faults_are_its_unclean_counts_and_its_doubt() -> None:
    assert faults_of(Verdict(**COUNTS)) == []
    assert faults_of(Verdict(**{**COUNTS, "expired": 3, "unknown": 2})) == []
    assert faults_of(Verdict(**{**COUNTS, "lost": 2, "processed_twice": 1})) == ["2 lost", "1 processed twice"]
    assert faults_of(Verdict(**COUNTS, reason="a partition is gone")) == ["not verified: a partition is gone"]
