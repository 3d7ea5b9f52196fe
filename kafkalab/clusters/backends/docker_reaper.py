"""Removes what a cluster has in the container engine, for whatever reason the cluster ends.

The supervisor runs this file, with the docker library and nothing of kafkalab, when its owner is gone; why no container
does it: docs/decisions/0018. Everything of a cluster has its folder as a label.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import docker
from docker.errors import APIError

__all__ = ["FOLDER_LABEL", "command", "labels", "main", "remove", "remove_abandoned"]

FOLDER_LABEL = "io.kafkalab.folder"
_OWNER_LABEL = "io.kafkalab.owner"
# What is being removed by somebody else is looked at again.
_LOOKS = 10


def labels(folder: Path) -> dict[str, str]:
    """Return what everything of the cluster in ``folder`` has to be labelled with."""
    return {FOLDER_LABEL: str(folder), _OWNER_LABEL: _owner()}


def _owner() -> str:
    # Others may use the same engine, and their folders are not ours to look for.
    return f"{os.getuid()}@{platform.node()}"


def command(folder: Path) -> list[str]:
    """Return the command line that removes what the cluster in ``folder`` has."""
    return [sys.executable, "-P", __file__, str(folder)]


def remove(engine: docker.APIClient, folder: str) -> None:
    """Remove the containers, with their volumes, and then the networks of the cluster in ``folder``."""
    mine = {"label": f"{FOLDER_LABEL}={folder}"}
    for _ in range(_LOOKS):
        containers = [found["Id"] for found in engine.containers(all=True, filters=mine)]
        networks = [found["Id"] for found in engine.networks(filters=mine)]
        if not containers and not networks:
            return
        _each(partial(engine.remove_container, force=True, v=True), containers)
        _each(engine.remove_network, networks)


def _each(remove_one: Callable[[str], object], ids: list[str]) -> None:
    def gone(one: str) -> None:
        with suppress(APIError):
            remove_one(one)

    with ThreadPoolExecutor() as pool:
        list(pool.map(gone, ids))


def remove_abandoned(engine: docker.APIClient) -> None:
    """Remove what belongs to clusters of this user whose folder is gone: the machine was switched off, say."""
    mine = {"label": [FOLDER_LABEL, f"{_OWNER_LABEL}={_owner()}"]}
    found = [*engine.containers(all=True, filters=mine), *engine.networks(filters=mine)]
    for folder in {each["Labels"][FOLDER_LABEL] for each in found}:
        if not Path(folder).exists():
            remove(engine, folder)


def main() -> None:
    """Remove what the cluster in the folder named on the command line has."""
    with closing(docker.from_env()) as client:
        remove(client.api, sys.argv[1])


if __name__ == "__main__":
    main()
