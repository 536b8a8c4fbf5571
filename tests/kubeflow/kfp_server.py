"""Stands in for a Kubeflow Pipelines server: remembers what it is asked, and answers as it does."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

_API = "/apis/v2beta1/"
_LISTS = {"experiments", "pipelines", "versions", "runs", "recurringruns"}
_KEYS = {
    "experiments": ("experiments", "experiment_id"),
    "pipelines": ("pipelines", "pipeline_id"),
    "versions": ("pipeline_versions", "pipeline_version_id"),
    "runs": ("runs", "run_id"),
    "recurringruns": ("recurringRuns", "recurring_run_id"),
}


@dataclass
class Call:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    token: str | None


@dataclass
class Standin:
    """A server's memory.

    Attributes:
        url: its address.
        calls: requests in order, without those for its health.
        things: kind to what was made of it.
        refuse: status and message of every answer, if set.
    """

    url: str = ""
    calls: list[Call] = field(default_factory=list)
    things: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {kind: [] for kind in _LISTS}
    )
    refuse: tuple[int, str] | None = None

    def made(self) -> list[str]:
        """Requests other than GET: method and path below the API."""
        return [f"{c.method} {c.path.removeprefix(_API)}" for c in self.calls if c.method != "GET"]

    def bodies(self, path: str) -> list[Any]:
        """The bodies that were sent to a path below the API."""
        return [c.body for c in self.calls if c.method == "POST" and c.path == _API + path]

    def answer(self, call: Call) -> dict[str, Any]:
        """The server's answer."""
        parts = call.path.removeprefix(_API).split("/")
        if parts == ["healthz"]:
            return {"multi_user": False}
        self.calls.append(call)
        kind = "versions" if parts[-1] in ("versions", "upload_version") else parts[0]
        if call.method == "DELETE":
            key = _KEYS[kind][1]
            self.things[kind] = [t for t in self.things[kind] if t[key] != parts[-1]]
            return {}
        if call.method == "POST":
            return self._make(kind, call)
        named = json.loads(call.query.get("filter") or "{}").get("predicates", [])
        names = [predicate["stringValue"] for predicate in named]
        found = [t for t in self.things[kind] if not names or t["display_name"] in names]
        return {_KEYS[kind][0]: found} if found else {}

    def _make(self, kind: str, call: Call) -> dict[str, Any]:
        key = _KEYS[kind][1]
        uploaded = isinstance(call.body, bytes)
        name = call.query["name"] if uploaded else call.body["display_name"]
        thing = {key: f"{kind}-{len(self.things[kind]) + 1}", "display_name": name}
        if kind == "versions":
            thing["pipeline_id"] = call.query["pipelineid"]
        self.things[kind].append(thing)
        if kind == "pipelines":  # its first version comes with it
            call.query["pipelineid"] = thing[key]
            self._make("versions", call)
        return thing


@contextmanager
def kfp_server() -> Iterator[Standin]:
    """A stand-in that listens on this machine."""
    standin = Standin()

    class Handler(BaseHTTPRequestHandler):
        """Hands every request to the stand-in."""

        def _do(self) -> None:
            address = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(address.query).items()}
            body: Any = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if "json" in (self.headers.get("Content-Type") or ""):
                body = json.loads(body or b"null")
            token = self.headers.get("Authorization")
            call = Call(self.command, re.sub("/+", "/", address.path), query, body, token)
            status, answer = 200, {}
            if standin.refuse:
                status, message = standin.refuse
                answer = {"message": message}
            else:
                answer = standin.answer(call)
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_DELETE = _do

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    standin.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield standin
    finally:
        server.shutdown()
        server.server_close()
