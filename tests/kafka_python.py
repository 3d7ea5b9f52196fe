"""kafka-python as it is tested with: three faults of it mended, which would fail tests that have no part in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from kafka.net.inet import KafkaNetSocket
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport

__all__ = ["close_dropped_sockets"]


def close_dropped_sockets() -> None:
    """Have a socket closed whose connecting or handshake fails, or whose client ends meanwhile, or while it writes.

    kafka-python 3.0.12 leaves such a socket to the garbage collector. That closes it at once, but with a
    ResourceWarning, which is an error here and comes up in whatever test happens to run.
    """
    KafkaTCPTransport._write_to_sock = _or_closed(KafkaTCPTransport._write_to_sock)
    KafkaSSLTransport.handshake = _or_closed(KafkaSSLTransport.handshake)
    connect = KafkaNetSocket.sock_connect

    async def closing(self: Any, net: Any, sock: Any, sockaddr: Any, timeout_at: float | None = None) -> Any:
        try:
            return await connect(self, net, sock, sockaddr, timeout_at=timeout_at)
        except BaseException:
            sock.close()
            raise

    KafkaNetSocket.sock_connect = closing


def _or_closed(step: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    """Return a step of a transport that closes its socket where it is not done to its end."""

    async def closing(self: Any) -> None:
        try:
            await step(self)
        except BaseException:
            if self._sock is not None:
                self._sock.close()
            raise

    return closing
