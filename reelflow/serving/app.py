"""The application: routes, errors, the page, the tasks beside them; and its run on a port."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any, Final, TextIO

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from starlette.exceptions import HTTPException

from reelflow.base.errors import BadInput
from reelflow.base.looks import GENRE_LOOKS
from reelflow.serving import api, tf_serving
from reelflow.serving.access import Access
from reelflow.serving.api import ServerState
from reelflow.serving.connections import connection_class
from reelflow.serving.description import described
from reelflow.serving.direct import Direct
from reelflow.serving.events import routes as events
from reelflow.serving.events.journal import Journal
from reelflow.serving.events.live import Live
from reelflow.serving.exchange import Compressed, Conditional, Cors
from reelflow.serving.limits import Limits, Problem
from reelflow.serving.messages import ERRORS
from reelflow.serving.middleware import Admission, Metrics, RequestMiddleware
from reelflow.serving.posters import Posters
from reelflow.serving.rules.file import RulesFile
from reelflow.serving.variants import Variants
from reelflow.serving.versions import Versions
from reelflow.serving.work import Allowance

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
    access: Access | None = None,
    posters: Posters | None = None,
    root_path: str = "",
    access_log: TextIO | None = None,
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
        access: rules of admission; None to let all in.
        posters: movies' own pictures, those that `versions` has; None: there are none.
        root_path: path below which a proxy has the server, as `/movies`.
        access_log: takes a line of JSON for every request; None for no log.
    """
    live = Live(journal) if journal else None
    limits, metrics = limits or Limits(), metrics or Metrics()
    variants = Variants(versions, metrics.registry)
    allowance = Allowance(limits.rate, limits.burst)
    server = ServerState(
        versions, limits, metrics, histories, variants, allowance, live=live, rules=rules
    )
    admission = Admission(access or Access(), allowance, limits.connections)

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

    app = _routed(limits, root_path, lifespan)
    if posters:
        app.add_api_route("/posters/{movie_id:path}", _poster(posters), include_in_schema=False)
    app.state.server = server
    app.state.admission = admission
    # Each one is put around those before it.
    app.add_middleware(Direct, routes=api.SHORT, on_error=_error, problems=Problem)
    app.add_middleware(Conditional)
    app.add_middleware(Compressed, minimum_size=1_000, compresslevel=5)
    app.add_middleware(
        RequestMiddleware,
        limits=limits,
        metrics=server.metrics,
        admission=admission,
        access_log=access_log,
        pictures_from=posters.hosts if posters else (),
    )
    if admission.access.origins:
        app.add_middleware(Cors, origins=admission.access.origins)
    for kind in (Problem, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _error)
    return app


def openapi(limits: Limits) -> dict[str, Any]:
    """Return the OpenAPI document of a server with these bounds, without a model."""
    return _routed(limits).openapi()


def _routed(
    limits: Limits,
    root_path: str = "",
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None,
) -> FastAPI:
    """Return the application with its routes alone."""
    app = FastAPI(
        title="Reelflow",
        version=installed("reelflow"),
        lifespan=lifespan,
        docs_url=None,  # FastAPI's pages load scripts from elsewhere; ours works offline
        redoc_url=None,
        root_path=root_path.rstrip("/"),
        generate_unique_id_function=lambda route: route.name,
    )
    app.include_router(api.router)
    app.include_router(events.router)
    app.include_router(tf_serving.router)
    app.add_api_route(
        "/metrics",
        _metrics,
        name="metrics",
        tags=["Server"],
        summary="For Prometheus",
        response_class=Response,
        responses={200: _TEXT, **ERRORS},
    )
    for path, file in _FILES.items():
        app.add_api_route(path, _file(file), include_in_schema=False)
    app.openapi = lambda: described(app, limits)  # type: ignore[method-assign]
    return app


_TEXT: Final = {"description": "Text.", "content": {"text/plain": {"schema": {"type": "string"}}}}


async def _metrics(request: Request) -> Response:
    """Requests, latencies, batches and loads in Prometheus' text format."""
    return Response(ServerState.of(request).metrics.text(), media_type="text/plain; version=0.0.4")


def _file(path: Path) -> Callable[[], Awaitable[FileResponse]]:
    async def send() -> FileResponse:
        return FileResponse(path, headers={"Cache-Control": "no-cache"})

    return send


def _poster(posters: Posters) -> Callable[[str], FileResponse]:
    def send(movie_id: str) -> FileResponse:
        found = posters.file(movie_id)
        if found is None:
            raise Problem(404, "There is no such picture.")
        file, kind = found
        return FileResponse(file, media_type=kind, headers={"Cache-Control": "max-age=3600"})

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


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Bind a port, before the model is loaded, so that one in use is reported at once.

    Args:
        host: name or address, IPv4 or IPv6.
        port: 0 lets the system choose.
        shared: True if other processes of this server listen there too: the system divides the
            connections among them.

    Raises:
        BadInput: the port cannot be bound.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
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


def server_of(app: FastAPI, limits: Limits, forwarded_from: str | None = None) -> uvicorn.Server:
    """Return the HTTP server of an application, not yet started.

    Args:
        app: from `create_app`.
        limits: of connections.
        forwarded_from: addresses of proxies, separated by commas, whose X-Forwarded-For is
            believed; None for none.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        http=connection_class(limits),
        timeout_keep_alive=limits.idle_seconds,
        proxy_headers=bool(forwarded_from),
        forwarded_allow_ips=forwarded_from,
        backlog=1024,
        timeout_graceful_shutdown=limits.drain_seconds,
    )
    server = _Server(config)
    app.state.admission.opened = lambda: len(server.server_state.connections)
    return server


def run(server: uvicorn.Server, listening: socket.socket, started: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT; a second one ends at once.

    Args:
        server: from `server_of`.
        listening: from `listen`.
        started: called when requests are answered.
    """
    assert isinstance(server, _Server)
    server.on_started = started
    # uvicorn raises the signal again after a clean stop, which is no failure.
    signals = (signal.SIGTERM, signal.SIGINT)
    handlers = [(number, signal.signal(number, lambda *_: None)) for number in signals]
    try:
        server.run(sockets=[listening])
    finally:
        for number, handler in handlers:
            signal.signal(number, handler)


class _Server(uvicorn.Server):
    on_started: Callable[[], None] = staticmethod(lambda: None)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.on_started()
