from __future__ import annotations

import socket
import ssl
import types
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

import pytest
from kafka.errors import KafkaConnectionError
from kafka.net.inet import KafkaNetSocket
from kafka.net.selector import NetworkSelector
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport


class Waiting:
    """An event loop of kafka-python whose client ends while a socket connects."""

    @types.coroutine
    def wait_write(self, sock: socket.socket, timeout_at: float | None = None) -> Generator[str, None, None]:
        yield "not yet"


class Slow(KafkaNetSocket):  # type: ignore[misc]
    SCHEMES: tuple[str, ...] = ()

    def connect_ex(self, sock: socket.socket, sockaddr: Any) -> int:
        return 115  # EINPROGRESS


def test_a_socket_that_was_connecting_when_its_client_ended_is_closed() -> None:
    sock = socket.socket()
    connecting = Slow().sock_connect(Waiting(), sock, ("127.0.0.1", 1))
    assert connecting.send(None) == "not yet"
    connecting.close()
    assert sock.fileno() == -1


def test_a_socket_that_was_refused_is_closed() -> None:
    sock = socket.socket()
    with pytest.raises(KafkaConnectionError):
        KafkaNetSocket().sock_connect(Waiting(), sock, ("127.0.0.1", 1)).send(None)
    assert sock.fileno() == -1


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_socket_that_was_being_written_to_when_its_client_ended_is_closed(steps: int) -> None:
    ours, theirs = socket.socketpair()
    loop = NetworkSelector()
    transport = KafkaTCPTransport(loop, ours)
    transport.write(b"a request")
    for _ in range(steps):
        loop.poll(timeout_ms=0)
    transport.close()
    loop.close()
    theirs.close()
    assert ours.fileno() == -1


@pytest.fixture
def in_handshake() -> Iterator[tuple[KafkaSSLTransport, socket.socket]]:
    """A transport, and the other end of its socket, that has said nothing yet."""
    context = ssl.create_default_context()
    context.check_hostname = False
    with socket.create_server(("127.0.0.1", 0)) as server, closing(NetworkSelector()) as loop:
        ours = socket.create_connection(server.getsockname())
        ours.setblocking(False)
        with server.accept()[0] as theirs:
            yield KafkaSSLTransport(loop, ours, ssl_context=context), theirs


def test_a_socket_whose_handshake_fails_is_closed(in_handshake: tuple[KafkaSSLTransport, socket.socket]) -> None:
    transport, theirs = in_handshake
    sock = transport._sock
    with pytest.raises(ssl.SSLError):
        transport._net.run(say_no(transport, theirs))
    assert sock.fileno() == -1


def test_a_socket_whose_client_ends_in_the_handshake_is_closed(
    in_handshake: tuple[KafkaSSLTransport, socket.socket],
) -> None:
    transport, _ = in_handshake
    sock = transport._sock
    step = transport.handshake()
    step.send(None)
    step.close()
    assert sock.fileno() == -1


async def say_no(transport: KafkaSSLTransport, theirs: socket.socket) -> None:
    theirs.sendall(b"no TLS is spoken here")
    await transport.handshake()
