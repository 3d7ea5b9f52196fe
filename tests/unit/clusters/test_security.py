"""Ways to secure a cluster; secured clusters themselves are in ``tests/integration/contract/test_security.py``."""

from __future__ import annotations

import pytest

from kafkalab.clusters.security import check_security
from kafkalab.errors import InvalidArgument


def test_an_unknown_way_is_refused() -> None:
    assert check_security(None) is None
    assert check_security("sasl-tls") == "sasl-tls"
    with pytest.raises(InvalidArgument, match="security='tls' is not there: choose 'sasl-tls'"):
        check_security("tls")
