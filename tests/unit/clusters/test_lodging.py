from __future__ import annotations

import re

import pandas as pd
import pytest

from kafkalab.clusters.lodging import Lodging, fresh_prefix
from kafkalab.errors import InvalidArgument

FRAME = pd.DataFrame({"topic": ["anna-orders", "orders", ""], "partition": [0, 1, 2]})


def test_every_guest_has_a_prefix_of_its_own() -> None:
    first, second = fresh_prefix(), fresh_prefix()
    assert re.fullmatch(r"kafkalab-[0-9a-f]{6}-", first)
    assert first != second


def test_a_name_carries_the_prefix_once() -> None:
    anna = Lodging("anna-")
    assert anna.name("orders") == anna.name("anna-orders") == "anna-orders"
    assert Lodging().name("orders") == "orders"


@pytest.mark.parametrize("base", ["", None, 3])
def test_what_is_no_name(base: object) -> None:
    with pytest.raises(InvalidArgument, match="cannot be a name"):
        Lodging("anna-").name(base)  # type: ignore[arg-type]


@pytest.mark.parametrize("prefix", ["an na", "a/", "x" * 101, None])
def test_what_cannot_begin_a_name(prefix: object) -> None:
    with pytest.raises(InvalidArgument, match="cannot begin a topic's name"):
        Lodging(prefix)  # type: ignore[arg-type]


def test_tables_show_what_is_ones_own_without_the_prefix() -> None:
    own = Lodging("anna-").own(FRAME)
    assert own.to_dict("list") == {"topic": ["orders"], "partition": [0]}
    assert own.dtypes.equals(FRAME.dtypes)
    assert Lodging().own(FRAME).equals(FRAME)


def test_what_was_asked_for_is_shown_whoever_it_belongs_to() -> None:
    shown = Lodging("anna-").shown(FRAME)
    assert shown["topic"].tolist() == [name.removeprefix("anna-") for name in FRAME["topic"]]
    assert Lodging().shown(FRAME) is FRAME
