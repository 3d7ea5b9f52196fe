"""The proxy with plain sockets: an echo in the place of each node, and processes whose connections are theirs."""

from __future__ import annotations

import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from kafkalab.clusters.network import CLIENTS, EVERYBODY, PEERS, Network
from kafkalab.clusters.ports import LOOPBACK, PortReservation
from kafkalab.clusters.processes import SupervisedProcesses
from kafkalab.clusters.properties import NodeAddress
from kafkalab.clusters.proxy import Link
from kafkalab.errors import BrokerFailed

SILENCE = 0.3  # seconds after which nothing is taken to come any more
ANSWER = 5.0  # seconds within which comes what must come
SEVERAL = 5  # trips that are timed: noise only adds, so the quickest one tells how long it takes
# A node's process that talks to another node: at its first line connects to the port it is given; each further line
# is the seconds to wait for an answer. Echoes what comes back.
TALKER = """
import socket, sys
sys.stdin.buffer.readline()
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as node:
    for line in sys.stdin.buffer:
        node.settimeout(float(line))
        try:
            node.sendall(b"hello\\n")
            answer = node.recv(100) or b"closed\\n"
        except TimeoutError:
            answer = b"silence\\n"
        except ConnectionError:
            answer = b"closed\\n"
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()
"""


class Echo(socketserver.BaseRequestHandler):
    """Sends back what comes."""

    def handle(self) -> None:
        while data := self.request.recv(1 << 16):
            self.request.sendall(data)


class EchoServer(socketserver.ThreadingTCPServer):
    """As a broker binds: connections of the past do not keep the port."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False


@contextmanager
def echoing(port: int) -> Iterator[None]:
    """Echo at a port."""
    with EchoServer((LOOPBACK, port), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


class Nodes:
    """Two nodes behind a proxy, each an echo at its listeners for clients and for peers."""

    def __init__(self, stack: ExitStack) -> None:
        self.ports = ports = PortReservation()
        stack.callback(ports.close)
        processes = SupervisedProcesses()
        stack.callback(processes.close)
        self.folder: Path = processes.folder
        self.network = Network(processes)
        stack.callback(self.network.close)
        self.processes = processes
        self.addresses: dict[int, NodeAddress] = {}
        for node_id in (1, 2):
            front, back = ports.take_free(2), ports.take_free(2)
            for port in back:
                stack.enter_context(echoing(port))
            self.addresses[node_id] = NodeAddress(front[0], 0, front[1], NodeAddress(back[0], 0, back[1]))
            self.network.add(node_id, self.addresses[node_id])
        self.network.apply()

    def add_third(self) -> int:
        """Put the proxy in front of a node 3 that has only a listener for clients; return where that belongs."""
        front, back = self.ports.take_free(2)
        self.addresses[3] = NodeAddress(front, 0, 0, NodeAddress(back, 0))
        self.network.add(3, self.addresses[3])
        self.network.apply()
        return back

    def client(self, node_id: int, stack: ExitStack) -> socket.socket:
        return self._connection(self.addresses[node_id].client_port, stack)

    def harness(self, node_id: int, stack: ExitStack) -> socket.socket:
        return self._connection(self.addresses[node_id].internal_port, stack)

    @staticmethod
    def _connection(port: int, stack: ExitStack) -> socket.socket:
        connection = stack.enter_context(socket.create_connection((LOOPBACK, port), timeout=ANSWER))
        connection.settimeout(ANSWER)
        return connection


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as closing:
        yield closing


@pytest.fixture
def nodes(stack: ExitStack) -> Nodes:
    return Nodes(stack)


def echo(connection: socket.socket, data: bytes = b"x") -> bytes:
    connection.sendall(data)
    return receive(connection, len(data))


def receive(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count and (chunk := connection.recv(1 << 16)):
        data += chunk
    return data


def is_silent(connection: socket.socket) -> bool:
    """Whether a byte sent is not answered, and the connection stays."""
    connection.settimeout(SILENCE)
    try:
        connection.sendall(b"?")
        connection.recv(1)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(ANSWER)
    return False


def is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def send(connection: socket.socket, data: bytes) -> None:
    """Send piece by piece: the time-out of sendall is for all it is given, so that much data would have to be quick."""
    for start in range(0, len(data), 1 << 16):
        connection.sendall(data[start : start + (1 << 16)])


def test_bytes_pass_unchanged_in_both_directions(nodes: Nodes, stack: ExitStack) -> None:
    data = bytes(range(256)) * 40_000  # ten times what may be on its way
    client = nodes.client(1, stack)
    sender = threading.Thread(target=send, args=(client, data))
    sender.start()
    assert receive(client, len(data)) == data
    sender.join()


def test_a_goodbye_passes_too(nodes: Nodes, stack: ExitStack) -> None:
    client = nodes.client(1, stack)
    assert echo(client, b"hello") == b"hello"
    client.shutdown(socket.SHUT_WR)
    assert is_closed(client)


def test_where_no_node_listens_the_connection_is_closed(nodes: Nodes, stack: ExitStack) -> None:
    nodes.add_third()
    assert is_closed(nodes.client(3, stack))


def test_a_cut_is_silence_and_its_end_closes_what_lived_through_it(nodes: Nodes, stack: ExitStack) -> None:
    before, other = nodes.client(1, stack), nodes.client(2, stack)
    assert echo(before) == b"x"
    nodes.network.shape(1, Link(cut=frozenset({CLIENTS})))
    during = nodes.client(1, stack)  # the system accepts it
    assert is_silent(before)
    assert is_silent(during)
    assert echo(other) == b"x"
    nodes.network.shape(1, Link())
    assert is_closed(before)
    assert is_closed(during)
    assert echo(nodes.client(1, stack)) == b"x"


def test_a_goodbye_during_a_cut_is_heard_by_nobody(nodes: Nodes, stack: ExitStack) -> None:
    listener = stack.enter_context(socket.create_server((LOOPBACK, nodes.add_third())))
    client = nodes.client(3, stack)
    node = stack.enter_context(listener.accept()[0])
    nodes.network.shape(3, Link(cut=EVERYBODY))
    client.close()
    assert is_silent(node)
    nodes.network.shape(3, Link())
    assert is_closed(node)


@pytest.mark.parametrize("cut", [CLIENTS, PEERS])
def test_clients_and_peers_are_cut_apart(nodes: Nodes, stack: ExitStack, cut: str) -> None:
    nodes.network.shape(1, Link(cut=frozenset({cut})))
    of_whom = {CLIENTS: nodes.client(1, stack), PEERS: nodes.harness(1, stack)}
    assert is_silent(of_whom.pop(cut))
    (other,) = of_whom.values()
    assert echo(other) == b"x"


class Talker:
    """A process that stands for node 1 from now on and talks to a port."""

    def __init__(self, nodes: Nodes, port: int, stack: ExitStack) -> None:
        command = [sys.executable, "-c", TALKER, str(port)]
        self.process = stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        )
        stack.callback(self.process.kill)
        nodes.network.started(1, self.process.pid)
        nodes.network.apply()
        self._tell("connect")  # not before: the proxy would take the connection for somebody else's

    def _tell(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n".encode())

    def hears(self, within: float = ANSWER) -> bytes:
        """Return what comes back of a hello: that, ``silence`` or ``closed``."""
        assert self.process.stdout
        self._tell(str(within))
        return self.process.stdout.readline()


def test_what_a_cut_node_asks_of_others_is_cut_too_and_what_it_asks_of_itself_is_not(
    nodes: Nodes, stack: ExitStack
) -> None:
    to_other = Talker(nodes, nodes.addresses[2].internal_port, stack)
    assert to_other.hears() == b"hello\n"  # connected before the cut
    harness = nodes.harness(2, stack)
    nodes.network.shape(1, Link(cut=frozenset({PEERS})))
    assert to_other.hears(within=SILENCE) == b"silence\n"
    assert echo(harness) == b"x"  # it comes from no node
    to_itself = Talker(nodes, nodes.addresses[1].internal_port, stack)
    assert to_itself.hears() == b"hello\n"
    new_to_other = Talker(nodes, nodes.addresses[2].internal_port, stack)
    assert new_to_other.hears(within=SILENCE) == b"silence\n"  # connected during the cut
    nodes.network.shape(1, Link())
    assert to_other.hears() == b"closed\n"
    assert to_itself.hears() == b"hello\n"


def seconds(job: Callable[[], object]) -> list[float]:
    """Return how long it takes each of several times."""
    times = []
    for _ in range(SEVERAL):
        began = time.perf_counter()
        job()
        times.append(time.perf_counter() - began)
    return times


def echo_two(connection: socket.socket) -> bytes:
    """Send one byte after the other, and return what comes back when both have."""
    connection.sendall(b"a")
    connection.sendall(b"b")
    return receive(connection, 2)


def test_slowness_is_added_to_the_round_trip_and_taken_away_again(nodes: Nodes, stack: ExitStack) -> None:
    client = nodes.client(1, stack)
    assert echo(client) == b"x"
    nodes.network.shape(1, Link(latency_ms=200))
    slow = seconds(lambda: echo(client))
    assert all(trip >= 0.2 for trip in slow)
    assert min(slow) < 0.5
    # Both are on their way at once: it is a delay, not a queue.
    assert min(seconds(lambda: echo_two(client))) < 0.39
    nodes.network.shape(1, Link())
    assert min(seconds(lambda: echo(client))) < 0.15


def test_what_is_slow_keeps_its_order_when_the_link_becomes_quick(nodes: Nodes, stack: ExitStack) -> None:
    client = nodes.client(1, stack)
    nodes.network.shape(1, Link(latency_ms=300))
    client.sendall(b"first ")
    nodes.network.shape(1, Link())
    client.sendall(b"second")
    assert receive(client, 12) == b"first second"


def test_slow_bytes_arrive_also_after_a_goodbye(nodes: Nodes, stack: ExitStack) -> None:
    listener = stack.enter_context(socket.create_server((LOOPBACK, nodes.add_third())))
    nodes.network.shape(3, Link(latency_ms=200))
    with nodes.client(3, stack) as client:
        client.sendall(b"the last words")
    node = stack.enter_context(listener.accept()[0])
    node.settimeout(5)
    assert receive(node, 100) == b"the last words"


def test_bytes_per_second_are_kept(nodes: Nodes, stack: ExitStack) -> None:
    client = nodes.client(1, stack)
    nodes.network.shape(1, Link(bytes_per_second=1_000_000))
    times = seconds(lambda: echo(client, b"." * 300_000))
    assert all(trip >= 0.28 for trip in times)
    assert min(times) < 1.5


def test_a_sender_has_to_wait_where_the_link_is_slow(nodes: Nodes, stack: ExitStack) -> None:
    client = nodes.client(1, stack)
    nodes.network.shape(1, Link(bytes_per_second=1000))
    client.settimeout(SILENCE)
    with pytest.raises(TimeoutError):  # neither the proxy nor the system takes 100 MB in
        client.sendall(bytes(100_000_000))


def test_links_add_up_at_both_ends() -> None:
    slow, slower = Link(latency_ms=10, bytes_per_second=500), Link(frozenset({PEERS}), 5, 200)
    assert Link.across([slow, slower]) == Link(frozenset({PEERS}), 15, 200)
    assert Link.across([]) == Link()


def test_a_port_that_is_taken_is_an_error_that_names_it(nodes: Nodes, stack: ExitStack) -> None:
    (port,) = nodes.ports.take_free(1)
    stack.enter_context(socket.create_server((LOOPBACK, port)))
    nodes.network.add(3, NodeAddress(port, 0, 0, NodeAddress(1, 0)))
    with pytest.raises(BrokerFailed, match=rf"the cluster's proxy could not do it: .*{port}"):
        nodes.network.apply()


def test_a_proxy_that_was_killed_is_said_to_be_gone(nodes: Nodes) -> None:
    nodes.processes.signal("proxy", signal.SIGKILL)
    nodes.processes.wait("proxy", 10)
    with pytest.raises(BrokerFailed, match="the cluster's proxy is gone: start a new cluster"):
        nodes.network.shape(1, Link(latency_ms=1))


def test_the_proxy_ends_with_its_owner_and_no_other_user_reaches_its_socket(nodes: Nodes) -> None:
    assert nodes.folder.stat().st_mode & 0o077 == 0
    nodes.network.close()
    assert nodes.processes.wait("proxy", 10) == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((LOOPBACK, nodes.addresses[1].client_port))
