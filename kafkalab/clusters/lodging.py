"""What a guest has on a borrowed cluster: names with a prefix of its own, and topics and groups that go with it."""

from __future__ import annotations

import contextlib
import re
import secrets
import sys
import warnings

import pandas as pd
from kafka.errors import KafkaError

from kafkalab.clusters.admin import PatientAdmin
from kafkalab.clusters.belongings import Belongings
from kafkalab.errors import InvalidArgument, KafkalabError

__all__ = ["READERS", "LeftBehind", "Lodging", "NotApplied", "fresh_prefix", "tell"]

#: What kafkalab's own readers are called, which join no group: rights may be asked for that name all the same.
READERS = "kafkalab-readers"

_PREFIX = re.compile(r"[a-zA-Z0-9._-]{0,100}")
_CLEAR_SECONDS = 10.0


class NotApplied(UserWarning):
    """Something was asked for that a borrowed cluster does not have or allow; it is used as it is."""


class LeftBehind(UserWarning):
    """Topics on a borrowed cluster could not be deleted."""


def tell(text: str, category: type[Warning]) -> None:
    """Warn a guest, at the line outside of this package that has led here."""
    frame, level = sys._getframe(1), 2  # noqa: SLF001
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(("kafkalab.", "contextlib")):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, category, stacklevel=level)


def fresh_prefix() -> str:
    """Return a prefix that nobody else has."""
    return f"kafkalab-{secrets.token_hex(3)}-"


class Lodging:
    """The names of one guest; on a cluster of our own the prefix is empty, and everything is ours.

    Attributes:
        belongings: what is deleted at the end, where there is a prefix.

    Args:
        prefix: what every name of a topic, a group or a transaction begins with.

    Raises:
        InvalidArgument: topics cannot be called so.
    """

    def __init__(self, prefix: str = "") -> None:
        if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):
            raise InvalidArgument(
                f"prefix={prefix!r} cannot begin a topic's name: use letters, digits, dots, underscores and hyphens, "
                "at most 100."
            )
        self.prefix = prefix
        self.belongings = Belongings()

    def name(self, base: str) -> str:
        """Return ``base`` with the prefix; a name that has it already stays as it is.

        Raises:
            InvalidArgument: that is no name.
        """
        if not isinstance(base, str) or not base:
            raise InvalidArgument(f"{base!r} cannot be a name: give a text of at least one character.")
        return base if base.startswith(self.prefix) else self.prefix + base

    def shown(self, frame: pd.DataFrame, column: str = "topic") -> pd.DataFrame:
        """Return ``frame`` with the names in ``column`` without the prefix."""
        return frame.assign(**{column: frame[column].str.removeprefix(self.prefix)}) if self.prefix else frame

    def own(self, frame: pd.DataFrame, column: str = "topic") -> pd.DataFrame:
        """Return the rows of ``frame`` whose ``column`` has the prefix, without it."""
        return self.shown(frame[frame[column].str.startswith(self.prefix)].reset_index(drop=True), column)

    def clear(self, admin: PatientAdmin) -> list[str]:
        """Delete what was made, and the groups that were named; return topics that may be left.

        A cluster that does not answer is given up after ten seconds.
        """
        if not self.prefix:
            return []
        with contextlib.suppress(KafkaError, KafkalabError):
            admin.ask(self.belongings.delete, _CLEAR_SECONDS)
        return self.belongings.topics
