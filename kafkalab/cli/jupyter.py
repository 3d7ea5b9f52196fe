"""``python -m kafkalab.cli.jupyter``: JupyterLab, which Ctrl-C always ends."""

from __future__ import annotations

import signal
import sys

__all__ = ["main"]


def main() -> None:
    """Run JupyterLab with the arguments of this process.

    At a terminal Jupyter asks before it stops. Without one, Python's own answer to SIGINT breaks its event loop while
    worker threads live on, and the process never ends: there SIGINT does what SIGTERM does, a stop in good order.
    """
    if not sys.stdin.isatty():
        signal.signal(signal.SIGINT, lambda number, frame: signal.raise_signal(signal.SIGTERM))
    from jupyterlab.labapp import main as jupyterlab

    jupyterlab()


if __name__ == "__main__":
    main()
