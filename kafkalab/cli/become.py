"""Handing this process over to another program."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

__all__ = ["become"]


def become(argv: Sequence[str]) -> NoReturn:
    """Run ``argv`` in place of this process: it gets the terminal, every signal, and gives its own exit code.

    Raises:
        OSError: there is no such program.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(argv[0], list(argv))  # noqa: S606 - no shell: a list of arguments
