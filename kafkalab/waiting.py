"""Waiting for an observed state: the only way kafkalab waits.

The model is ``wait_until`` of Kafka's own system tests (ducktape): a deadline, and on time-out the last
thing that was seen, so that a failure explains itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from kafkalab.errors import WaitTimeout

__all__ = ["wait_until"]

T = TypeVar("T")


def wait_until(
    observe: Callable[[], T],
    accept: Callable[[T], bool] = bool,
    *,
    what: str,
    timeout: float = 30.0,
    every: float = 0.05,
    retry_on: tuple[type[BaseException], ...] = (),
) -> T:
    """Call ``observe`` until ``accept`` likes what it returned, and return that.

    Args:
        observe: looks at the world once; called at least once, however short the time-out.
        accept: says whether the observation is the awaited one; by default, whether it is true.
        what: the awaited state, in words that complete "gave up waiting for ...".
        timeout: seconds until the deadline.
        every: seconds between two observations.
        retry_on: exceptions of ``observe`` that count as "not yet".

    Raises:
        WaitTimeout: the deadline passed; the message shows the last observation.
    """
    deadline = time.monotonic() + timeout
    while True:
        last: object
        try:
            last = seen = observe()
        except retry_on as error:
            last = error
        else:
            if accept(seen):
                return seen
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise WaitTimeout(f"gave up waiting for {what} after {timeout:g} s; last seen: {last!r}", last)
        time.sleep(min(every, remaining))
