"""Ports: reserved against other clusters, refused where another program listens."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from kafkalab.clusters.ports import LOOPBACK, PortReservation
from kafkalab.errors import PortInUse


def test_free_ports_are_distinct_and_bindable() -> None:
    reservation = PortReservation()
    ports = reservation.take_free(6)
    assert len(set(ports)) == 6
    for port in ports:
        with socket.create_server((LOOPBACK, port)):
            pass
    reservation.close()


def test_a_reserved_port_is_refused_to_others_until_closed() -> None:
    first, second = PortReservation(), PortReservation()
    (port,) = first.take_free(1)
    with pytest.raises(PortInUse, match=f"port {port} is taken"):
        second.take([port])
    first.close()
    assert second.take([port]) == [port]
    second.close()


def test_a_port_that_a_program_listens_on_is_refused() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortInUse, match=rf"port {port} is taken by another program: choose another"):
            PortReservation().take([port])


def test_two_takers_at_once_never_share_a_port() -> None:
    takers = [PortReservation() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        taken = [port for ports in pool.map(lambda taker: taker.take_free(20), takers) for port in ports]
    assert len(taken) == len(set(taken)) == 160
    for taker in takers:
        taker.close()


def test_close_may_be_called_twice() -> None:
    reservation = PortReservation()
    reservation.take_free(1)
    reservation.close()
    reservation.close()
