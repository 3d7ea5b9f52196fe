"""One look at what one broker believes."""

from __future__ import annotations

from kafkalab.clusters.metadata import BrokerConnection, View

__all__ = ["view_at"]


def view_at(port: int) -> View:
    """Return the view of the broker on this loopback ``port``, over a connection of its own.

    Raises:
        OSError: it does not answer (yet).
    """
    connection = BrokerConnection(port)
    try:
        return connection.view([])
    finally:
        connection.close()
