"""`reelflow serve` as a command; what it answers is tested in tests/serving/."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.cli.serve import measured
from reelflow.base.common import content_hash
from reelflow.config.layout import Layout
from reelflow.registry.push import push
from reelflow.serving import workers
from reelflow.serving.limits import Limits
from tests.pipeline.run_folders import leave_run, metrics


def test_without_a_model_run_first(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["serve", "--output", str(tmp_path), "--port", "0"])
    assert answer.exit_code == 2
    assert "Run `reelflow run` first." in answer.output


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        answer = CliRunner().invoke(app, ["serve", "--output", str(tmp_path), "--port", port])
    assert answer.exit_code == 2
    assert "--port" in answer.output


def test_each_of_several_processes_grants_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """They do not know of each other's requests."""
    started: list[Any] = []
    monkeypatch.setattr(workers, "run_workers", lambda count, *more: started.append(more[1]))
    command = ["serve", "--port", "0", "--workers", "4", "--rate", "100", "--connections", "8"]
    assert CliRunner().invoke(app, command).exit_code == 0
    [options] = started
    assert (options.limits.rate, options.limits.burst) == (25, Limits().burst / 4)
    assert options.limits.connections == 8


def test_metrics_are_those_of_the_run_that_pushed_the_version(tmp_path: Path) -> None:
    layout = Layout.of(tmp_path)
    for run, version, rmse in (("a", 7, 0.9), ("b", 8, 0.8), ("c", None, 0.7)):
        pushed = f"/elsewhere/serving/reelflow/{version}" if version else None
        leave_run(layout, run, metrics=metrics(0.2, rmse), pushed=pushed)
    (layout.runs / "unfinished").mkdir()
    expected = {"unseen_top_10": 0.1, "unseen_top_100": 0.2, "rmse": 0.8, "mae": 0.8}
    assert measured(layout, layout.serving / "8") == expected
    assert measured(layout, layout.serving / "9") == {}


def test_a_registered_model_keeps_its_metrics_under_any_number(tmp_path: Path) -> None:
    layout = Layout.of(tmp_path)
    version = layout.serving / "9"
    version.mkdir(parents=True)
    (version / "saved_model.pb").write_text("model")
    registered = {"registry": "r", "name": "n", "alias": "champion", "version": 1}
    for run, model_hash, rmse in (("a", content_hash(version), 0.9), ("b", "another", 0.8)):
        entry = {**registered, "model_hash": model_hash}
        leave_run(layout, run, metrics=metrics(0.2, rmse), pushed="/x/9", registered=entry)
    assert measured(layout, version)["rmse"] == 0.9


def _while_stopping(process: subprocess.Popen[str], page: str) -> bytes:
    """The answer to a request of which one half comes before SIGTERM and the other after it."""
    body = b'{"liked": ["1"], "k": 3}'
    head = b"POST /api/v1/recommendations HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    head += b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    request = head + body
    address = urlsplit(page)
    assert address.hostname
    assert address.port
    with socket.create_connection((address.hostname, address.port), 20) as connection:
        connection.sendall(request[:-10])
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        connection.sendall(request[-10:])
        answer = b""
        while part := connection.recv(1 << 16):
            answer += part
    return answer


@pytest.mark.slow
def test_it_answers_and_ends_cleanly(exported: Path, tmp_path: Path) -> None:
    layout = Layout.of(tmp_path)
    push(exported, layout.serving, keep=1, now=7)
    arguments = ["serve", "--output", str(tmp_path), "--port", "0", "--no-histories"]
    command = [sys.executable, "-c", "from pipeline.cli import main; main()", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        page = next(line.split()[1] for line in process.stdout if line.startswith("Page"))
        with urllib.request.urlopen(f"{page}api/v1/version", timeout=20) as answer:
            version = json.load(answer)
        assert _while_stopping(process, page).startswith(b"HTTP/1.1 200 OK")
        assert process.wait(30) == 0
        assert process.stdout.read().endswith("Stopped.\n")
    assert (version["model_version"], version["histories"]) == (7, False)
