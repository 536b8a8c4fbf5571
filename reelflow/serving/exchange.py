"""HTTP around every route: HEAD, entity tags, and origins of browsers' pages (CORS)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_TAGGED = 8 << 20
"""Bytes of an answer that is held back for its entity tag, at most."""
_VARY = (b"vary", b"Accept-Encoding")
_OF_BODY = frozenset({b"content-length", b"content-type"})
_EXPOSED = ("ETag", "Retry-After", "X-Request-ID")


class Compressed(GZipMiddleware):
    """Starlette's compression, which is not begun for a client that takes none."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http" and not _takes_gzip(scope):

            async def send_varying(message: Message) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message.get("headers", ()), _VARY]
                await send(message)

            await self.app(scope, receive, send_varying)
        else:
            await super().__call__(scope, receive, send)


def _takes_gzip(scope: Scope) -> bool:
    headers = scope["headers"]
    return any(name == b"accept-encoding" and b"gzip" in value for name, value in headers)


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
        known = next((v for name, v in scope["headers"] if name == b"if-none-match"), b"")
        reply = _Reply(send, known, head=scope["method"] == "HEAD")
        inner = {**scope, "method": "GET"}
        try:
            await self._app(inner, receive, reply.send)
        finally:
            scope.update({key: inner[key] for key in ("route",) if key in inner})


class _Reply:
    """The answer to one request: its head waits for the body, of which the entity tag is made."""

    def __init__(self, send: Send, known: bytes, *, head: bool) -> None:
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
            whole = not message.get("more_body", False) and len(body) <= _TAGGED
            if start["status"] == 200:
                self._tag(start, body if whole else None)
            self._head = self._head or start["status"] == 304
            await self._send(start)
        await self._send({**message, "body": b""} if self._head else message)

    def _tag(self, start: Message, body: bytes | None) -> None:
        """Put the entity tag into the head of an answer, and make it 304 if the client has that.

        Args:
            start: the head.
            body: None if it is too large, or comes in parts.
        """
        headers = list(start.get("headers", ()))
        names = dict(headers)
        tag = names.get(b"etag")
        if tag is None:
            if body is None:
                return
            tag = b'W/"%s"' % hashlib.sha256(body).hexdigest()[:32].encode()
            headers.append((b"etag", tag))
        if b"cache-control" not in names:
            headers.append((b"cache-control", b"private, no-cache"))
        if self._known and _matches(self._known.decode("latin-1"), tag.decode("latin-1")):
            start["status"] = 304
            headers = [pair for pair in headers if pair[0] not in _OF_BODY]
        start["headers"] = headers


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
