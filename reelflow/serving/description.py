"""The server's OpenAPI document: FastAPI's, with keys, errors and limits in words.

Its description is CommonMark, as OpenAPI has it; the page `/docs` and the documents' site show it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI

from reelflow.serving.access import right_for
from reelflow.serving.limits import Limits
from reelflow.serving.messages import ERRORS

_ABOUT: Final = """Movie recommendations, predicted ratings and similar movies from one model.

Answers to GET have an entity tag, for `If-None-Match`; every GET path answers HEAD; large answers \
are compressed where the client accepts gzip. `X-Request-ID` is taken over from the request, or \
made, and returned."""
_KEYS: Final = (
    "An API key with the scope that `x-scope` of an operation names: `read`, `events` or `admin`, "
    "which has all. Not asked for by a server without keys, as one on this machine only."
)
_SENT: Final = "It is sent as `Authorization: Bearer KEY` or as `X-API-Key: KEY`."
_FAILED: Final = (
    'Every error is JSON with the key `error`, in words: `{"error": "There is no movie \'x\'."}`. '
    "After 429 or 503 nothing has been done: ask again after the seconds of `Retry-After`."
)


def described(app: FastAPI, limits: Limits) -> dict[str, Any]:
    """Return the OpenAPI document of an application, made at the first call."""
    if app.openapi_schema is None:
        document = FastAPI.openapi(app)
        document["info"]["description"] = _description(limits)
        document["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer", "description": _KEYS},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": _KEYS},
        }
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                right = right_for(method.upper(), path)
                if right is not None:
                    operation["security"] = [{"bearer": []}, {"header": []}, {}]
                    operation["x-scope"] = right
    return app.openapi_schema or {}


def _description(limits: Limits) -> str:
    errors = [f"- `{code}`: {one['description']}" for code, one in sorted(ERRORS.items(), key=str)]
    bounds = [f"- {line}" for line in _bounds(limits)]
    lines = [
        _ABOUT,
        "",
        "## Keys",
        "",
        f"{_KEYS} {_SENT}",
        "",
        "## Errors",
        "",
        _FAILED,
        "",
        *errors,
    ]
    return "\n".join(
        [
            *lines,
            "",
            "## Limits",
            "",
            "This server's; options of `reelflow serve` set some of them.",
            "",
            *bounds,
        ]
    )


def _bounds(limits: Limits) -> Iterator[str]:
    """Bounds that a client meets, with the answer beyond them."""
    yield f"{limits.k} movies in an answer; further ones by `cursor` (422)."
    yield (
        f"{limits.movies} movies named in a request, {limits.users} users, ids and searches of "
        f"{limits.id_length} characters (422)."
    )
    yield (
        f"TensorFlow Serving's paths: {limits.rows} rows in a request, {limits.cells:,} cells in "
        "an answer (400)."
    )
    yield (
        f"A body of {limits.body_bytes:,} bytes (413), within {limits.body_seconds:g} seconds "
        f"(408), with {limits.json_depth} brackets in each other (400)."
    )
    if limits.rate:
        yield (
            f"{limits.rate:,g} units of work a second for each client, {limits.burst:,g} at once "
            "(429). A list of ten movies is about one unit, a list of 500 some ten; a list of 500 "
            "explained by 500 named movies some 600."
        )
    else:
        yield "Any number of requests a second (429 where the server is started with `--rate`)."
    yield f"{limits.waiting} requests that wait, {limits.connections} connections (503)."
    yield f"{limits.answer_seconds:g} seconds for an answer (504)."
