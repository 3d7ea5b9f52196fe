"""Topic names as small numbers, since a column of ten million names would not fit."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kafkalab.errors import InvalidArgument

__all__ = ["Topics"]

_MOST = int(np.iinfo(np.uint16).max)


class Topics:
    """The topics of one ledger and their codes, from 1 on; 0 stands for no topic. Any thread may ask."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._lock = threading.Lock()

    def code(self, name: str) -> int:
        """Return the code of a topic, a new one for a new name.

        Raises:
            InvalidArgument: more topics than a ledger takes (65,535).
        """
        with self._lock:
            if len(self._codes) == _MOST and name not in self._codes:
                raise InvalidArgument(f"{name!r} would be topic {_MOST + 1} of this ledger: use another ledger.")
            return self._codes.setdefault(name, len(self._codes) + 1)

    def codes(self, topic: str | Sequence[str], count: int) -> npt.NDArray[np.uint16]:
        """Return the codes of ``count`` records: of one topic for all, or of one for each."""
        if isinstance(topic, str):
            return np.full(count, self.code(topic), np.uint16)
        codes = {name: self.code(name) for name in set(topic)}
        return np.array([codes[name] for name in topic], np.uint16)

    def find(self, name: str) -> int:
        """Return the code of a topic, 0 where nothing was sent to it."""
        return self._codes.get(name, 0)

    @property
    def names(self) -> list[str]:
        """Every name in the order of the codes, which begin with 1."""
        return list(self._codes)
