"""A turn that asks for attention is told to a command and a webhook."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from pipeline.schedule import notices as module
from pipeline.schedule.history import Turn
from pipeline.schedule.notices import Notices

GOOD = Turn(started="2026-11-20T03:00:00+00:00", state="pushed", exit_code=0, serving="7")
FAILED = Turn(started=GOOD.started, state="failed", exit_code=1, serving="7", message="No room.")


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        (GOOD, None),
        (FAILED, "No room."),
        (Turn(started="", state="failed", exit_code=-9), "exit code -9"),
        (Turn(started="", state="refused", exit_code=3, serving="7"), None),
        (Turn(started="", state="refused", exit_code=3), None),
        (Turn(started="", state="waiting", exit_code=0), None),
        (Turn(started="", state="unchanged"), "Nothing is served"),
        (Turn(started="", state="skipped", skips=2, serving="7"), None),
        (Turn(started="", state="skipped", skips=3, serving="7"), "3 turns in a row"),
    ],
)
def test_attention(turn: Turn, words: str | None) -> None:
    why = Notices().attention(turn)
    assert why is None if words is None else words in (why or "")


@pytest.fixture
def received() -> Iterator[tuple[str, list[dict[str, object]]]]:
    """Address of a local webhook, and what it gets."""
    got: list[dict[str, object]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(404 if self.path == "/none" else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_webhook_gets_every_turn(received: tuple[str, list[dict[str, object]]]) -> None:
    address, got = received
    assert Notices(webhook=address).tell(GOOD) == []
    assert Notices(webhook=address).tell(FAILED) == []
    assert [one["state"] for one in got] == ["pushed", "failed"]
    assert [one["attention"] for one in got] == [None, "No room."]


def test_a_webhook_that_fails_is_said(received: tuple[str, list[dict[str, object]]]) -> None:
    address, _ = received
    for url in (f"{address}/none", "http://127.0.0.1:1", "no address"):
        [trouble] = Notices(webhook=url).tell(GOOD)
        assert url in trouble


def test_a_command_is_called_after_a_bad_turn_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    notices = Notices(on_failure=f'cat > {out}; echo " $REELFLOW_STATE" >> {out}')
    assert notices.tell(GOOD) == []
    assert not out.exists()
    assert notices.tell(FAILED) == []
    content, _, state = out.read_text().rpartition(" ")
    assert json.loads(content)["attention"] == "No room."
    assert state == "failed\n"


def test_a_command_that_fails_or_hangs_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    [trouble] = Notices(on_failure="echo oh no >&2; exit 7").tell(FAILED)
    assert "ended with 7" in trouble
    assert "oh no" in trouble
    monkeypatch.setattr(module, "SECONDS", 0.2)
    [trouble] = Notices(on_failure="sleep 60").tell(FAILED)
    assert "longer than 0.2 seconds" in trouble
