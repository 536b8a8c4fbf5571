"""`make audit` by a list of advisories on this machine: found, accepted, unreachable."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from tests.command import ROOT


def _uv() -> str | None:
    found = shutil.which("uv", path=f"{ROOT / '.uv/bin'}{os.pathsep}{os.environ['PATH']}")
    audits = found and subprocess.run([found, "audit", "--help"], capture_output=True, check=False)
    return found if audits and audits.returncode == 0 else None


UV = _uv()
pytestmark = pytest.mark.skipif(UV is None, reason="there is no uv that audits")


class Advisories(BaseHTTPRequestHandler):
    """OSV's two requests: ids by package, and an advisory by id."""

    known: ClassVar[dict[str, list[str]]] = {}
    """Package to ids."""
    asked: ClassVar[set[str]] = set()

    def do_POST(self) -> None:
        queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        names = [query["package"]["name"] for query in queries]
        self.asked.update(names)
        self._answer({"results": [{"vulns": self._of(name)} for name in names]})

    def do_GET(self) -> None:
        id_ = self.path.rpartition("/")[2]
        aliases = ["CVE-2023-47248"] if id_ == "GHSA-accepted" else []
        self._answer(
            {"id": id_, "aliases": aliases, "summary": "x", "modified": "2026-01-01T00:00:00Z"}
        )

    def _of(self, name: str) -> list[dict[str, str]]:
        return [{"id": id_, "modified": "2026-01-01T00:00:00Z"} for id_ in self.known.get(name, [])]

    def _answer(self, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[tuple[str, type[Advisories]]]:
    class Handler(Advisories):
        known: ClassVar[dict[str, list[str]]] = {}
        asked: ClassVar[set[str]] = set()

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", Handler
        server.shutdown()
        thread.join()


def _audit(url: str) -> subprocess.CompletedProcess[str]:
    assert UV is not None
    return subprocess.run(
        [ROOT / "setup.sh", "audit", "--service-url", url],
        env={
            **os.environ,
            "PATH": f"{os.path.dirname(UV)}:{os.environ['PATH']}",
            "UV_HTTP_RETRIES": "0",
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_an_advisory_it_ends_well(service: tuple[str, type[Advisories]]) -> None:
    url, handler = service
    ended = _audit(url)
    assert ended.returncode == 0, ended.stderr
    assert {"tfx", "pyarrow", "starlette"} <= handler.asked


def test_what_is_known_is_named_and_what_is_accepted_is_not(
    service: tuple[str, type[Advisories]],
) -> None:
    url, handler = service
    handler.known = {"pyarrow": ["GHSA-accepted"]}
    assert _audit(url).returncode == 0
    handler.known = {"pyarrow": ["GHSA-accepted"], "starlette": ["GHSA-new"]}
    ended = _audit(url)
    assert ended.returncode == 1
    assert "starlette" in ended.stdout
    assert "GHSA-new" in ended.stdout
    assert "GHSA-accepted" not in ended.stdout


def test_offline_it_says_that_nothing_was_checked() -> None:
    ended = _audit("http://127.0.0.1:9/")
    assert ended.returncode == 2
    assert "nothing was checked" in ended.stderr
