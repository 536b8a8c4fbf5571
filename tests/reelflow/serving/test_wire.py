"""Hostile bytes on a real connection: a clean answer, and the next request is served."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from reelflow.serving.access import Access, Key
from reelflow.serving.limits import Limits
from tests.reelflow.serving.live import live

API = b"/api/v1/recommendations"
END = b"HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"


KEY = Key.make("shop", ["read"])[1]


@pytest.fixture(scope="module", params=[Access(), Access([KEY])], ids=["open", "with keys"])
def keys(request: pytest.FixtureRequest) -> Access:
    access: Access = request.param
    return access


@pytest.fixture(scope="module")
def address(pushed: Path, keys: Access) -> Iterator[tuple[str, int]]:
    with live(pushed, limits=Limits(), access=keys) as page:
        found = urlsplit(page)
        assert found.hostname
        assert found.port
        yield found.hostname, found.port


def _answer(address: tuple[str, int], request: bytes) -> bytes:
    with socket.create_connection(address, 20) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(1 << 16):
            answer += part
    return answer


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"GET /\xff\xfe " + END + b"\r\n", 400),
        (b"GET /%ff%fe " + END + b"\r\n", 404),
        (b"GET /v1/models/reelflow/versions/../../../etc/passwd " + END + b"\r\n", 404),
        (b"GET /page/../../../etc/passwd " + END + b"\r\n", 404),
        (b"GET " + API + b"?k=" + b"9" * 4_000 + b" " + END + b"\r\n", 422),
        (b"POST " + API + b" " + END + b"Content-Length: -1\r\n\r\n{}", 400),
        (b"POST " + API + b" " + END + b"Content-Length: 2\r\n\r\n\xff\xfe", 400),
        (
            b"POST " + API + b" " + END + b"Content-Length: 10485760\r\n\r\n" + b"x" * 10_485_760,
            413,
        ),
        (
            b"POST " + API + b" " + END + b"Transfer-Encoding: chunked\r\n\r\n"
            b"100000\r\n" + b"x" * 0x100000 + b"\r\n1\r\nx\r\n0\r\n\r\n",
            413,
        ),
    ],
    ids=[
        "no HTTP",
        "raw bytes",
        "no UTF-8",
        "out of the versions",
        "out of the page",
        "huge k",
        "negative length",
        "body no UTF-8",
        "10 MB",
        "chunks over the bound",
    ],
)
def test_refused_and_survived(
    address: tuple[str, int], keys: Access, request_: bytes, status: int
) -> None:
    # What is HTTP needs a key before all else.
    statuses = {status, 401} if keys.keys else {status}
    assert int(_answer(address, request_).split()[1]) in statuses
    assert _answer(address, b"GET /api/v1/ready " + END + b"\r\n").startswith(b"HTTP/1.1 200 ")
