from __future__ import annotations

import re

import pytest

from kafkalab.cli.guest import GuestCluster, borrowed
from kafkalab.errors import InvalidArgument


def test_every_borrowed_cluster_has_names_of_its_own() -> None:
    first, second = GuestCluster(), GuestCluster()
    assert re.fullmatch(r"kafkalab-[0-9a-f]{6}-orders", first.name("orders"))
    assert first.name("orders") == first.name("orders") != second.name("orders")


def test_what_is_no_address_borrows_nothing() -> None:
    with pytest.raises(InvalidArgument, match="no list of bootstrap servers"), borrowed("nowhere"):
        raise AssertionError
