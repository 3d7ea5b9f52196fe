"""The progress bar of a run: shown where somebody looks, silent where a notebook or a script is executed unseen."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

__all__ = ["Show", "is_watched", "progress_bar"]

# Set by what shows a notebook to a person; nbclient and nbval, which execute one unseen, set none of them.
_NOTEBOOK_VARIABLES = ("JPY_SESSION_NAME", "VSCODE_PID", "COLAB_RELEASE_TAG")
Show = Callable[[int, int], None]


def is_watched(environment: Mapping[str, str], *, in_kernel: bool, is_terminal: bool) -> bool:
    """Return whether somebody sees a bar as it moves.

    Args:
        environment: the process's variables.
        in_kernel: whether this is a Jupyter kernel.
        is_terminal: whether stderr is a terminal.
    """
    if in_kernel:
        return any(environment.get(name) for name in _NOTEBOOK_VARIABLES)
    return is_terminal


def _in_kernel() -> bool:
    return "ipykernel" in sys.modules and "IPython" in sys.modules and _shell_has_kernel()


def _shell_has_kernel() -> bool:
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


@contextmanager
def progress_bar(total: int | None, shown: bool | None = None) -> Iterator[Show]:
    """Show a bar while the context lasts, and nothing after it; yields what moves it.

    What is yielded takes how many records were sent and how many acknowledged.

    Args:
        total: how many there will be; None where that is not known.
        shown: whether to show it; None for where somebody looks.
    """
    in_kernel = _in_kernel()
    if shown is None:
        shown = is_watched(os.environ, in_kernel=in_kernel, is_terminal=sys.stderr.isatty())
    if not shown:
        yield lambda sent, acknowledged: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # In a notebook rich shows a widget, which stderr has no part in.
    with Progress(*columns, console=Console(stderr=not in_kernel), transient=True) as bar:
        task = bar.add_task("records acknowledged", total=total)
        yield lambda sent, acknowledged: bar.update(task, completed=acknowledged)
