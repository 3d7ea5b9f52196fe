"""kafka-python as it is tested with: two faults of it mended, which would fail tests that have no part in it."""

from __future__ import annotations

from typing import Any

from kafka.net.inet import KafkaNetSocket
from kafka.net.transport import KafkaTCPTransport

__all__ = ["close_dropped_sockets"]


def close_dropped_sockets() -> None:
    """Have a socket closed whose connecting fails, or whose client ends while it connects or is being written to.

    kafka-python 3.0.12 leaves such a socket to the garbage collector. That closes it at once, but with a
    ResourceWarning, which is an error here and comes up in whatever test happens to run.
    """
    write = KafkaTCPTransport._write_to_sock

    async def writing(self: Any) -> None:
        try:
            await write(self)
        except BaseException:
            if self._sock is not None:
                self._sock.close()
            raise

    KafkaTCPTransport._write_to_sock = writing
    connect = KafkaNetSocket.sock_connect

    async def closing(self: Any, net: Any, sock: Any, sockaddr: Any, timeout_at: float | None = None) -> Any:
        try:
            return await connect(self, net, sock, sockaddr, timeout_at=timeout_at)
        except BaseException:
            sock.close()
            raise

    KafkaNetSocket.sock_connect = closing
