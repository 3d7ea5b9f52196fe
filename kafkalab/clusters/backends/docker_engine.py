"""The container engine of this machine: whether it is there, may be used, and has the image."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import ParseResult, urlparse

from docker import APIClient
from docker.errors import APIError, DockerException, ImageNotFound
from requests.exceptions import RequestException
from testcontainers.core.config import testcontainers_config
from testcontainers.core.docker_client import DockerClient, get_docker_host
from testcontainers.core.network import Network

from kafkalab.clusters.backends import docker_reaper
from kafkalab.clusters.distribution import KAFKA_VERSION
from kafkalab.clusters.fetching import OFFLINE_VARIABLE, is_offline
from kafkalab.clusters.ports import LOOPBACK
from kafkalab.errors import EngineProblem

__all__ = ["IMAGE_VARIABLE", "Engine", "engine_problems", "without_ryuk"]

IMAGE_VARIABLE = "KAFKALAB_IMAGE"
_DEFAULT_HOST = "unix:///var/run/docker.sock"
_DEFAULT_PORT = 2375
_KNOCK_SECONDS = 5.0
_HERE = frozenset({"localhost", LOOPBACK, "::1"})


@contextmanager
def engine_problems() -> Iterator[None]:
    """Raise what the engine refuses as ``EngineProblem``, in its own words."""
    try:
        yield
    except APIError as error:
        raise EngineProblem(f"the container engine refused: {_words_of(error)}.{_advice(error)}") from error
    except (DockerException, RequestException) as error:
        raise EngineProblem(f"the container engine does not answer any more: {error}. Is it still running?") from error


def _words_of(error: APIError) -> str:
    return str(error.explanation or error).strip().rstrip(".")


def _advice(error: APIError) -> str:
    unseen = ("bind source path", "statfs")  # Docker's words, and Podman's
    if any(words in _words_of(error) for words in unseen):
        return " It does not see this machine's temporary folder: set TMPDIR to a folder that it shares."
    return ""


@contextmanager
def without_ryuk() -> Iterator[None]:
    """Keep testcontainers from starting its own reaper, which is a container from a registry: we have one."""
    before = testcontainers_config.ryuk_disabled
    testcontainers_config._ryuk_disabled = True  # noqa: SLF001 - there is no other way but the environment's
    try:
        yield
    finally:
        testcontainers_config._ryuk_disabled = before  # noqa: SLF001


class Engine:
    """A connection to the engine that ``DOCKER_HOST`` or the current context names: Docker, or Podman's socket.

    Raises:
        EngineProblem: nobody answers, this user may not use it, or it is on another machine.
    """

    def __init__(self) -> None:
        _check_reachable(get_docker_host() or _DEFAULT_HOST)
        with engine_problems():
            self._client = DockerClient()

    @property
    def api(self) -> APIClient:
        """The docker library's own client."""
        return self._client.client.api

    def prepare(self) -> str:
        """Return the name of the image, which is there now.

        Raises:
            EngineProblem: it is not there, and cannot be pulled or ``KAFKALAB_OFFLINE`` forbids it.
        """
        name = os.environ.get(IMAGE_VARIABLE) or f"apache/kafka:{KAFKA_VERSION}"
        with engine_problems():
            try:
                self.api.inspect_image(name)
            except ImageNotFound:
                self._pull(name)
        return name

    def _pull(self, name: str) -> None:
        remedy = f"`docker pull {name}` with a network, or name an image that is there with {IMAGE_VARIABLE}."
        if is_offline():
            raise EngineProblem(f"there is no image {name}, and {OFFLINE_VARIABLE} forbids fetching it: {remedy}")
        print(f"kafkalab: fetching the image {name} (once) ...", file=sys.stderr)
        try:
            self._client.client.images.pull(name)
        except (APIError, ImageNotFound) as error:
            raise EngineProblem(
                f"there is no image {name}, and it cannot be fetched ({_words_of(error)}): {remedy}"
            ) from error

    @property
    def user(self) -> str:
        """Who the processes in containers have to be for their files to be this user's."""
        with engine_problems():
            options = self.api.info().get("SecurityOptions") or []
        # In an engine without root's rights this user is root inside.
        rootless = any("rootless" in option for option in options)
        return "0:0" if rootless else f"{os.getuid()}:{os.getgid()}"

    def network(self, folder: Path, *, internal: bool = False) -> Network:
        """Make a network for the cluster in ``folder``; an internal one leads nowhere else."""
        kind = {"labels": docker_reaper.labels(folder), "internal": internal}
        with engine_problems():
            return Network(docker_network_kw=kind).create()

    def remove_abandoned(self) -> None:
        """Remove what clusters of this user have left whose folder is gone."""
        with engine_problems():
            docker_reaper.remove_abandoned(self.api)

    def remove(self, folder: Path) -> None:
        """Remove what the cluster in ``folder`` still has."""
        with engine_problems():
            docker_reaper.remove(self.api, str(folder))

    def close(self) -> None:
        """Close the connection."""
        self._client.client.close()


def _check_reachable(host: str) -> None:
    address = urlparse(host)
    if address.scheme != "unix" and address.hostname not in _HERE:
        raise EngineProblem(
            f"the container engine at {host} is on another machine, where brokers could not be reached: use one of "
            "this machine, or run kafkalab there and borrow the cluster with Cluster.connect()."
        )
    try:
        # The docker library would say all of this in one exception, and leave a socket open.
        _knock(address)
    except PermissionError as error:
        raise EngineProblem(
            f"this user may not use the container engine at {host}: join its group (usually docker) and log in again, "
            "use a rootless engine, or backend='local', which needs none."
        ) from error
    except OSError as error:
        raise EngineProblem(
            f"no container engine answers at {host}: start Docker, set DOCKER_HOST to where one listens (such as "
            "Podman's socket), or use backend='local', which needs none."
        ) from error


def _knock(address: ParseResult) -> None:
    if address.scheme == "unix":
        with socket.socket(socket.AF_UNIX) as door:
            door.connect(address.path)
    else:
        socket.create_connection((address.hostname, address.port or _DEFAULT_PORT), _KNOCK_SECONDS).close()
