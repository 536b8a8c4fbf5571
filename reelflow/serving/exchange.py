"""HTTP around every route: HEAD, entity tags, and origins of browsers' pages (CORS)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_TAGGED = 8 << 20
"""Bytes of an answer that is held back for its entity tag, at most."""
_EXPOSED = ("ETag", "Retry-After", "X-Request-ID")


class Conditional:
    """Answer HEAD as GET without the body, and 304 to a GET whose answer the client has.

    The model works as for a first request: what is saved is the transfer.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an ASGI application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        known = Headers(scope=scope).get("if-none-match", "")
        reply = _Reply(send, known, head=scope["method"] == "HEAD")
        inner = {**scope, "method": "GET"}
        try:
            await self._app(inner, receive, reply.send)
        finally:
            scope.update({key: inner[key] for key in ("route",) if key in inner})


class _Reply:
    """The answer to one request: its head waits for the body, of which the entity tag is made."""

    def __init__(self, send: Send, known: str, *, head: bool) -> None:
        self._send, self._known, self._head = send, known, head
        self._start: Message | None = None

    async def send(self, message: Message) -> None:
        """Take the next message of the application."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        body = message.get("body", b"")
        if self._start is not None:
            start, self._start = self._start, None
            headers = MutableHeaders(raw=list(start.get("headers", ())))
            start["headers"] = headers.raw
            whole = not message.get("more_body", False) and len(body) <= _TAGGED
            if start["status"] == 200 and ("etag" in headers or whole):
                headers.setdefault("ETag", f'W/"{hashlib.sha256(body).hexdigest()[:32]}"')
                headers.setdefault("Cache-Control", "private, no-cache")
                if _matches(self._known, headers["etag"]):
                    start["status"] = 304
                    for name in ("content-length", "content-type"):
                        del headers[name]
            self._head = self._head or start["status"] == 304
            await self._send(start)
        await self._send({**message, "body": b""} if self._head else message)


def _matches(known: str, tag: str) -> bool:
    """Compare weakly, as RFC 9110 wants of If-None-Match."""
    tags = [one.strip().removeprefix("W/") for one in known.split(",")]
    return "*" in tags or tag.removeprefix("W/") in tags


class Cors(CORSMiddleware):
    """Starlette's rules for pages of other origins, with errors in JSON."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        """Let pages of these origins ask, with a key but without cookies."""
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=["DELETE", "GET", "HEAD", "POST"],
            allow_headers=["Authorization", "Content-Type", "If-None-Match", "X-API-Key"],
            expose_headers=_EXPOSED,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a browser that asks first whether it may ask."""
        answer = super().preflight_response(request_headers)
        if answer.status_code < 400:
            return answer
        kept = {k: v for k, v in answer.headers.items() if not k.startswith("content-")}
        message = f"{bytes(answer.body).decode()}: see --allow-origin."
        return JSONResponse({"error": message}, answer.status_code, kept)
