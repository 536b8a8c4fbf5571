"""Connections on a real port: when all are taken, and when a head does not come."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from reelflow.serving.limits import Limits
from tests.reelflow.serving.live import live

LIMITS = Limits(connections=2, spare_connections=2, head_seconds=0.3)


@pytest.fixture(scope="module")
def address(pushed: Path) -> Iterator[tuple[str, int]]:
    with live(pushed, limits=LIMITS) as page:
        found = urlsplit(page)
        assert found.hostname
        assert found.port
        yield found.hostname, found.port


def _ask(address: tuple[str, int], path: str) -> tuple[bytes, dict[str, str]]:
    with socket.create_connection(address, 20) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return _read(connection)


def _read(connection: socket.socket) -> tuple[bytes, dict[str, str]]:
    answer = b""
    while b"\r\n\r\n" not in answer or not answer.endswith(b"}"):
        answer += connection.recv(1 << 16)
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, json.loads(body)


def test_a_head_that_does_not_come_is_given_up(address: tuple[str, int]) -> None:
    with socket.create_connection(address, 20) as connection:
        connection.sendall(b"GET /api/v1/health HTTP/1.1\r\nX")
        assert connection.recv(100) == b""


def test_no_http_is_answered_in_json(address: tuple[str, int]) -> None:
    with socket.create_connection(address, 20) as connection:
        connection.sendall(b"GARBAGE\r\n\r\n")
        head, body = _read(connection)
    assert head.startswith(b"HTTP/1.1 400 ")
    assert set(body) == {"error"}


def test_health_is_answered_while_connections_are_taken(address: tuple[str, int]) -> None:
    idle = [socket.create_connection(address, 20) for _ in range(2)]
    try:
        head, body = _ask(address, "/api/v1/version")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1" in head
        assert b"connection: close" in head
        assert "connections" in body["error"]
        assert _ask(address, "/api/v1/health")[1]["status"] == "ok"
        idle += [socket.create_connection(address, 20) for _ in range(3)]
        head, body = _read(idle[-1])  # beyond the spare ones nothing is read
        assert head.startswith(b"HTTP/1.1 503 ")
    finally:
        for connection in idle:
            connection.close()
