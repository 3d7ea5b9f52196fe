"""The thread of one producer: takes chunks, waits until each is due, sends it, and waits for the last outcomes."""

from __future__ import annotations

import threading
import time

from kafkalab.traffic.dealing import Chunk, Dealer, EndOfRecords
from kafkalab.traffic.sending import Halted, Sender, Signals

__all__ = ["Worker"]

_LOOK_SECONDS = 0.02


class Worker(threading.Thread):
    """Runs one :class:`~kafkalab.traffic.sending.Sender`; the thread ends when it has told every outcome it will.

    Args:
        number: which producer it is, from 0.
        sender: its producer; closed at the end.
        dealer: where its chunks come from.
        signals: the run's.

    Attributes:
        error: what ended it before its time; None for nothing.
        sending: whether it has records to send.
    """

    def __init__(self, number: int, sender: Sender, dealer: Dealer, signals: Signals) -> None:
        super().__init__(name=f"kafkalab-producer-{number}", daemon=True)
        self.error: BaseException | None = None
        self.sending = True
        self._number = number
        self._sender = sender
        self._dealer = dealer
        self._signals = signals

    @property
    def outstanding(self) -> int:
        """How many of its sends have no outcome."""
        return self._sender.outstanding

    def run(self) -> None:
        """Send and wait; what goes wrong is kept in :attr:`error`, and halts the other producers."""
        try:
            self._send()
        except (Halted, EndOfRecords):
            pass
        except BaseException as error:  # noqa: BLE001 - kept for the thread that waits for the run
            self._fail(error)
        try:
            self.sending = False
            self._wait_for_outcomes()
            self._sender.close()
        except BaseException as error:  # noqa: BLE001 - the same
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self.error = self.error or error
        self._signals.halt.set()

    def _send(self) -> None:
        while not self._signals.halt.is_set():
            chunk = self._next_chunk()
            assert self._dealer.began is not None
            self._wait_until(self._dealer.began + chunk.due)
            self._sender.send(chunk)

    def _next_chunk(self) -> Chunk:
        while (chunk := self._dealer.take(self._number)) is None:
            self._wait_until(time.monotonic() + _LOOK_SECONDS)
        return chunk

    def _wait_until(self, moment: float) -> None:
        """Wait, and tell outcomes as they come.

        Raises:
            Halted: meanwhile the run was told to send no more.
        """
        while (left := moment - time.monotonic()) > 0:
            if self._sender.outstanding:
                self._sender.collect(min(left, _LOOK_SECONDS))
            elif self._signals.halt.wait(left):
                break
        if self._signals.halt.is_set():
            raise Halted

    def _wait_for_outcomes(self) -> None:
        sent_at = time.monotonic()
        while self._sender.outstanding and not self._signals.abandon.is_set():
            if time.monotonic() > max(sent_at, self._signals.patience_from) + self._signals.deadline:
                return
            self._sender.collect(_LOOK_SECONDS)
