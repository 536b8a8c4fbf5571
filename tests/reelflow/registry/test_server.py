"""The same through a tracking server, as a shared registry has one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from reelflow.base.common import content_hash
from reelflow.registry.alias import Alias
from reelflow.registry.store import Registry
from tests import registries

pytestmark = pytest.mark.slow

WAIT_SECONDS = 300


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """MLflow's own server, with its artifacts where only it can reach them."""
    folder = tmp_path_factory.mktemp("server")
    database = registries.registrar(folder / "database").uri
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", database, "--artifacts-destination", str(folder / "kept")]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment)
        try:
            _wait(f"http://127.0.0.1:{port}/health", process, folder / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
        else:
            return
    raise AssertionError(log.read_text())


def test_register_promote_step_back_and_follow(server: str, tmp_path: Path) -> None:
    registrar = Registry(server, "movies")
    assert registrar.versions() == []
    hashes = []
    for content in ("first", "second"):
        model = tmp_path / content
        model.mkdir()
        (model / "saved_model.pb").write_text(content)
        hashes.append(content_hash(model))
        version = registries.register(registrar, model, hashes[-1])
        registrar.promote(version.number)
    assert [version.model_hash for version in registrar.versions()] == hashes
    assert registrar.facts(version).params == {"train.epochs": "1"}
    assert registrar.facts(version).artifacts.startswith("mlflow-artifacts:/")
    alias = Alias("models:/movies@champion", tmp_path / "cache", server)
    assert (alias.folder() / "saved_model.pb").read_text() == "second"
    registrar.step_back()
    assert registrar.champions() == [1]
    assert (alias.folder() / "saved_model.pb").read_text() == "first"
