"""What the tests share: a Maven repository on loopback that can misbehave, lock files, an empty cache."""

from __future__ import annotations

import gc
import hashlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from kafkalab.clusters.locks import LockedJar

Answer = Callable[[BaseHTTPRequestHandler], None]


def give(content: bytes) -> Answer:
    """Answer with ``content``."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    return answer


def refuse(status: int, **headers: str) -> Answer:
    """Answer with an error status."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return answer


def cut(content: bytes) -> Answer:
    """Promise ``content`` and hang up after half of it."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content[: len(content) // 2])

    return answer


def hold(content: bytes, half_sent: threading.Event, go_on: threading.Event) -> Answer:
    """Send half of ``content``, say so, and the rest only when told."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content[: len(content) // 2])
        half_sent.set()
        go_on.wait(timeout=60)
        request.wfile.write(content[len(content) // 2 :])

    return answer


@dataclass
class Mirror:
    """The repository: what it answers at each path, one answer per request, the last one for ever."""

    url: str = ""
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)

    # Reached through the fixture, since test modules here cannot import one another.
    give = staticmethod(give)
    refuse = staticmethod(refuse)
    cut = staticmethod(cut)
    hold = staticmethod(hold)

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        path = request.path.lstrip("/")
        answers = self.answers.get(path, [refuse(404)])
        number = self.requests[path]
        self.requests[path] += 1
        answers[min(number, len(answers) - 1)](request)


@contextmanager
def serving() -> Iterator[Mirror]:
    """Serve a repository on a free loopback port."""
    repository = Mirror()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                repository.handle(self)
            except ConnectionError:
                self.close_connection = True  # the client was killed, or gave up on purpose

        def log_message(self, *args: object) -> None:
            """Be quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        repository.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield repository
        finally:
            server.shutdown()
            thread.join()


@dataclass(frozen=True)
class Small:
    """A lock file of two small jars and what the jars hold, by path in the repository."""

    lock_file: Path
    contents: dict[str, bytes]

    @property
    def path(self) -> str:
        """The path of the first jar."""
        return min(self.contents)


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    """Serve a Maven repository on loopback and make it the one that is asked."""
    with serving() as repository:
        monkeypatch.setenv("KAFKALAB_MAVEN_URL", repository.url)
        yield repository
    # What jgo left open (see the filter in the modules) ends here, not during some other test.
    gc.collect()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder of the test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("KAFKALAB_CACHE_DIR", str(folder))
    monkeypatch.delenv("KAFKALAB_OFFLINE", raising=False)
    return folder


WriteLock = Callable[[Iterable[LockedJar]], Path]


@pytest.fixture
def write_lock(tmp_path: Path) -> WriteLock:
    """Write a lock file for any jars and return its path."""

    def write(jars: Iterable[LockedJar]) -> Path:
        text = '[environment]\nname = "small"\n'
        for jar in jars:
            text += (
                f'\n[[dependencies]]\ngroupId = "{jar.group}"\nartifactId = "{jar.artifact}"\n'
                f'version = "{jar.version}"\npackaging = "jar"\nsha256 = "{jar.sha256}"\n'
            )
        path = tmp_path / "jgo.lock.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def small(mirror: Mirror, write_lock: WriteLock) -> Small:
    """Two jars that the mirror has, locked."""
    jars, contents = [], {}
    for artifact in ("alpha", "beta"):
        content = os.urandom(50_000)
        jar = LockedJar("org.example", artifact, "1.0", hashlib.sha256(content).hexdigest())
        jars.append(jar)
        contents[jar.path] = content
        mirror.answers[jar.path] = [mirror.give(content)]
    return Small(write_lock(jars), contents)
