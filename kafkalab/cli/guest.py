"""A borrowed cluster that is left as it was found: a run's topics and groups have their own names, and go with it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import click

from kafkalab import Cluster
from kafkalab.clusters.lodging import fresh_prefix

__all__ = ["borrowed"]


@contextmanager
def borrowed(bootstrap_servers: str) -> Iterator[Cluster]:
    """Borrow a cluster for a block, and leave it as it was; tell what could not be deleted.

    Raises:
        InvalidArgument: that is no list of addresses.
        ClusterUnreachable: no broker answered.
    """
    cluster = Cluster.connect(bootstrap_servers, prefix=fresh_prefix())
    try:
        yield cluster
    finally:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            cluster.stop()
        for warning in caught:
            click.echo(f"kafkalab: {warning.message}", err=True)
