from __future__ import annotations

import pytest

from kafkalab.cli.guest import borrowed
from kafkalab.errors import InvalidArgument


def test_what_is_no_address_borrows_nothing() -> None:
    with pytest.raises(InvalidArgument, match="no list of bootstrap servers"), borrowed("nowhere"):
        raise AssertionError
