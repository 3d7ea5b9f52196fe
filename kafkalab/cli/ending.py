"""Signals that ask a foreground cluster to end, turned into one exception in the main thread."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any, Self

__all__ = ["AskedToEnd", "EndSignals"]


class AskedToEnd(BaseException):
    """Ctrl-C, SIGTERM or SIGHUP came.

    Not an Exception, as KeyboardInterrupt is not: no handler of errors may take it for one.

    Attributes:
        number: the signal's.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number


class EndSignals:
    """While entered, the first such signal raises ``AskedToEnd``; further ones do not disturb the end."""

    def __init__(self) -> None:
        self._asked: int | None = None
        self._before: dict[signal.Signals, Any] = {}

    def check(self) -> None:
        """Raise where a signal came already and its exception was lost (Python drops one in a finaliser)."""
        if self._asked is not None:
            raise AskedToEnd(self._asked)

    def rearm(self) -> None:
        """Let the next signal raise again: whoever asks a second time wants the end at once."""
        self._asked = None

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._asked is None:
            self._asked = number
            raise AskedToEnd(number)

    def __enter__(self) -> Self:
        # SIGINT also where it is ignored (a background job of a script): a cluster must be stoppable.
        chosen = [signal.SIGINT, signal.SIGTERM]
        # But nohup means what it says.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            chosen.append(signal.SIGHUP)
        for number in chosen:
            self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
