"""A port that a test was given stays its own, however long its server takes to begin."""

from __future__ import annotations

import socket

import pytest

from tests.support.apiserver import free_port


def test_nobody_else_can_take_a_port_before_its_server_begins() -> None:
    port = free_port()
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port))


def test_its_server_can_listen_there_and_again_after_it_has_ended() -> None:
    port = free_port()
    for _ in range(2):
        with socket.create_server(("127.0.0.1", port)) as server, socket.create_connection(("127.0.0.1", port)):
            server.accept()[0].close()
