"""What a process needs that must not outlive who started it; the process's side of :mod:`kafkalab.traffic.child`.

It is told what to do by lines of JSON on its standard input, the first with its settings, and lives until that ends:
whatever ends the owner closes the pipe. A child that the owner forked may hold the pipe open, so the owner's id is
watched as well. What it has to say are lines on its standard output; one that begins with ``!`` is why it failed.
"""

from __future__ import annotations

import json
import os
import select
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from kafkalab.errors import KafkalabError

__all__ = ["CLOSE_SECONDS", "Owner", "serve", "write"]

#: A process that was told to end has so long for it.
CLOSE_SECONDS = 3.0
_CHECK_SECONDS = 0.5


@dataclass
class Owner:
    """What is heard of the owner.

    Attributes:
        gone: it closed the pipe, or is dead: end.
        lines: what it said after the settings.
    """

    gone: threading.Event = field(default_factory=threading.Event)
    lines: SimpleQueue[bytes] = field(default_factory=SimpleQueue)


def serve(work: Callable[[dict[str, Any], Owner], None]) -> None:
    """Read the settings and work until the owner is gone; the program's only argument is the owner's process id.

    Args:
        work: is given the settings and the owner; what it raises is told, and ends the process with code 1.
    """
    lines = _lines(int(sys.argv[1]))
    settings = next(lines, None)
    if settings is None:
        return
    owner = Owner()
    threading.Thread(target=_listen, args=[lines, owner], daemon=True).start()
    try:
        work(json.loads(settings), owner)
    except Exception as error:  # noqa: BLE001 - told to the owner, who raises it
        told = str(error) if isinstance(error, KafkalabError) else f"{type(error).__name__}: {error}"
        write(f"!{told}".replace("\n", " ").strip().encode() + b"\n")
        sys.exit(1)


def write(data: bytes) -> None:
    """Write to standard output, past any buffer: what was said before a crash was said."""
    while data:
        data = data[os.write(1, data) :]


def _lines(owner: int) -> Iterator[bytes]:
    """Iterate whole lines until the owner closed the pipe or is dead."""
    rest = b""
    while os.getppid() == owner:
        readable, _, _ = select.select([0], [], [], _CHECK_SECONDS)
        if readable:
            data = os.read(0, 1 << 16)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            yield from lines


def _listen(lines: Iterator[bytes], owner: Owner) -> None:
    for line in lines:
        owner.lines.put(line)
    owner.gone.set()
    # The process ends in good order by itself; where that hangs, it ends all the same.
    deadline = threading.Timer(CLOSE_SECONDS + 1, os._exit, [1])
    deadline.daemon = True
    deadline.start()
