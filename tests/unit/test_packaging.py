"""What is declared, what is locked, what is installed and what is shipped agree."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import kafkalab

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements.lock"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = [
    text.rpartition(" ")[2]
    for text in PROJECT["classifiers"]
    if re.fullmatch(r"Programming Language :: Python :: \d\.\d+", text)
]
# Where the lock must hold: Kafka runs on Linux and on macOS.
PLACES = [
    pytest.param({"python_version": python, "python_full_version": f"{python}.9", **system}, id=f"{python}-{name}")
    for python in PYTHONS
    for name, system in {
        "linux": {"sys_platform": "linux", "platform_system": "Linux"},
        "macos": {"sys_platform": "darwin", "platform_system": "Darwin"},
    }.items()
]


def declared() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"].values()
    return [Requirement(text) for group in [PROJECT["dependencies"], *extras] for text in group]


@cache
def locked() -> tuple[Requirement, ...]:
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    return tuple(Requirement(line.rstrip(" \\")) for line in lines if re.match(r"[a-z0-9]", line))


def pinned(place: dict[str, str]) -> dict[str, Version]:
    """Return the version of each package that the lock gives in this place."""
    found: dict[str, Version] = {}
    for entry in locked():
        if entry.marker is None or entry.marker.evaluate(cast("dict[str, str]", default_environment()) | place):
            name = canonicalize_name(entry.name)
            assert name not in found, f"two versions of {name} in one place"
            (specifier,) = entry.specifier
            assert specifier.operator == "=="
            found[name] = Version(specifier.version)
    return found


@pytest.mark.parametrize("place", PLACES)
def test_the_lock_has_each_declared_package_in_a_version_that_is_allowed(place: dict[str, str]) -> None:
    versions = pinned(place)
    for requirement in declared():
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in requirements.lock: make lock"
        assert version in requirement.specifier, f"{requirement} and the lock's {version} differ: make lock"


def test_every_line_of_the_lock_is_pinned_and_hashed_and_names_no_place() -> None:
    text = LOCK.read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[a-z0-9])", text.split("\n", 2)[2])
    assert len(entries) == len(locked()) > 100
    assert all(re.match(r"\S+==\S+", entry) and "--hash=sha256:" in entry for entry in entries)
    assert "make lock" in text.split("\n", 2)[1]
    assert not re.search(r"://|^--|index-url|find-links", text, re.MULTILINE)


def test_the_installed_packages_are_those_of_the_lock() -> None:
    differ = {
        name: (str(version), importlib.metadata.version(name))
        for name, version in pinned({}).items()
        if Version(importlib.metadata.version(name)) != version
    }
    assert differ == {}, "run make setup"


def read_yaml(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def test_conda_takes_the_same_python_and_the_same_lock() -> None:
    environment = read_yaml("environment.yml")
    *conda, pip = environment["dependencies"]
    assert environment["channels"] == ["conda-forge"]
    assert sorted(re.split(r"[<>=]", entry)[0] for entry in conda) == ["pip", "python"]
    assert [line for line in pip["pip"] if not line.startswith("--only-binary")] == [f"--requirement {LOCK.name}"]
    (python,) = [entry.removeprefix("python") for entry in conda if entry.startswith("python")]
    in_range = [f"3.{minor}" for minor in range(30) if f"3.{minor}" in SpecifierSet(python)]
    assert in_range == PYTHONS
    assert python.split(",")[0] == PROJECT["requires-python"]


def test_the_hosts_take_the_same_lock_and_a_python_that_is_supported() -> None:
    assert f"--requirement ../{LOCK.name}" in (ROOT / "binder/requirements.txt").read_text(encoding="utf-8")
    assert (ROOT / "binder/runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-") in PYTHONS
    text = (ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8")
    container = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
    assert container["image"].removeprefix("python:").partition("-")[0] in PYTHONS
    assert container["postCreateCommand"] == "make setup"


def test_what_colab_installs_is_declared() -> None:
    text = (ROOT / "docs/hosts.md").read_text(encoding="utf-8")
    (line,) = re.findall(r'^%pip install --quiet ("kafka-python.*)$', text, re.MULTILINE)
    wanted = {Requirement(part.strip('"')) for part in re.findall(r'"[^"]+"', line)}
    assert len(wanted) == 8
    assert wanted <= set(declared())


def test_the_workflows_run_what_is_run_here() -> None:
    tests, course = read_yaml(".github/workflows/test.yml"), read_yaml(".github/workflows/course.yml")
    job = tests["jobs"]["test"]
    assert job["steps"][-1]["run"] == ".ci/run"
    assert set(job["strategy"]["matrix"]["python"]) <= set(PYTHONS)
    commands = " ".join(step.get("run", "") for step in course["jobs"]["notebooks"]["steps"])
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for option in ("--nbval --nbval-current-env --nbval-cell-timeout=120", "--dist loadscope"):
        assert option in commands
        assert option in makefile


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_has_the_package_its_locks_and_the_lessons(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    # Whoever imports a module at this moment writes to __pycache__, at first under another name than *.pyc.
    kept = (path for path in (ROOT / "kafkalab").rglob("*") if "__pycache__" not in path.parts)
    package = {path for path in kept if path.is_file()}
    expected = {str(path.relative_to(ROOT)) for path in package}
    for folder in ("", "solutions/"):
        lessons = (ROOT / "notebooks" / folder).glob("*.ipynb")
        expected |= {f"kafkalab/_lessons/{folder}{path.name}" for path in lessons}
    assert names == expected
    assert {"kafkalab/clusters/jars/broker/jgo.lock.toml", "kafkalab/py.typed"} <= names
    assert any(name.startswith("kafkalab/_lessons/solutions/00_") for name in names)


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        folder = f"kafkalab-{kafkalab.__version__}.dist-info"
        metadata = archive.read(f"{folder}/METADATA").decode("utf-8")
        scripts = archive.read(f"{folder}/entry_points.txt").decode("utf-8")
        licence = archive.read(f"{folder}/licenses/LICENSE").decode("utf-8")
    assert f"\nVersion: {kafkalab.__version__}\n" in metadata
    assert "\nLicense-Expression: Apache-2.0\n" in metadata
    assert "kafkalab = kafkalab.cli:main" in scripts
    assert "Apache License" in licence


def test_an_installed_wheel_finds_its_lessons_and_its_locks(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
        "import kafkalab\n"
        "from kafkalab.courseware.files import checkout, lesson_files, lessons_folder\n"
        "from kafkalab.courseware.solutions import solution_text\n"
        "print(checkout(), lesson_files(lessons_folder())[0].name, bool(solution_text('00.first-topic')))\n"
    )
    command = [sys.executable, "-I", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout == "None 00_start_here.ipynb True\n"


def test_the_command_is_installed_and_tells_its_version() -> None:
    command = [str(Path(sys.executable).with_name("kafkalab")), "--version"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert kafkalab.__version__ in done.stdout
