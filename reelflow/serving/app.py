"""The application: routes, errors, the page, and the tasks that run beside them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version as installed
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from starlette.exceptions import HTTPException

from reelflow.serving import api, tf_serving
from reelflow.serving.context import ServerState
from reelflow.serving.limits import Limits, Problem
from reelflow.serving.metrics import Metrics
from reelflow.serving.middleware import RequestMiddleware
from reelflow.serving.versions import Versions

PAGE: Final = Path(__file__).parent / "page"
_FILES: Final = {
    "/": "index.html",
    "/docs": "docs.html",
    **{f"/page/{path.name}": path.name for path in sorted(PAGE.iterdir())},
}


def create_app(
    versions: Versions,
    *,
    limits: Limits | None = None,
    metrics: Metrics | None = None,
    histories: bool = True,
    reload_seconds: float = 0,
) -> FastAPI:
    """Put the server together.

    Args:
        versions: source of the model.
        limits: bounds of requests; None for the defaults.
        metrics: counters, shared with `versions`; None for new ones.
        histories: True if answers may contain what users have rated.
        reload_seconds: time between two looks for a new version; 0 for never.
    """
    server = ServerState(versions, limits or Limits(), metrics or Metrics(), histories)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with server.batcher:
            watch = versions.watch(reload_seconds) if reload_seconds else asyncio.sleep(0)
            watching = asyncio.create_task(watch)
            yield
            server.stopping = True
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching

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
    app.include_router(tf_serving.router)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _fault)
    app.add_api_route(
        "/metrics", _metrics, tags=["Server"], summary="For Prometheus", response_class=Response
    )
    for path, name in _FILES.items():
        app.add_api_route(path, _file(name), include_in_schema=False, methods=["GET", "HEAD"])
    return app


async def _metrics(request: Request) -> Response:
    """Requests, latencies, batches and loads in Prometheus' text format."""
    return Response(ServerState.of(request).metrics.text(), media_type="text/plain; version=0.0.4")


def _file(name: str) -> Callable[[], Awaitable[FileResponse]]:
    async def send() -> FileResponse:
        return FileResponse(PAGE / name, headers={"Cache-Control": "no-cache"})

    return send


async def _problem(_: Request, problem: Exception) -> JSONResponse:
    assert isinstance(problem, Problem)
    return JSONResponse(problem.body, problem.status, problem.headers)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    """Name the fields that are wrong and the reasons, not the values, which may be no JSON."""
    assert isinstance(error, RequestValidationError)
    texts = [
        f"{'.'.join(str(part) for part in one['loc'][1:]) or one['loc'][0]}: "
        f"{_CLEARER.get(one['type'], one['msg'])}"
        for one in error.errors()[:5]
    ]
    return JSONResponse({"error": "; ".join(texts)}, 422)


# Clearer words for a body that is sent with another content type, as curl does by default.
_CLEARER: Final = {
    "model_attributes_type": "a JSON object is wanted, with Content-Type: application/json"
}


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)


async def _fault(_: Request, error: Exception) -> JSONResponse:
    """Answer without the traceback, which Starlette writes to the log."""
    return JSONResponse({"error": f"A fault of the server: {type(error).__name__}."}, 500)
