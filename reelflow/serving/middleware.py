"""Middleware around the application: admission, bounds of bodies, headers, figures, access log.

Plain ASGI, because a body that is too large must be stopped while it arrives.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Final, TextIO

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reelflow.serving.access import LIVENESS, Access
from reelflow.serving.limits import Limits, Problem
from reelflow.serving.work import Allowance

FIGURES: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Variable with the folder in which several processes add up their figures."""
CLIENT: Final = "reelflow.client"
"""Key of a request's ASGI scope: the name of its client."""
disable_created_metrics()  # a second, useless line for every figure

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"}
_POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'"
_HEADERS = (
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
_ANNOUNCE = frozenset({b"content-length", b"transfer-encoding"})
_REQUEST_ID = re.compile(rb"[\w.-]{1,64}")
# A string without its end counts as one too: the pattern never fails after a quote, so that it
# never goes back and takes linear time.
_BRACKETS = re.compile(rb'"(?:[^"\\]+|\\.)*\\?(?:"|\Z)|[\[{]|[\]}]', re.DOTALL)


class Metrics:
    """The counters, gauges and histograms of one server."""

    def __init__(self) -> None:
        """Start at zero."""
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "reelflow_requests_total",
            "HTTP requests by method, route and status.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "reelflow_request_seconds",
            "Time from a request's head to the end of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.open = Gauge(
            "reelflow_requests_open",
            "Requests under way.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.batches = Histogram(
            "reelflow_batch_size",
            "Requests answered by one call of the model.",
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=self.registry,
        )
        self.loads = Counter(
            "reelflow_model_loads_total",
            "Attempts to load a version, by outcome.",
            ["outcome"],
            registry=self.registry,
        )
        self.version = Gauge(
            "reelflow_model_version",
            "The version being served.",
            registry=self.registry,
            multiprocess_mode="livemin",
        )
        self.source = Gauge(
            "reelflow_model_source_up",
            "1 if the folder or registry of versions can be read, else 0.",
            registry=self.registry,
            multiprocess_mode="livemin",
        )
        self.source.set(1)
        self.loaded = Gauge(
            "reelflow_model_loaded_timestamp_seconds",
            "When that version was loaded.",
            registry=self.registry,
            multiprocess_mode="livemax",
        )

    def text(self) -> bytes:
        """Return all figures in Prometheus' text format, those of all processes added up."""
        if FIGURES not in os.environ:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)
        return generate_latest(together)


@dataclass
class Admission:
    """All that decides whether a request is let in before its body is read."""

    access: Access
    allowance: Allowance
    connections: int
    """Connections at once."""
    opened: Callable[[], int] = lambda: 0
    """Returns the connections that are open; the server sets it."""

    def admit(self, scope: Scope, path: str) -> str:
        """Return the name of a request's client.

        Raises:
            Problem: it is not let in.
        """
        if path not in LIVENESS and self.opened() > self.connections:
            raise Problem(
                503,
                f"All {self.connections} connections are taken.",
                {"Retry-After": "1", "Connection": "close"},
            )
        client = self.access.admit(scope, path)
        if path not in LIVENESS:
            self.allowance.enter(client)
        return client


class RequestMiddleware:
    """Admit requests; refuse bodies that are too large, slow, deep or no UTF-8; count and log."""

    def __init__(
        self,
        app: ASGIApp,
        limits: Limits,
        metrics: Metrics,
        admission: Admission | None = None,
        access_log: TextIO | None = None,
        pictures_from: Sequence[str] = (),
    ) -> None:
        """Wrap an ASGI application.

        Args:
            app: the application.
            limits: bounds of bodies.
            metrics: counters.
            admission: decides who is let in; None for all.
            access_log: takes a line of JSON for every request; None for no log.
            pictures_from: hosts beside this one that the page may load pictures from.
        """
        policy = (
            f"{_POLICY}; img-src 'self' {' '.join(pictures_from)}" if pictures_from else _POLICY
        )
        self._headers = (*_HEADERS, (b"content-security-policy", policy.encode("ascii")))
        self._app = app
        self._limits = limits
        self._metrics = metrics
        self._admission = admission
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; other protocols than HTTP pass unchanged."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status, size = time.perf_counter(), 500, 0
        request_id = _request_id(scope)

        async def send_with_headers(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                own = (b"x-request-id", request_id.encode())
                message["headers"] = [*message.get("headers", ()), own, *self._headers]
            size += len(message.get("body", b""))
            await send(message)

        self._metrics.open.inc()
        try:
            try:
                await self._admit(scope, receive)
                body = await self._body(receive) if _has_body(scope) else None
            except Problem as problem:
                await refuse(problem, send_with_headers)
                return
            inner = receive if body is None else replay(body, receive)
            await self._app(scope, inner, send_with_headers)
        finally:
            self._metrics.open.dec()
            route = getattr(scope.get("route"), "path", "other")
            # Labels must be few: an unknown method is `other`.
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.requests.labels(method, route, str(status)).inc()
            seconds = time.perf_counter() - start
            self._metrics.seconds.labels(route).observe(seconds)
            if self._access_log is not None:
                # No path and no query: they may hold ids of users.
                line = {
                    "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
                    "request_id": request_id,
                    "client": scope.get(CLIENT),
                    "method": method,
                    "route": route,
                    "status": status,
                    "bytes": size,
                    "ms": round(1000 * seconds, 2),
                }
                print(json.dumps(line), file=self._access_log, flush=True)

    async def _admit(self, scope: Scope, receive: Receive) -> None:
        """Note the client's name in the scope.

        Raises:
            Problem: the request is not let in.
        """
        if self._admission is None:
            return
        try:
            scope[CLIENT] = self._admission.admit(scope, path_of(scope))
        except Problem as problem:
            if problem.status != 503:  # its sender reads the answer only when the body is sent
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._read(receive), self._limits.body_seconds)
            raise

    async def _body(self, receive: Receive) -> bytes:
        """Return the body.

        Raises:
            Problem: it is too large, too slow, not UTF-8 or too deep.
        """
        try:
            body, size = await asyncio.wait_for(self._read(receive), self._limits.body_seconds)
        except asyncio.TimeoutError:
            raise Problem(408, "The request's body did not arrive in time.") from None
        if size > self._limits.body_bytes:
            raise Problem(413, f"A body may have {self._limits.body_bytes:,} bytes at most.")
        try:
            body.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Problem(400, f"The body is not UTF-8: byte {error.start} is wrong.") from None
        brackets = body.count(b"[") + body.count(b"{")  # most bodies need no closer look
        if brackets > self._limits.json_depth and any(
            depth > self._limits.json_depth for depth in _depths(body)
        ):
            raise Problem(400, f"The JSON is nested more than {self._limits.json_depth} deep.")
        return body

    async def _read(self, receive: Receive) -> tuple[bytes, int]:
        """Return body and size; of a body that is too large a part, so that memory is bounded."""
        chunks, size, more = [], 0, True
        while more and size <= self._limits.drained_bytes:
            message = await receive()
            if message["type"] == "http.disconnect":
                break
            chunk = message.get("body", b"")
            size += len(chunk)
            if size <= self._limits.body_bytes:
                chunks.append(chunk)
            more = message.get("more_body", False)
        return b"".join(chunks), size


def _depths(body: bytes) -> Iterator[int]:
    depth = 0
    for match in _BRACKETS.finditer(body):
        first = match[0][:1]
        if first in b"[{":
            depth += 1
            yield depth
        elif first in b"]}":
            depth -= 1


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body first and then later messages, as a disconnect."""
    sent = False

    async def next_message() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return next_message


def path_of(scope: Scope) -> str:
    """Return a request's path as the routes have it, without the root path of a proxy."""
    path, root = scope["path"], scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def _has_body(scope: Scope) -> bool:
    """Return True if a request's head announces a body, as HTTP/1.1 wants it."""
    return any(name in _ANNOUNCE for name, _ in scope["headers"])


def _request_id(scope: Scope) -> str:
    """Return the id that a proxy or the client has given, if it is harmless, or else a new one."""
    given = dict(scope["headers"]).get(b"x-request-id", b"")
    return given.decode("ascii") if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


async def refuse(problem: Problem, send: Send) -> None:
    """Answer with an error in JSON."""
    body = json.dumps({"error": problem.message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    headers += [(k.lower().encode(), v.encode("latin-1")) for k, v in problem.headers.items()]
    if problem.status in (408, 413):
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
