"""What stays as it is while a market trades: its listed companies and the numbers of the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from kafkalab.simulation.stocks_names import EXCHANGES, SECTORS, companies

__all__ = ["MARKET_VOLATILITY", "SECTOR_VOLATILITY", "SESSIONS_PER_YEAR", "Market", "list_companies"]

SESSIONS_PER_YEAR = 252
MARKET_VOLATILITY = 0.15  # per year
SECTOR_VOLATILITY = 0.12

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int16]


def list_companies(rng: np.random.Generator, count: int, trades_per_session: float) -> pd.DataFrame:
    """Draw what distinguishes the listed companies: the table described at :attr:`Stocks.symbols`."""
    beta = rng.uniform(0.6, 1.5, count).round(2)
    own = rng.uniform(0.15, 0.3, count).round(3)
    popularity = np.exp(rng.normal(0, 0.6, count))
    return companies(count).assign(
        exchange=np.array(EXCHANGES)[rng.permutation(np.arange(count) % len(EXCHANGES))],
        price=np.exp(rng.uniform(np.log(20), np.log(400), count)).round(2),
        beta=beta,
        own_volatility=own,
        volatility=np.sqrt((beta * MARKET_VOLATILITY) ** 2 + SECTOR_VOLATILITY**2 + own**2).round(4),
        trades_per_session=(trades_per_session * popularity / popularity.mean()).round(3),
    )


@dataclass(frozen=True)
class Market:
    """The listed companies and the numbers of the model; the latter as in :class:`Stocks`.

    Attributes:
        symbols: one row per symbol, as :func:`list_companies` draws them.
    """

    symbols: pd.DataFrame
    news_per_session: float
    jumps_per_session: float
    news_impact: float
    news_minutes: float

    def codes(self, column: str, order: tuple[str, ...]) -> Codes:
        """Return a column of texts as positions in ``order``."""
        return np.array([order.index(text) for text in self.symbols[column]], np.int16)

    def numbers(self, column: str) -> Floats:
        """Return a column of numbers."""
        return self.symbols[column].to_numpy(np.float64)

    def correlation(self) -> pd.DataFrame:
        """Return the correlation of the symbols' diffusive returns, both axes named by symbol."""
        beta, sector = self.numbers("beta"), self.codes("sector", SECTORS)
        shared = np.outer(beta, beta) * MARKET_VOLATILITY**2 + np.equal.outer(sector, sector) * SECTOR_VOLATILITY**2
        covariance = shared + np.diag(self.numbers("own_volatility") ** 2)
        volatility = np.sqrt(np.diag(covariance))
        names = pd.Index(self.symbols["symbol"], name="symbol")
        return pd.DataFrame(np.round(covariance / np.outer(volatility, volatility), 6), names, names)
