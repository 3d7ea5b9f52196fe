"""One Maven repository, asked through jgo for single files, and what to say when it does not deliver."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kafkalab.clusters.locks import LockedJar
from kafkalab.errors import DownloadFailed, InvalidArgument

if TYPE_CHECKING:
    from jgo.maven import MavenContext

__all__ = ["MAVEN_URL_VARIABLE", "MavenRepository", "maven_url", "never_connected"]

MAVEN_URL_VARIABLE = "KAFKALAB_MAVEN_URL"
# Seconds without a connection or a byte before a download counts as dead.
_STALL_S = 10

# jgo warns about what is checked here anyway; without any handler Python would print that into a notebook.
logging.getLogger("jgo").addHandler(logging.NullHandler())


def maven_url() -> str:
    """Return the address of the Maven repository: ``KAFKALAB_MAVEN_URL`` (a mirror), else Maven Central's.

    Raises:
        InvalidArgument: the variable holds no http or https address.
    """
    from jgo.constants import MAVEN_CENTRAL_URL

    url = os.environ.get(MAVEN_URL_VARIABLE) or MAVEN_CENTRAL_URL
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidArgument(
            f"{MAVEN_URL_VARIABLE} is {_without_password(url)!r}, which is no http or https address: "
            f"give that of a Maven repository, or unset it."
        )
    return url.rstrip("/")


class MavenRepository:
    """A Maven repository with one deadline for everything that is asked of it; used by several threads.

    Attributes:
        shown: its address as messages may show it, without a password.
        deadline: seconds, counted from the making of this object.
    """

    def __init__(self, url: str, deadline: float) -> None:
        self.shown = _without_password(url)
        self.deadline = deadline
        self._url = url
        self._end = time.monotonic() + deadline
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End the downloads that run in other threads, at their next bytes."""
        self._stopped.set()

    def seconds_left(self) -> float:
        """Return the seconds until the deadline, at least 0."""
        return max(0.0, self._end - time.monotonic())

    def is_over(self) -> bool:
        """Say whether nothing more should be asked of it."""
        return self._stopped.is_set() or not self.seconds_left()

    def download(self, jar: LockedJar, scratch: Path) -> Path:
        """Download ``jar`` into the empty folder ``scratch`` and return its path; its content is not checked.

        Raises:
            DownloadFailed: the repository did not deliver.
            OSError: ``scratch`` cannot be written.
        """
        import requests

        try:
            component = self._context(scratch).project(jar.group, jar.artifact).at_version(jar.version)
            return component.artifact(jar.classifier).resolve()
        except (requests.RequestException, RuntimeError, TimeoutError, ValueError, IndexError) as error:
            # jgo lets through what requests raises, its own refusals (RuntimeError), and what odd answers
            # lead to (a Retry-After or a checksum file that it cannot read).
            raise DownloadFailed(
                f"{jar.file_name} could not be fetched from {self.shown} ({_reason(error)}): connect to a "
                f"network, or set {MAVEN_URL_VARIABLE} to a mirror you can reach, and run `kafkalab fetch`."
            ) from error

    def _context(self, scratch: Path) -> MavenContext:
        from jgo.maven import MavenContext, PythonResolver

        return MavenContext(
            resolver=PythonResolver(progress_callback=self._watch),
            repo_cache=scratch,
            remote_repos={"source": self._url},
            timeout=_STALL_S,
        )

    @contextmanager
    def _watch(self, name: str, size: int) -> Iterator[Callable[[int], None]]:
        """Be jgo's progress bar, called at each 8 kB: the one place to stop a download that only drips."""

        def arrived(_count: int) -> None:
            if self.is_over():
                raise TimeoutError(f"{name} ({size} bytes) did not arrive in time")

        yield arrived


def never_connected(error: BaseException | None) -> bool:
    """Say whether there was no way to the repository at all: asking again would only take as long again."""
    import requests
    from urllib3.exceptions import NewConnectionError

    if isinstance(error, requests.ConnectTimeout):
        return True
    reason = getattr(error.args[0], "reason", None) if isinstance(error, requests.ConnectionError) else None
    return isinstance(reason, NewConnectionError)


def _reason(error: Exception) -> str:
    """Say it in a few words: the text of a requests exception is a paragraph."""
    import requests

    # In this order: some of these classes are parents of those above them.
    reasons: list[tuple[type[Exception], str]] = [
        (requests.Timeout, f"no answer within {_STALL_S} s"),
        (requests.exceptions.ProxyError, "the proxy refused"),
        (requests.exceptions.SSLError, "its certificate was not accepted"),
        (requests.exceptions.ChunkedEncodingError, "the connection broke off"),
        (requests.ConnectionError, "no connection"),
        (TimeoutError, "too slow"),
        (RuntimeError, "it refused, or has no such file"),
    ]
    return next((text for kind, text in reasons if isinstance(error, kind)), f"odd answer: {error}")


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
