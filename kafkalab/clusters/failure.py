"""From a broker's log to the one line that says why it ended."""

from __future__ import annotations

import re

__all__ = ["failure_reason", "last_lines"]

# A message of one word ("get") explains nothing.
_REASON = re.compile(r"(?:^|[\s:])(?:[\w$]+\.)*[\w$]+(?:Exception|Error): (.+ .+)")
_SHOWN_LINES = 8


def failure_reason(log: str, exit_code: int) -> str:
    """Return the broker's own reason: the last exception's message, innermost cause first.

    Args:
        log: all that the broker logged.
        exit_code: negative where a signal ended it.
    """
    reasons = [match.group(1) for line in log.splitlines() if (match := _REASON.search(line))]
    if reasons:
        return reasons[-1].rstrip(".") + "."
    if exit_code < 0:
        return f"it was ended by signal {-exit_code} (9 may be the system running out of memory)."
    return f"it gave no reason (exit code {exit_code})."


def last_lines(log: str, count: int = _SHOWN_LINES) -> str:
    """Return the last ``count`` lines that the broker logged, stack frames left out."""
    lines = [line for line in log.splitlines() if line.strip() and not line.lstrip().startswith(("at ", "... "))]
    return "\n".join(lines[-count:])
