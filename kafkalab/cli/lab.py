"""``kafkalab lab``: prove the set-up, copy the lessons, open JupyterLab."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kafkalab.cli.become import become
from kafkalab.errors import EnvironmentProblem

if TYPE_CHECKING:
    from kafkalab.courseware.workspace import Workspace

__all__ = ["command", "jupyter_command", "jupyter_environment"]

_BROKERS = 3
# JupyterLab asks whether it may show news, in a box that covers the lesson, and looks for updates of itself.
_JUPYTER_SETTINGS = Path(__file__).parents[1] / "courseware" / "jupyter"


@click.command("lab", context_settings={"ignore_unknown_options": True})
@click.option("--no-browser", is_flag=True, help="Print the address in place of opening a browser.")
@click.option("--port", type=click.IntRange(0, 65535), help="JupyterLab's port; 0 for any free one.")
@click.option(
    "--workspace",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for your copies of the lessons; by default `workspace` (a checkout) or `kafkalab-lessons`.",
)
@click.argument("jupyter", nargs=-1, type=click.UNPROCESSED, metavar="[JUPYTER OPTIONS]...")
def command(no_browser: bool, port: int | None, workspace: Path | None, jupyter: tuple[str, ...]) -> None:
    """Open the lessons in JupyterLab.

    Before, one record goes through a real cluster of three brokers, as a proof of the set-up.
    What you write in the lessons is kept, and so is your progress, in the same folder; KAFKALAB_PROGRESS_FILE names
    another file for it. Options that are not listed here go on to JupyterLab.

    \b
    Examples:
      kafkalab lab
      kafkalab lab --no-browser --port 0
      kafkalab lab --workspace ~/kafka -- --ServerApp.password_required=True
    """  # noqa: D301 - click wants the character \b
    _require_jupyterlab()
    _prove()
    prepared = _workspace(workspace)
    os.environ.update(jupyter_environment(prepared.progress_file, os.environ))
    become(jupyter_command(prepared.folder, prepared.first_lesson, no_browser=no_browser, port=port, further=jupyter))


def jupyter_command(
    folder: Path, first_lesson: Path, *, no_browser: bool, port: int | None, further: Sequence[str]
) -> list[str]:
    """Return the command line that opens ``first_lesson`` in JupyterLab with ``folder`` as its root.

    Args:
        folder: absolute path.
        first_lesson: a notebook below it.
        no_browser: do not open one.
        port: JupyterLab's; 0 for any free one, None for its own choice.
        further: options of the user for JupyterLab; they come last and win.
    """
    # A module, not the `jupyter` command, which would search the PATH and may find another installation's.
    argv = [sys.executable, "-m", "kafkalab.cli.jupyter", f"--ServerApp.root_dir={folder}"]
    argv.append(f"--LabApp.default_url=/lab/tree/{first_lesson.relative_to(folder).as_posix()}")
    if no_browser:
        argv.append("--no-browser")
    if port is not None:
        argv.append(f"--port={port}")
    if os.geteuid() == 0:
        # In a container everybody is root; Jupyter refuses without being told.
        argv.append("--allow-root")
    return [*argv, *further]


def jupyter_environment(progress_file: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return what to set for JupyterLab and its kernels beside the ``environment`` of the user.

    The progress is kept in ``progress_file`` where the user names no other. JupyterLab gets one more folder of
    settings: other defaults, over which what the user chooses in JupyterLab's settings still wins.
    """
    from kafkalab.courseware.store import PROGRESS_FILE_VARIABLE

    settings = [str(_JUPYTER_SETTINGS), environment.get("JUPYTER_CONFIG_PATH", "")]
    added = {"JUPYTER_CONFIG_PATH": os.pathsep.join(path for path in settings if path)}
    if not environment.get(PROGRESS_FILE_VARIABLE):
        added[PROGRESS_FILE_VARIABLE] = str(progress_file)
    return added


def _require_jupyterlab() -> None:
    if importlib.util.find_spec("jupyterlab") is None:
        raise EnvironmentProblem(
            f"JupyterLab is not installed for {sys.executable}: install kafkalab again with all it needs."
        )


def _prove() -> None:
    from kafkalab import Cluster
    from kafkalab.cli.preparing import prepare
    from kafkalab.cli.proof import first_record

    prepare()
    began = time.monotonic()
    with Cluster(_BROKERS) as cluster:
        ready = time.monotonic() - began
        first_record(cluster)
        kafka = "Borrowed Kafka cluster" if cluster.is_borrowed else f"{_BROKERS} Kafka brokers"
    click.echo(f"{kafka} ready in {ready:.1f} s, first record acknowledged and read back.")


def _workspace(folder: Path | None) -> Workspace:
    from kafkalab.courseware.workspace import prepare_workspace

    workspace = prepare_workspace(folder)
    counts = Counter(outcome.name.lower() for outcome in workspace.outcomes.values())
    summary = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
    click.echo(f"Your lessons are in {workspace.folder} ({summary}).")
    for path in workspace.beside:
        click.echo(f"A newer version of a lesson you changed lies beside it: {path.name}")
    return workspace
