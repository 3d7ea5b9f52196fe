from __future__ import annotations

import pytest

from kafkalab.clusters.messages import check_bounds
from kafkalab.errors import InvalidArgument


@pytest.mark.parametrize(
    ("limit", "start", "said"),
    [
        (0, 0, "limit=0 is not possible: give a whole number from 1 on"),
        (True, 0, "limit=True"),
        (1.5, 0, "limit=1.5"),
        (1, -1, "start=-1 is not possible: give a whole number from 0 on"),
        (1, "0", "start='0'"),
    ],
)
def test_bounds_that_cannot_be_are_refused(limit: object, start: object, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        check_bounds(limit, start)


def test_the_least_bounds_are_possible() -> None:
    check_bounds(1, 0)
