"""The least HTTP client that can keep a server busy: connections that ask, wait and ask again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Load:
    """What came back."""

    seconds: list[float] = field(default_factory=list)
    """Of every request that was answered with 200, in order of time."""
    failed: int = 0
    """Requests with another status, or without an answer."""
    bodies: set[bytes] = field(default_factory=set)
    """Beginnings of the answers, which name the model's version."""


async def load(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Load:
    """Ask over several connections at once.

    Args:
        port: on this machine.
        requests: whole HTTP/1.1 requests, asked in turn.
        connections: at once; each has one request under way.
        seconds: after which no further request is begun.
    """
    found = Load()
    until = time.perf_counter() + seconds
    await asyncio.gather(
        *(_ask(found, port, requests[at::connections], until) for at in range(connections))
    )
    return found


async def _ask(found: Load, port: int, requests: Sequence[bytes], until: float) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    asked = 0
    while (started := time.perf_counter()) < until:
        writer.write(requests[asked % len(requests)])
        asked += 1
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            found.failed += 1
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            continue
        if b" 200 " in head[:20]:
            found.seconds.append(time.perf_counter() - started)
            found.bodies.add(body[:32])
        else:
            found.failed += 1
    writer.close()


def get(path: str) -> bytes:
    """A GET request."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def post(path: str, body: bytes) -> bytes:
    """A POST request of JSON."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
