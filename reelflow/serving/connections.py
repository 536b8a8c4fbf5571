"""Connections of the server: a bound on their number, and on the time of a request's head.

uvicorn itself answers 503 to every request beyond its own bound, health among them.
"""

from __future__ import annotations

import asyncio
import json
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from reelflow.serving.limits import Limits


def connection_class(limits: Limits) -> type[HttpToolsProtocol]:
    """Return the class of connections with these bounds, for uvicorn's `http`."""
    return type("Connection", (_Connection,), {"limits": limits})


class _Connection(HttpToolsProtocol):
    """uvicorn's, which refuses what is beyond all bounds before a byte is read."""

    limits: ClassVar[Limits]

    _head_until: float | None
    """Time of the loop at which the head under way must be there; None between two."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_until = self.loop.time() + self.limits.head_seconds
        if len(self.connections) > self.limits.connections + self.limits.spare_connections:
            self._refuse(b"503 Service Unavailable", "All connections are taken.")
        else:
            self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        if self._idle and self._head_until is None:
            self._head_until = self.loop.time() + self.limits.head_seconds
        super().data_received(data)
        if self._idle and not self.transport.is_closing():
            self._wait_for_head()
        else:
            self._head_until = None

    @property
    def _idle(self) -> bool:
        """True if no request is under way."""
        return self.cycle is None or self.cycle.response_complete

    def _wait_for_head(self) -> None:
        # uvicorn's own timer is for the time after an answer, and ends with the next byte.
        assert self._head_until is not None
        self.timeout_keep_alive_task = self.loop.call_at(
            self._head_until, self.timeout_keep_alive_handler
        )

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._refuse(b"400 Bad Request", msg)

    def _refuse(self, status: bytes, message: str) -> None:
        body = json.dumps({"error": message}).encode()
        head = [
            b"HTTP/1.1 " + status,
            b"content-type: application/json",
            b"content-length: %d" % len(body),
            b"retry-after: 1" if status.startswith(b"503") else b"x-content-type-options: nosniff",
            b"connection: close",
        ]
        self.transport.write(b"\r\n".join(head) + b"\r\n\r\n" + body)
        self.transport.close()
