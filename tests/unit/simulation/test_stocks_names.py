from __future__ import annotations

import pytest

from kafkalab.simulation.stocks_names import AGENCIES, HEADLINES, MOST_COMPANIES, SECTORS, companies, headlines


def test_every_company_has_a_symbol_of_its_own() -> None:
    listed = companies(MOST_COMPANIES)
    assert listed["symbol"].is_unique
    assert listed["company"].is_unique
    assert listed["symbol"].str.fullmatch("[A-Z]{4}").all()
    assert listed["sector"].value_counts().to_dict() == dict.fromkeys(SECTORS, MOST_COMPANIES // len(SECTORS))
    assert listed.iloc[0].tolist() == ["ALDB", "Alder Bank", "finance"]


def test_fewer_companies_are_the_first_ones() -> None:
    assert companies(5).equals(companies(60).head(5))


def test_headlines_are_neutral_together_and_leave_room_for_the_scores_about_them() -> None:
    tones = [tone for _, tone in HEADLINES]
    assert sum(tones) == pytest.approx(0)
    assert max(map(abs, tones)) <= 0.9
    assert len({text for text, _ in HEADLINES}) == len(HEADLINES)


def test_headlines_name_every_company_in_turn() -> None:
    texts = headlines(["Alder Bank", "Dover Pharma"])
    assert len(set(texts)) == len(texts) == 2 * len(HEADLINES)
    assert texts[:2] == tuple(HEADLINES[0][0].format(company=name) for name in ("Alder Bank", "Dover Pharma"))
    assert texts[3].endswith("cuts its dividend")
    assert not any("{" in text for text in texts)


def test_agencies_differ_in_what_they_are_worth() -> None:
    assert sorted(AGENCIES.values()) == list(AGENCIES.values())
    assert len(set(AGENCIES.values())) == 3
