"""What JupyterHub starts for a learner: the lessons copied into their home, then its own single-user server."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from kafkalab.cli.lab import jupyter_environment
from kafkalab.courseware.workspace import prepare_workspace

SERVER = "jupyterhub-singleuser"


def main() -> None:
    """Become the server, with this process's arguments for it."""
    workspace = prepare_workspace(Path.home() / "kafka")
    os.environ.update(jupyter_environment(workspace.progress_file, os.environ))
    os.execvp(SERVER, [SERVER, f"--ServerApp.root_dir={workspace.folder}", *sys.argv[1:]])


if __name__ == "__main__":
    main()
