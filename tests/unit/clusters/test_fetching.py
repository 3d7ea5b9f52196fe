"""Fetching from a real HTTP server that refuses, lies, hangs up and dawdles."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from kafkalab.clusters.fetching import fetch_jars, is_offline
from kafkalab.clusters.locks import LockedJar, read_lock
from kafkalab.errors import CacheProblem, CorruptJar, DownloadFailed, InvalidArgument

if TYPE_CHECKING:
    from tests.unit.clusters.conftest import Mirror, Small

# jgo leaves the socket of a request that was refused to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """The folder that gets the jars."""
    return tmp_path / "store" / "maven"


def jars_of(small: Small) -> tuple[LockedJar, ...]:
    return read_lock(small.lock_file).jars


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_jars_arrive_whole_and_nothing_else_does(target: Path, small: Small) -> None:
    fetch_jars(jars_of(small), target)
    assert {path: (target / path).read_bytes() for path in files_below(target)} == small.contents
    assert files_below(target.parent) == [f"maven/{path}" for path in sorted(small.contents)]


def test_progress_is_told_of_each_jar_in_the_calling_thread(target: Path, small: Small) -> None:
    seen: list[tuple[int, int, str]] = []
    threads = set()

    def progress(done: int, total: int, name: str) -> None:
        seen.append((done, total, name))
        threads.add(threading.current_thread())

    fetch_jars(jars_of(small), target, progress)
    assert [(done, total) for done, total, _ in seen] == [(1, 2), (2, 2)]
    assert {name for _, _, name in seen} == {"alpha-1.0.jar", "beta-1.0.jar"}
    assert threads == {threading.current_thread()}


@pytest.mark.parametrize("trouble", ["cut", "wrong", "refused"])
def test_what_passes_is_covered_by_a_second_attempt(trouble: str, target: Path, small: Small, mirror: Mirror) -> None:
    content = small.contents[small.path]
    first = {
        "cut": mirror.cut(content),
        "wrong": mirror.give(b"<html>Log in"),
        "refused": mirror.refuse(503),
    }[trouble]
    mirror.answers[small.path] = [first, mirror.give(content)]
    fetch_jars(jars_of(small), target)
    assert (target / small.path).read_bytes() == content
    assert mirror.requests[small.path] == 2


def test_a_jar_that_is_wrong_twice_is_refused_and_the_source_suspected(
    target: Path, small: Small, mirror: Mirror
) -> None:
    mirror.answers[small.path] = [mirror.give(small.contents[small.path][:-1] + b"?")]
    with pytest.raises(CorruptJar, match=rf"^{mirror.url} gave a alpha-1.0.jar .*do not trust that source"):
        fetch_jars(jars_of(small), target)
    assert mirror.requests[small.path] == 2
    assert not (target / small.path).exists()
    assert not target.with_name("maven-staging").exists()


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [("cut", "the connection broke off"), ("missing", "it refused, or has no such file")],
)
def test_a_jar_that_does_not_come_twice_is_a_failed_download(
    trouble: str, reason: str, target: Path, small: Small, mirror: Mirror
) -> None:
    answer = {"cut": mirror.cut(small.contents[small.path]), "missing": mirror.refuse(404)}[trouble]
    mirror.answers[small.path] = [answer]
    with pytest.raises(DownloadFailed, match=rf"alpha-1.0.jar could not be fetched from .* \({reason}\)"):
        fetch_jars(jars_of(small), target)
    assert mirror.requests[small.path] == 2


def test_an_odd_answer_is_a_failed_download(target: Path, small: Small, mirror: Mirror) -> None:
    mirror.answers[small.path] = [mirror.refuse(429, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT")]
    with pytest.raises(DownloadFailed, match="odd answer"):
        fetch_jars(jars_of(small), target)


def test_nobody_listening_is_a_failed_download_asked_once(
    target: Path, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("KAFKALAB_MAVEN_URL", f"http://127.0.0.1:{port}/maven2/")
    with pytest.raises(DownloadFailed, match=r"\(no connection\): connect to a network, or set KAFKALAB_MAVEN"):
        fetch_jars(jars_of(small), target)


def test_a_name_that_does_not_resolve_is_a_failed_download(
    target: Path, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKALAB_MAVEN_URL", "http://mirror.invalid/maven2")
    with pytest.raises(DownloadFailed, match=r"from http://mirror\.invalid/maven2 "):
        fetch_jars(jars_of(small), target)


def test_the_deadline_ends_a_download_that_does_not_end(
    target: Path, small: Small, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    half_sent, go_on = threading.Event(), threading.Event()
    mirror.answers[small.path] = [mirror.hold(small.contents[small.path], half_sent, go_on)]
    waiting, over = threading.current_thread(), []

    def progress(done: int, total: int, name: str) -> None:
        # The other jar has arrived: it wakes the thread that waits. The deadline comes when half of this one is sent.
        assert half_sent.wait(timeout=30)
        over.append(time.monotonic())

    # The thread that downloads must not be the first to see that time is over: it would tell of that in its own words.
    clock = SimpleNamespace(monotonic=lambda: 60.0 if over and threading.current_thread() is waiting else 0.0)
    monkeypatch.setattr("kafkalab.clusters.maven.time", clock)
    with pytest.raises(DownloadFailed, match=r"did not deliver all jars within 60 s: try again \(what arrived"):
        fetch_jars(jars_of(small), target, progress, deadline=60)
    assert time.monotonic() - over[0] < 8, "the stall limit of one request must not be waited for"
    assert not (target / small.path).exists()
    go_on.set()


def test_a_repository_that_says_come_back_later_is_left_at_the_deadline(
    target: Path, small: Small, mirror: Mirror
) -> None:
    mirror.answers[small.path] = [mirror.refuse(429, Retry_After="3600")]
    with pytest.raises(DownloadFailed, match=r"did not deliver all jars within 0\.5 s"):
        fetch_jars(jars_of(small), target, deadline=0.5)


def test_a_failure_keeps_what_arrived(target: Path, small: Small, mirror: Mirror) -> None:
    first, last = jars_of(small)
    arrived = threading.Event()

    def refuse_when_the_other_is_there(request: BaseHTTPRequestHandler) -> None:
        assert arrived.wait(timeout=30)
        mirror.refuse(404)(request)

    mirror.answers[last.path] = [refuse_when_the_other_is_there]
    with pytest.raises(DownloadFailed, match="beta"):
        fetch_jars([first, last], target, lambda done, total, name: arrived.set())
    assert (target / first.path).read_bytes() == small.contents[first.path]


def test_an_error_of_the_progress_display_ends_the_fetch(target: Path, small: Small) -> None:
    def progress(done: int, total: int, name: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_jars(jars_of(small), target, progress)
    assert not target.with_name("maven-staging").exists()


def test_a_folder_that_cannot_be_written_is_a_cache_problem(tmp_path: Path, small: Small) -> None:
    blocker = tmp_path / "a-file"
    blocker.touch()
    with pytest.raises(CacheProblem, match="set KAFKALAB_CACHE_DIR"):
        fetch_jars(jars_of(small), blocker / "maven")


def test_a_disk_that_fills_up_while_fetching_is_a_cache_problem(tmp_path: Path, small: Small) -> None:
    # In a process of its own: the operating system refuses it any byte beyond 20,000 in a file.
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from kafkalab.clusters.fetching import fetch_jars; from kafkalab.clusters.locks import read_lock\n"
        "import jgo, requests\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "fetch_jars(read_lock(Path(sys.argv[1])).jars, Path(sys.argv[2]) / 'maven')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, small.lock_file, tmp_path],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"kafkalab.errors.CacheProblem: The cache folder {tmp_path} cannot be used (File too")
    assert not list(tmp_path.rglob("*.jar"))


def test_nothing_is_printed_even_where_the_repository_s_own_checksum_is_wrong(
    target: Path, small: Small, mirror: Mirror
) -> None:
    mirror.answers[f"{small.path}.sha1"] = [mirror.give(b"0" * 40)]
    code = (
        "import sys; from pathlib import Path\n"
        "from kafkalab.clusters.fetching import fetch_jars; from kafkalab.clusters.locks import read_lock\n"
        "fetch_jars(read_lock(Path(sys.argv[1])).jars, Path(sys.argv[2]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, small.lock_file, target],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert mirror.requests[f"{small.path}.sha1"] == 1
    assert files_below(target) == sorted(small.contents)


@pytest.mark.parametrize("url", ["ftp://example.org/maven2", "example.org/maven2", "https://"])
def test_an_address_that_is_none_is_an_invalid_argument(
    url: str, target: Path, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKALAB_MAVEN_URL", url)
    with pytest.raises(InvalidArgument, match=r"KAFKALAB_MAVEN_URL is .* which is no http or https address"):
        fetch_jars(jars_of(small), target)


def test_a_mirror_s_password_is_used_but_not_shown(
    target: Path, small: Small, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKALAB_MAVEN_URL", mirror.url.replace("//", "//pupil:s3cret@"))
    fetch_jars(jars_of(small), target)
    mirror.answers[small.path] = [mirror.refuse(403)]
    with pytest.raises(DownloadFailed, match=r"127\.0\.0\.1") as caught:
        fetch_jars(jars_of(small), target)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(("value", "offline"), [("1", True), ("TRUE ", True), ("", False), ("0", False)])
def test_offline_is_a_switch(value: str, offline: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKALAB_OFFLINE", value)
    assert is_offline() is offline
