"""A borrowed cluster that is left as it was found: a run's topics and groups have their own names, and go with it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import click

from kafkalab import Cluster
from kafkalab.clusters.access import arguments_in
from kafkalab.clusters.cluster import PREFIX_VARIABLE
from kafkalab.clusters.lodging import fresh_prefix

__all__ = ["borrowed"]


@contextmanager
def borrowed(bootstrap_servers: str) -> Iterator[Cluster]:
    """Borrow a cluster for a block, and leave it as it was; tell what could not be deleted.

    Who one is and whom one trusts stands in the environment: passwords do not belong into a command.

    Raises:
        InvalidArgument: that is no list of addresses, or the environment does not fit together.
        AccessRefused: a broker answered, and does not let this client in.
        ClusterUnreachable: no broker answered.
    """
    prefix = os.environ.get(PREFIX_VARIABLE) or fresh_prefix()
    cluster = Cluster.connect(bootstrap_servers, prefix=prefix, **arguments_in(os.environ))
    try:
        yield cluster
    finally:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            cluster.stop()
        for warning in caught:
            click.echo(f"kafkalab: {warning.message}", err=True)
