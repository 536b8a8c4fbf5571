"""The short way of the requests that come most often, past the framework's routing and conversion.

FastAPI takes twice as long over the parameters of such a request as the model over its answer. Only
what is right goes the short way: anything else goes on to FastAPI, which says what is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, get_origin
from urllib.parse import parse_qsl

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from reelflow.serving.middleware import path_of, replay

_JSON: Final = b"application/json"


@dataclass(frozen=True)
class Short:
    """A route that has a short way."""

    message: type[BaseModel]
    """Form of the URL's query (GET) or of the body (POST)."""
    endpoint: Callable[[Request, Any], Awaitable[BaseModel | bytes]]
    """Answers as the route does, with a message or its JSON."""

    @cached_property
    def lists(self) -> frozenset[str]:
        """Fields that a query may have several times."""
        fields = self.message.model_fields.items()
        return frozenset(name for name, one in fields if get_origin(one.annotation) is list)

    def of_query(self, query: bytes) -> dict[str, Any]:
        """Return the fields that a query has, as FastAPI understands it."""
        fields: dict[str, Any] = {}
        for name, text in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
            if name in self.lists:
                fields.setdefault(name, []).append(text)
            else:
                fields[name] = text
        return fields


class Direct:
    """Answer requests on the short way, or let the application do it."""

    def __init__(
        self,
        app: ASGIApp,
        routes: Mapping[tuple[str, str], Short],
        on_error: Callable[[Request, Exception], Awaitable[Response]],
        problems: type[Exception],
    ) -> None:
        """Wrap an ASGI application.

        Args:
            app: knows all routes, these too.
            routes: by method and path.
            on_error: answers what an endpoint raises of the kind `problems`.
            problems: other errors are left to the application's outermost layer.
        """
        self._app, self._routes = app, routes
        self._on_error, self._problems = on_error, problems

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = path_of(scope)
        short = self._routes.get((scope["method"], path))
        if short is None:
            await self._app(scope, receive, send)
            return
        body: bytes | None = None
        try:
            if scope["method"] == "GET":
                fields: Any = short.of_query(scope["query_string"])
            else:
                body = (await receive()).get("body", b"")  # whole, as `RequestMiddleware` gives it
                fields = json.loads(body) if _is_json(scope) else None
            message = short.message.model_validate(fields)
        except ValueError:  # ValidationError is one, and what is no JSON
            await self._app(scope, receive if body is None else replay(body, receive), send)
            return
        scope["route"] = _Route(path)
        request = Request(scope, receive)
        try:
            answer = await short.endpoint(request, message)
        except self._problems as error:
            response = await self._on_error(request, error)
            await response(scope, receive, send)
            return
        content = answer if isinstance(answer, bytes) else answer.model_dump_json().encode()
        headers = [(b"content-length", b"%d" % len(content)), (b"content-type", _JSON)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})


@dataclass(frozen=True)
class _Route:
    """The route of a request, as figures name it."""

    path: str


def _is_json(scope: Scope) -> bool:
    return any(
        name == b"content-type" and value.split(b";")[0].strip().lower() == _JSON
        for name, value in scope["headers"]
    )
