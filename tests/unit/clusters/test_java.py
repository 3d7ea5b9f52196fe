"""Which Java is found, and what is said about those that will not do."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kafkalab.clusters.java import Java, find_java
from kafkalab.errors import JavaProblem


def java_home(folder: Path, script: str = "exit 1", release: str | None = None, mode: int = 0o755) -> Path:
    """Make a folder that looks like a Java: its program is a shell script."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(mode)
    if release is not None:
        (folder / "release").write_text(release, encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def _no_override(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAFKALAB_JAVA_HOME", raising=False)


def test_the_built_in_java_runs_and_is_of_the_version_said() -> None:
    java = find_java()
    said = subprocess.run([java.executable, "-version"], check=True, capture_output=True, text=True).stderr
    assert f'version "{java.version}.' in said
    assert java.home / "bin" / "java" == java.executable


def test_java_home_and_the_path_are_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = java_home(tmp_path, release='JAVA_VERSION="21.0.1"')
    monkeypatch.setenv("JAVA_HOME", str(other))
    monkeypatch.setenv("PATH", str(other / "bin"), prepend=":")
    assert find_java().home != other


@pytest.mark.parametrize(
    ("line", "version"),
    [('JAVA_VERSION="17.0.9"', 17), ('JAVA_VERSION="21"', 21), ('JAVA_VERSION="22-ea"', 22)],
)
def test_an_override_is_read_from_its_release_file(
    line: str, version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The program fails when it is run: the release file must be enough.
    home = java_home(tmp_path, script="exit 1", release=f'IMPLEMENTOR="Somebody"\n{line}\nOS_NAME="Linux"\n')
    monkeypatch.setenv("KAFKALAB_JAVA_HOME", str(home))
    assert find_java() == Java(home / "bin" / "java", version)


def test_a_real_override_without_release_file_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built_in = find_java()
    home = java_home(tmp_path, script=f'exec {built_in.executable} "$@"')
    monkeypatch.setenv("KAFKALAB_JAVA_HOME", str(home))
    assert find_java() == Java(home / "bin" / "java", built_in.version)


@pytest.mark.parametrize(("version", "shown"), [("11.0.21", "Java 11"), ("1.8.0_392", "Java 8"), ("16", "Java 16")])
def test_too_old_says_what_was_found_and_what_is_needed(
    version: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = java_home(tmp_path, release=f'JAVA_VERSION="{version}"\n')
    monkeypatch.setenv("KAFKALAB_JAVA_HOME", str(home))
    with pytest.raises(JavaProblem, match=rf"is {shown}, but Apache Kafka needs 17 or newer: set KAFKALAB"):
        find_java()


def test_too_old_is_also_found_by_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = java_home(tmp_path, script="""echo 'openjdk version "11.0.2" 2019-01-15' >&2""")
    monkeypatch.setenv("KAFKALAB_JAVA_HOME", str(home))
    with pytest.raises(JavaProblem, match="is Java 11, but"):
        find_java()


def test_an_empty_folder_is_no_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKALAB_JAVA_HOME", str(tmp_path))
    with pytest.raises(JavaProblem, match=r"there is no .*/bin/java: set KAFKALAB_JAVA_HOME"):
        find_java()


def test_a_file_that_may_not_be_run_is_no_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = java_home(tmp_path, release='JAVA_VERSION="21"', mode=0o644)
    monkeypatch.setenv("KAFKALAB_JAVA_HOME", str(home))
    with pytest.raises(JavaProblem, match="is not a program that this user may run"):
        find_java()


def test_a_program_that_does_not_say_a_version_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = java_home(tmp_path, script="echo 'cannot load libjvm.so' >&2; exit 1")
    monkeypatch.setenv("KAFKALAB_JAVA_HOME", str(home))
    with pytest.raises(JavaProblem, match=r"does not say its version \(it said: cannot load libjvm.so\)"):
        find_java()


def test_a_file_of_another_format_cannot_be_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = java_home(tmp_path)
    (home / "bin" / "java").write_bytes(b"\x00\x01 not for this machine")
    monkeypatch.setenv("KAFKALAB_JAVA_HOME", str(home))
    with pytest.raises(JavaProblem, match="could not be run"):
        find_java()
