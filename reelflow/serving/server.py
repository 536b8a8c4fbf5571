"""Run the application on a port until a signal stops it, then let requests under way end."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from reelflow.base.errors import BadInput
from reelflow.serving.limits import Limits

_BACKLOG = 1024


def listen(host: str, port: int) -> socket.socket:
    """Bind a port, before the model is loaded, so that one in use is reported at once.

    Args:
        host: name or address, IPv4 or IPv6.
        port: 0 lets the system choose.

    Raises:
        BadInput: the port cannot be bound.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        raise BadInput(
            f"{host}:{port} cannot be listened on: {error.strerror}.", "Name another with --port."
        ) from error
    return listening


def url(listening: socket.socket) -> str:
    """Return the URL of the server for a browser on this machine."""
    host, port = listening.getsockname()[:2]
    everywhere = host in ("0.0.0.0", "::")
    name = "localhost" if everywhere else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/"


def run(
    app: FastAPI, listening: socket.socket, limits: Limits, started: Callable[[], None]
) -> None:
    """Serve until SIGTERM or SIGINT; a second one ends at once.

    Args:
        app: the application.
        listening: from `listen`.
        limits: connections, and the time that requests have to end.
        started: called when requests are answered.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=limits.connections,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=limits.drain_seconds,
    )
    with _stopping_is_success():
        _Server(config, started).run(sockets=[listening])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_started()


@contextmanager
def _stopping_is_success() -> Iterator[None]:
    """Ignore the signal that uvicorn raises again after a clean stop, which is no failure."""
    handlers = {
        number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
