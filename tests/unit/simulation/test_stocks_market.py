from __future__ import annotations

import numpy as np
import pytest

from kafkalab.simulation.stocks_market import MARKET_VOLATILITY, SECTOR_VOLATILITY, Market, list_companies
from kafkalab.simulation.stocks_names import EXCHANGES, SECTORS


def market(count: int = 40) -> Market:
    return Market(list_companies(np.random.default_rng(4), count, 500.0), 3, 0.2, 0.01, 5)


def test_the_listed_companies() -> None:
    listed = market().symbols
    assert listed["exchange"].value_counts().to_dict() == dict.fromkeys(EXCHANGES, 20)
    assert listed["price"].between(20, 400).all()
    assert listed["beta"].between(0.6, 1.5).all()
    assert listed["trades_per_session"].mean() == pytest.approx(500)
    assert listed["trades_per_session"].max() > 3 * listed["trades_per_session"].min()
    parts = (listed["beta"] * MARKET_VOLATILITY) ** 2 + SECTOR_VOLATILITY**2 + listed["own_volatility"] ** 2
    np.testing.assert_allclose(listed["volatility"] ** 2, parts, rtol=1e-3)


def test_one_company_alone_is_a_market() -> None:
    assert len(market(1).symbols) == 1
    assert market(1).correlation().to_numpy().tolist() == [[1.0]]


def test_the_correlation_is_one_and_higher_within_a_sector() -> None:
    listed, correlation = market().symbols, market().correlation()
    matrix = correlation.to_numpy()
    assert correlation.index.tolist() == correlation.columns.tolist() == listed["symbol"].tolist()
    np.testing.assert_array_equal(matrix, matrix.T)
    np.testing.assert_array_equal(np.diag(matrix), 1)
    assert np.linalg.eigvalsh(matrix).min() > 0
    same = np.equal.outer(*[listed["sector"].to_numpy()] * 2) & ~np.eye(40, dtype=bool)
    assert matrix[same].mean() > 0.1 + matrix[np.not_equal.outer(*[listed["sector"].to_numpy()] * 2)].mean()
    # Symbols 0 and 1 are of different sectors, and have the market in common.
    shared = listed["beta"][0] * listed["beta"][1] * MARKET_VOLATILITY**2
    assert matrix[0, 1] == pytest.approx(shared / listed["volatility"][0] / listed["volatility"][1], rel=1e-3)


def test_columns_as_codes_and_numbers() -> None:
    codes = market().codes("sector", SECTORS)
    assert [SECTORS[code] for code in codes] == market().symbols["sector"].tolist()
    assert market().numbers("beta").tolist() == market().symbols["beta"].tolist()
