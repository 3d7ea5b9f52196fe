"""What client libraries log: kept, shown when asked, and out of the notebook's way.

While a broker is down, clients warn many times a second. With no handler set, Python prints warnings to stderr, into
the cell. A handler on the clients' logger ends that; a logging set-up of the user's own still gets everything.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable

import pandas as pd

__all__ = ["ClientLog"]

# kafka-python logs below "kafka"; give confluent-kafka a logger below it to have its lines here too.
CLIENT_LOGGER = "kafka"
_KEPT = 10_000


class _KeepingHandler(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: deque[logging.LogRecord] = deque(maxlen=_KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


# One for the process, as the logger is: clients may outlive the cluster whose end they complain of.
_HANDLER = _KeepingHandler()


class ClientLog:
    """A window on the kept records, from the moment it was made."""

    def __init__(self) -> None:
        logger = logging.getLogger(CLIENT_LOGGER)
        if _HANDLER not in logger.handlers:
            logger.addHandler(_HANDLER)
        # By record, not by count: the oldest fall out when the store is full.
        self._before = _HANDLER.records[-1] if _HANDLER.records else None

    def frame(self) -> pd.DataFrame:
        """Return one row per record: level, logger, message (all str), oldest first."""
        rows = [(record.levelname, record.name, record.getMessage()) for record in self._since()]
        return pd.DataFrame(rows, columns=["level", "logger", "message"], dtype="str")

    def _since(self) -> Iterable[logging.LogRecord]:
        records = list(_HANDLER.records)
        if self._before in records:
            return records[records.index(self._before) + 1 :]
        return records
