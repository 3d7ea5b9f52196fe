from __future__ import annotations

import json
from pathlib import Path

import pytest

from kafkalab.cli import main
from kafkalab.cli.checks import CHECKS, Finding, Status, examine
from kafkalab.cli.checks.finding import ok, problem, warning
from kafkalab.cli.checks.kafka import check_aot_cache, check_broker, check_cache, check_jars, check_java
from kafkalab.cli.checks.machine import check_docker, check_platform
from kafkalab.clusters.locks import JARS_FOLDER, LOCK_NAME, read_lock
from kafkalab.errors import CacheProblem, KafkalabError


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty folder the cache."""
    monkeypatch.setenv("KAFKALAB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("KAFKALAB_OFFLINE", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def java_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a Java 11 that does nothing the one to use."""
    home = tmp_path / "java"
    (home / "bin").mkdir(parents=True)
    (home / "release").write_text('JAVA_VERSION="11.0.2"\n')
    (home / "bin" / "java").write_text("#!/bin/sh\necho 'libjvm.so is missing' >&2\nexit 1\n")
    (home / "bin" / "java").chmod(0o755)
    monkeypatch.setenv("KAFKALAB_JAVA_HOME", str(home))
    return home


def raising(error: Exception) -> Finding:
    def check() -> Finding:
        raise error

    return examine(check)


def test_a_message_of_kafkalab_is_split_into_what_and_what_to_do() -> None:
    error = CacheProblem("The folder /a:b cannot be used (no: really): make it writable.\nmore")
    assert raising(error) == problem("The folder /a:b cannot be used (no: really)", "make it writable")


def test_a_message_without_a_remedy_still_gets_one() -> None:
    finding = raising(KafkalabError("it is broken"))
    assert (finding.status, finding.message) == (Status.PROBLEM, "it is broken")
    assert finding.remedy


@pytest.mark.parametrize("error", [ZeroDivisionError("by\nzero"), KeyError(), OSError(5, "I/O error")])
def test_a_check_that_fails_itself_becomes_a_finding(error: Exception) -> None:
    finding = raising(error)
    assert finding.status is Status.PROBLEM
    assert type(error).__name__ in finding.message
    assert "\n" not in finding.message
    assert finding.remedy


@pytest.mark.parametrize(
    ("system", "release", "status"),
    [
        ("linux", "6.1.0-13-amd64", Status.OK),
        ("darwin", "23.1.0", Status.OK),
        ("linux", "5.15.90.1-microsoft-standard-WSL2", Status.OK),
        ("linux", "4.4.0-19041-Microsoft", Status.WARNING),
        ("win32", "10", Status.PROBLEM),
    ],
)
def test_windows_and_its_two_linuxes_are_told_apart(system: str, release: str, status: Status) -> None:
    assert check_platform(system, release).status is status


def test_an_old_java_is_a_problem_that_says_what_to_set(java_home: Path) -> None:
    finding = examine(check_java)
    assert finding.status is Status.PROBLEM
    assert "Java 11" in finding.message
    assert "KAFKALAB_JAVA_HOME" in finding.remedy


def test_a_java_that_does_not_start_is_a_problem_with_its_own_words(java_home: Path) -> None:
    (java_home / "release").write_text('JAVA_VERSION="21.0.2"\n')
    finding = examine(check_java)
    assert finding.status is Status.PROBLEM
    assert "libjvm.so is missing" in finding.message


def test_missing_jars_are_a_warning_with_a_network_and_a_problem_without(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = check_jars()
    assert finding.status is Status.WARNING
    assert finding.remedy == "run `kafkalab fetch`"
    monkeypatch.setenv("KAFKALAB_OFFLINE", "1")
    finding = check_jars()
    assert finding.status is Status.PROBLEM
    assert "without KAFKALAB_OFFLINE" in finding.remedy


def test_an_altered_jar_is_a_problem_that_names_it(cache: Path) -> None:
    jar = read_lock(JARS_FOLDER / "broker" / LOCK_NAME).jars[3]
    path = cache / "maven" / jar.path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not what was locked")
    finding = check_jars()
    assert finding.status is Status.PROBLEM
    assert jar.file_name in finding.message


def test_looking_fetches_nothing(cache: Path) -> None:
    findings = [examine(check) for check in (check_cache, check_jars, check_aot_cache, check_broker)]
    assert [finding.status for finding in findings] == [Status.OK, *[Status.WARNING] * 3]
    assert not [path for path in cache.rglob("*") if path.is_file()]


def test_a_cache_that_cannot_be_made_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("KAFKALAB_CACHE_DIR", str(tmp_path / "file" / "cache"))
    finding = examine(check_cache)
    assert finding.status is Status.PROBLEM
    assert "KAFKALAB_CACHE_DIR" in finding.remedy


def docker(folder: Path, script: str) -> None:
    (folder / "docker").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "docker").chmod(0o755)


def test_docker_is_told_of_but_never_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    absent = check_docker()
    docker(tmp_path, "echo 29.1")
    present = check_docker()
    docker(tmp_path, "exit 1")
    silent = check_docker()
    assert {absent.status, present.status, silent.status} == {Status.OK}
    assert "29.1" in present.message
    assert len({absent.message, present.message, silent.message}) == 3


def test_the_report_has_one_line_for_each_finding(
    java_home: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--no-cluster"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(CHECKS)
    for line, name in zip(lines, CHECKS, strict=True):
        mark, rest = line.split(maxsplit=1)
        assert mark in {"ok", "warning", "problem"}
        assert rest.startswith(name)
        assert ("; " in rest) or mark == "ok"


def test_the_json_says_the_same(java_home: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--no-cluster", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is False
    assert [finding["name"] for finding in report["findings"]] == list(CHECKS)
    assert {tuple(finding) for finding in report["findings"]} == {("name", "status", "message", "remedy")}
    bad = [finding["name"] for finding in report["findings"] if finding["status"] == "problem"]
    assert bad == ["java"]


@pytest.mark.parametrize(
    ("finding", "status"), [(ok("x"), "ok"), (warning("x", "y"), "warning"), (problem("x", "y"), "problem")]
)
def test_a_finding_as_json(finding: Finding, status: str) -> None:
    assert finding.as_dict("n") == {
        "name": "n",
        "status": status,
        "message": "x",
        "remedy": "" if status == "ok" else "y",
    }
