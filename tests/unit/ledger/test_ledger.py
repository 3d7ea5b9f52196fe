from __future__ import annotations

import numpy as np
import pytest

from kafkalab.errors import InvalidArgument
from kafkalab.ledger import Event, Ledger


def test_every_session_has_a_number_of_its_own() -> None:
    ledgers = [Ledger() for _ in range(3)]
    numbers = [ledger.session().number for ledger in ledgers for _ in range(20)]
    assert len(set(numbers)) == 60
    assert all(0 <= number < 2**32 for number in numbers)


def test_a_number_can_be_asked_for_once() -> None:
    ledger = Ledger()
    assert ledger.session(number=5).number == 5
    with pytest.raises(InvalidArgument, match="session 5 is open already"):
        ledger.session(number=5)


@pytest.mark.parametrize("number", [-1, 2**32])
def test_a_number_out_of_range_is_refused(number: int) -> None:
    with pytest.raises(InvalidArgument, match=f"number={number} is no session"):
        Ledger().session(number)


def test_topics_and_events_in_the_order_they_came_in() -> None:
    ledger = Ledger()
    session = ledger.session()
    for topic in ("b", "a", "b"):
        session.enter(topic, None, b"v", 0.0)
    ledger.event("kill broker 2", 1.0)
    ledger.event("start broker 2", 0.5)
    assert ledger.topics == ["b", "a"]
    assert ledger.events == (Event("kill broker 2", 1.0), Event("start broker 2", 0.5))


def test_a_processor_needs_a_name_of_its_own() -> None:
    ledger = Ledger()
    assert ledger.processor("p", "orders").topics == ("orders",)
    with pytest.raises(InvalidArgument, match="a processor 'p' already"):
        ledger.processor("p", ["orders"])


def test_acknowledgements_have_fixed_columns_also_when_there_are_none() -> None:
    empty = Ledger().acknowledgements()
    ledger = Ledger()
    ledger.session().enter("t", None, b"v", 0.0).acknowledged(1, 2, 3.0)
    for table in (empty, ledger.acknowledgements()):
        assert {name: str(dtype) for name, dtype in table.dtypes.items()} == {
            "session": "int64",
            "sequence": "int64",
            "topic": "category",
            "partition": "int32",
            "offset": "int64",
            "sent_at": "float64",
            "acknowledged_at": "float64",
        }
    assert empty.empty
    assert ledger.latencies().dtype == Ledger().sent_times().dtype == np.float64
