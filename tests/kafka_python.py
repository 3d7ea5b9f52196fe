"""kafka-python as it is tested with: one fault of it mended, which would fail tests that have no part in it."""

from __future__ import annotations

from typing import Any

from kafka.net.inet import KafkaNetSocket

__all__ = ["close_what_was_not_connected"]


def close_what_was_not_connected() -> None:
    """Have a socket closed whose connecting fails, or is cut off by the end of its client.

    kafka-python 3.0.12 leaves such a socket to the garbage collector. That closes it at once, but with a
    ResourceWarning, which is an error here and comes up in whatever test happens to run.
    """
    connect = KafkaNetSocket.sock_connect

    async def closing(self: Any, net: Any, sock: Any, sockaddr: Any, timeout_at: float | None = None) -> Any:
        try:
            return await connect(self, net, sock, sockaddr, timeout_at=timeout_at)
        except BaseException:
            sock.close()
            raise

    KafkaNetSocket.sock_connect = closing
