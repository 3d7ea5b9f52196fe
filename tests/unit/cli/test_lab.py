from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from kafkalab.cli.lab import jupyter_command, jupyter_environment

FOLDER = Path("/lessons")


def jupyter(*, no_browser: bool = False, port: int | None = None, further: tuple[str, ...] = ()) -> list[str]:
    first = FOLDER / "00_start_here.ipynb"
    return jupyter_command(FOLDER, first, no_browser=no_browser, port=port, further=further)


def test_jupyterlab_of_this_python_opens_the_first_lesson_in_the_workspace() -> None:
    argv = jupyter()
    assert argv[:3] == [sys.executable, "-m", "kafkalab.cli.jupyter"]
    assert "--ServerApp.root_dir=/lessons" in argv
    assert "--LabApp.default_url=/lab/tree/00_start_here.ipynb" in argv


def test_browser_and_port_are_jupyters_choice_unless_asked() -> None:
    assert not [part for part in jupyter() if part == "--no-browser" or part.startswith("--port")]
    assert {"--no-browser", "--port=0"} <= set(jupyter(no_browser=True, port=0))


def test_the_users_own_options_come_last() -> None:
    further = ("--ServerApp.token=x", "--debug")
    assert tuple(jupyter(no_browser=True, port=1, further=further)[-2:]) == further


@pytest.mark.parametrize(("user", "allowed"), [(0, True), (1000, False)])
def test_root_is_allowed_only_for_root(user: int, allowed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert ("--allow-root" in jupyter()) is allowed


def test_progress_is_kept_in_the_workspace_unless_the_user_says_where() -> None:
    own = FOLDER / ".kafkalab-progress.json"
    for environment in ({}, {"KAFKALAB_PROGRESS_FILE": ""}):
        assert jupyter_environment(own, environment)["KAFKALAB_PROGRESS_FILE"] == str(own)
    assert "KAFKALAB_PROGRESS_FILE" not in jupyter_environment(own, {"KAFKALAB_PROGRESS_FILE": "mine.json"})


def test_jupyterlab_gets_settings_beside_the_users_own() -> None:
    assert jupyter_environment(FOLDER, {"JUPYTER_CONFIG_PATH": "/a:/b"})["JUPYTER_CONFIG_PATH"].endswith(":/a:/b")
    (folder,) = jupyter_environment(FOLDER, {})["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    settings = json.loads((Path(folder) / "labconfig" / "default_setting_overrides.json").read_text())
    assert settings["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"
