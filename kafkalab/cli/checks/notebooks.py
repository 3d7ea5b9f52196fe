"""Jupyter: JupyterLab, and a kernel that runs this Python."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from pathlib import Path

from kafkalab.cli.checks.finding import Finding, ok, problem, warning

__all__ = ["check_jupyter"]

_KERNEL = "python3"  # the one that the lessons name


def check_jupyter() -> Finding:
    """Check that JupyterLab is there and that the lessons' kernel is this Python."""
    missing = [name for name in ("jupyterlab", "ipykernel") if importlib.util.find_spec(name) is None]
    if missing:
        return problem(f"{' and '.join(missing)} not installed for this Python", f"install {' and '.join(missing)}")
    from jupyter_client.kernelspec import KernelSpecManager

    program = KernelSpecManager().get_kernel_spec(_KERNEL).argv[0]
    version = importlib.metadata.version("jupyterlab")
    # A kernel that is named by a bare "python" is started with this Python.
    if Path(program).is_absolute() and not _same_environment(program):
        return warning(
            f"JupyterLab {version}, but its kernel {_KERNEL} is another Python: {program}",
            f"remove it with `jupyter kernelspec remove {_KERNEL}`; this Python's own then takes its place",
        )
    return ok(f"JupyterLab {version} with the kernel {_KERNEL}")


def _same_environment(program: str) -> bool:
    # Compared by folder and unresolved: the Python of every virtual environment links to the same one.
    return Path(program).parent == Path(sys.executable).parent
