"""The application: routes, errors, the page, the tasks beside them; and its run on a port."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from importlib.metadata import version as installed
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from starlette.exceptions import HTTPException

from reelflow.base.errors import BadInput
from reelflow.base.looks import GENRE_LOOKS
from reelflow.serving import api, tf_serving
from reelflow.serving.api import ServerState
from reelflow.serving.events import routes as events
from reelflow.serving.events.journal import Journal
from reelflow.serving.events.live import Live
from reelflow.serving.limits import Limits, Problem
from reelflow.serving.middleware import Metrics, RequestMiddleware
from reelflow.serving.rules.file import RulesFile
from reelflow.serving.variants import Variants
from reelflow.serving.versions import Versions

PAGE: Final = Path(__file__).parent / "page"
_FILES: Final = {
    "/": PAGE / "index.html",
    "/docs": PAGE / "docs.html",
    **{f"/page/{path.name}": path for path in [*sorted(PAGE.iterdir()), GENRE_LOOKS]},
}


def create_app(
    versions: Versions,
    *,
    limits: Limits | None = None,
    metrics: Metrics | None = None,
    histories: bool = True,
    reload_seconds: float = 0,
    journal: Journal | None = None,
    rules: RulesFile | None = None,
) -> FastAPI:
    """Put the server together.

    Args:
        versions: source of the model.
        limits: bounds of requests; None for the defaults.
        metrics: counters, shared with `versions`; None for new ones.
        histories: True if answers may contain what users have rated.
        reload_seconds: time between two looks for a new version; 0 for never.
        journal: takes events; None: they are refused.
        rules: about all lists; None: there are none.
    """
    live = Live(journal) if journal else None
    limits, metrics = limits or Limits(), metrics or Metrics()
    variants = Variants(versions, metrics.registry)
    server = ServerState(versions, limits, metrics, histories, variants, live, rules)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with server.batcher, journal or nullcontext():
            watching = []
            if reload_seconds:
                watching.append(asyncio.create_task(versions.watch(reload_seconds)))
                watching.append(asyncio.create_task(variants.watch(reload_seconds)))
                if rules:
                    watching.append(asyncio.create_task(rules.watch(reload_seconds)))
            yield
            server.stopping = True
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
            variants.close()

    app = FastAPI(
        title="Reelflow",
        version=installed("reelflow"),
        description="Movie recommendations, predicted ratings and similar movies from one model.",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's pages load scripts from elsewhere; ours works offline
        redoc_url=None,
    )
    app.state.server = server
    app.add_middleware(RequestMiddleware, limits=server.limits, metrics=server.metrics)
    app.include_router(api.router)
    app.include_router(events.router)
    app.include_router(tf_serving.router)
    for kind in (Problem, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _error)
    app.add_api_route(
        "/metrics", _metrics, tags=["Server"], summary="For Prometheus", response_class=Response
    )
    for path, file in _FILES.items():
        app.add_api_route(path, _file(file), include_in_schema=False, methods=["GET", "HEAD"])
    return app


async def _metrics(request: Request) -> Response:
    """Requests, latencies, batches and loads in Prometheus' text format."""
    return Response(ServerState.of(request).metrics.text(), media_type="text/plain; version=0.0.4")


def _file(path: Path) -> Callable[[], Awaitable[FileResponse]]:
    async def send() -> FileResponse:
        return FileResponse(path, headers={"Cache-Control": "no-cache"})

    return send


# Clearer words for a body that is sent with another content type, as curl does by default.
_CLEARER: Final = {
    "model_attributes_type": "a JSON object is wanted, with Content-Type: application/json"
}


async def _error(_: Request, error: Exception) -> JSONResponse:
    """Answer a request that has failed, without the traceback, which Starlette logs."""
    if isinstance(error, Problem):
        return JSONResponse({"error": error.message}, error.status, error.headers)
    if isinstance(error, RequestValidationError):
        # Name the fields that are wrong and the reasons, not the values, which may be no JSON.
        texts = [
            f"{'.'.join(str(part) for part in one['loc'][1:]) or one['loc'][0]}: "
            f"{_CLEARER.get(one['type'], one['msg'])}"
            for one in error.errors()[:5]
        ]
        return JSONResponse({"error": "; ".join(texts)}, 422)
    if isinstance(error, HTTPException):
        return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)
    return JSONResponse({"error": f"A fault of the server: {type(error).__name__}."}, 500)


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
        backlog=1024,
        timeout_graceful_shutdown=limits.drain_seconds,
    )
    # uvicorn raises the signal again after a clean stop, which is no failure.
    signals = (signal.SIGTERM, signal.SIGINT)
    handlers = [(number, signal.signal(number, lambda *_: None)) for number in signals]
    try:
        _Server(config, started).run(sockets=[listening])
    finally:
        for number, handler in handlers:
            signal.signal(number, handler)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_started()
