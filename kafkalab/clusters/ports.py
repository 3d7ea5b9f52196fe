"""Ports on loopback that no two clusters get, also while a broker is down.

A free port found by binding and closing it can be taken by anybody before the broker binds it, and again while
the broker is killed and restarted. Kafka listens on TCP only, so a UDP socket bound to the same number is a
reservation that every kafkalab process of the machine respects, that needs no file, and that ends with its owner.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable

from kafkalab.errors import PortInUse

__all__ = ["LOOPBACK", "PortReservation"]

LOOPBACK = "127.0.0.1"
# Below the ports that Linux (32768) and macOS (49152) hand to outgoing connections.
_CANDIDATES = range(20000, 32768)


class PortReservation:
    """Ports held for one cluster until :meth:`close`."""

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def take_free(self, count: int) -> list[int]:
        """Reserve ``count`` ports that nobody listens on.

        Raises:
            PortInUse: fewer than that are free in the whole range.
        """
        # The choice need not be repeatable, only spread, so that clusters started at once rarely meet.
        candidates = random.SystemRandom().sample(_CANDIDATES, len(_CANDIDATES))
        taken = self._take_first(candidates, count)
        if len(taken) < count:
            raise PortInUse(f"fewer than {count} ports are free from {_CANDIDATES[0]} to {_CANDIDATES[-1]}: stop some.")
        return taken

    def take(self, ports: Iterable[int]) -> list[int]:
        """Reserve exactly these ports.

        Raises:
            PortInUse: another program has one of them; names it.
        """
        wanted = list(ports)
        for port in wanted:
            if not self._try(port):
                raise PortInUse(f"port {port} is taken by another program: choose another, or leave the port out.")
        return wanted

    def _take_first(self, candidates: Iterable[int], count: int) -> list[int]:
        taken: list[int] = []
        for port in candidates:
            if len(taken) == count:
                break
            if self._try(port):
                taken.append(port)
        return taken

    def _try(self, port: int) -> bool:
        holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            holder.bind((LOOPBACK, port))
            _bind_once(port)
        except OSError:
            holder.close()
            return False
        self._held.append(holder)
        return True

    def close(self) -> None:
        """Give all ports back; may be called again."""
        while self._held:
            self._held.pop().close()


def _bind_once(port: int) -> None:
    # As the broker will: SO_REUSEADDR, so that connections in TIME_WAIT do not count as "taken".
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((LOOPBACK, port))
        probe.listen(1)
