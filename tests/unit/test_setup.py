"""What ``make setup`` promises, with the real script on a project as small as can be."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = ("hatchling", "packaging", "pathspec", "pluggy", "tomlkit", "trove-classifiers")
PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "kafkalab"
version = "1"
[project.scripts]
kafkalab = "kafkalab:main"
[tool.hatch.build]
dev-mode-dirs = ["."]
"""
COMMAND = "import sys\ndef main(): print('command:', *sys.argv[1:])\n"
INSTALLING = "Installing the packages"


class Project:
    """A folder with a tools/setup.sh, a small lock and a kafkalab whose command prints its arguments."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = folder / "requirements.lock"
        (folder / "tools").mkdir(parents=True)
        (folder / "kafkalab").mkdir()
        shutil.copy(ROOT / "tools/setup.sh", folder / "tools")
        (folder / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
        (folder / "kafkalab/__init__.py").write_text(COMMAND, encoding="utf-8")
        entries = re.split(r"\n(?=[a-z0-9])", (ROOT / "requirements.lock").read_text(encoding="utf-8"))
        kept = [entry for entry in entries if entry.partition("==")[0] in NEEDED]
        assert len(kept) == len(NEEDED)
        self.lock.write_text("\n".join(kept) + "\n", encoding="utf-8")

    def set_up(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the script as a user does, from elsewhere."""
        own = {"PYTHON": sys.executable, **environment}
        command = [str(self.folder / "tools/setup.sh")]
        return subprocess.run(command, cwd="/", env=os.environ | own, check=False, capture_output=True, text=True)

    @property
    def python(self) -> Path:
        return self.folder / ".venv/bin/python"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "a folder")


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project that has been set up; a test leaves it so."""
    project = Project(tmp_path_factory.mktemp("ready") / "a folder")
    done = project.set_up()
    # Over a real network pip may have to try again, and warns of that.
    said = [line for line in done.stderr.splitlines() if not line.startswith("WARNING: ")]
    assert (done.returncode, said) == (0, [])
    assert done.stdout.splitlines()[-1] == "command: fetch"
    yield project
    done = project.set_up()
    assert (done.returncode, done.stdout) == (0, "command: fetch --quiet\n")


def test_repeated_it_only_looks(ready: Project) -> None:
    before = sorted((path, path.stat().st_mtime_ns) for path in (ready.folder / ".venv").rglob("*"))
    done = ready.set_up()
    assert (done.returncode, done.stdout, done.stderr) == (0, "command: fetch --quiet\n", "")
    assert before == sorted((path, path.stat().st_mtime_ns) for path in (ready.folder / ".venv").rglob("*"))


def test_a_changed_lock_is_installed_into_the_same_environment(ready: Project) -> None:
    (mark := ready.folder / ".venv/mark").touch()
    ready.lock.write_text(ready.lock.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    assert INSTALLING in ready.set_up().stdout
    assert mark.exists()


def test_what_was_cut_off_is_made_afresh(ready: Project) -> None:
    # As a kill in the middle leaves it: no stamp yet, and files of a package without the rest.
    (ready.folder / ".venv/kafkalab-setup").unlink()
    (half,) = ready.folder.glob(".venv/lib/python*/site-packages/pip/__main__.py")
    half.unlink()
    done = ready.set_up()
    assert (done.returncode, INSTALLING in done.stdout) == (0, True)
    assert half.exists()


def test_an_environment_whose_python_is_gone_is_made_afresh(ready: Project) -> None:
    ready.python.unlink()
    ready.python.symlink_to("/no/such/python")
    assert ready.set_up().returncode == 0
    assert ready.python.exists()


def test_a_wrong_hash_is_refused_and_not_taken_for_done(project: Project) -> None:
    text = re.sub(r"sha256:[0-9a-f]{8}", "sha256:00000000", project.lock.read_text(encoding="utf-8"))
    project.lock.write_text(text, encoding="utf-8")
    done = project.set_up()
    assert done.returncode == 1
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("make setup: pip could not install requirements.lock;")
    assert not (project.folder / ".venv/kafkalab-setup").exists()


def shim(folder: Path, text: str) -> str:
    """A Python that a machine might have."""
    path = folder / "python3"
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("exit 1", "make setup: needs Python 3.11 or newer and found none: install it, or name one with "),
        (
            f'case "$*" in *ensurepip*) exit 1;; esac; exec {sys.executable} "$@"',
            "comes without venv or ensurepip: install them (on Debian and Ubuntu the package python3-venv).",
        ),
    ],
    ids=["too old", "no ensurepip"],
)
def test_without_a_suitable_python_it_says_so_in_one_sentence(
    project: Project, tmp_path: Path, text: str, said: str
) -> None:
    done = project.set_up(PYTHON=shim(tmp_path, text))
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert said in line
    assert not (project.folder / ".venv").exists()
