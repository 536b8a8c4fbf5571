"""The real kfp client against a stand-in that records what it is asked."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("kfp")

from pipeline.cli.app import app
from pipeline.kubeflow.client import cron_of
from reelflow.base.errors import BadInput
from tests.kubeflow.graphs import package_in
from tests.kubeflow.kfp_server import Standin, kfp_server

pytestmark = pytest.mark.kubeflow


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small package."""
    return str(package_in(tmp_path_factory.mktemp("package")))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Standin]:
    """A server; nothing of the user's own settings."""
    for name in ("ENDPOINT", "NAMESPACE", "TOKEN", "SSL_CA_CERT"):
        monkeypatch.delenv(f"KF_PIPELINES_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with kfp_server() as standin:
        yield standin


def _invoke(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["kubeflow", *words])
    return result.exit_code, result.output


def test_a_first_run_makes_pipeline_experiment_and_run(server: Standin, package: str) -> None:
    parameters = ("--data", "s3://bucket/ratings", "--set", "train.epochs=2")
    code, out = _invoke("submit", package, "--host", server.url, "--run-name", "one", *parameters)
    assert code == 0, out
    uploads = ["POST pipelines/upload", "POST pipelines/upload_version"]
    assert server.made() == ["POST experiments", *uploads, "POST runs"]
    [upload] = server.bodies("pipelines/upload")
    assert Path(package).read_bytes() in upload
    [run] = server.bodies("runs")
    assert run["display_name"] == "one"
    assert run["experiment_id"] == "experiments-1"
    assert run["pipeline_version_reference"] == {
        "pipeline_id": "pipelines-1",
        "pipeline_version_id": "versions-2",  # the first one is named as the pipeline
    }
    assert run["runtime_config"]["parameters"] == {
        "data": "s3://bucket/ratings",
        "overrides": ["train.epochs=2"],
    }
    assert f"{server.url}/#/runs/details/runs-1" in out


def test_a_package_becomes_a_version_once(server: Standin, package: str, tmp_path: Path) -> None:
    other = str(package_in(tmp_path, train={"epochs": 3}))
    for which in (package, other, other):
        assert _invoke("submit", which, "--host", server.url)[0] == 0
    assert server.made().count("POST pipelines/upload") == 1
    assert server.made().count("POST pipelines/upload_version") == 2
    assert server.made().count("POST experiments") == 1
    versions = [run["pipeline_version_reference"] for run in server.bodies("runs")]
    assert [v["pipeline_version_id"] for v in versions] == [
        "versions-2",
        "versions-3",
        "versions-3",
    ]


def test_a_schedule_has_cron_concurrency_and_no_catch_up(server: Standin, package: str) -> None:
    code, out = _invoke("schedule", package, "--host", server.url, "--cron", "0 3 * * 0")
    assert code == 0, out
    assert server.made()[-1] == "POST recurringruns"
    [job] = server.bodies("recurringruns")
    assert job["trigger"] == {"cron_schedule": {"cron": "0 0 3 * * 0"}}
    assert job["max_concurrency"] == 1
    assert job["no_catchup"] is True
    assert job["mode"] == "ENABLE"
    assert job["pipeline_version_reference"]["pipeline_version_id"] == "versions-2"


def test_a_schedule_replaces_the_one_of_its_name_only(server: Standin, package: str) -> None:
    words = ("schedule", package, "--host", server.url, "--cron", "0 3 * * 0")
    assert _invoke(*words, "--job-name", "weekly")[0] == 0
    assert _invoke(*words, "--job-name", "nightly")[0] == 0
    options = ("--catch-up", "--max-concurrency", "2", "--paused", "--end", "2027-01-01T00:00:00Z")
    assert _invoke(*words, "--job-name", "weekly", *options)[0] == 0
    left = server.things["recurringruns"]
    assert [job["display_name"] for job in left] == ["nightly", "weekly"]
    job = server.bodies("recurringruns")[-1]
    assert (job["no_catchup"], job["max_concurrency"], job["mode"]) == (False, 2, "DISABLE")
    assert job["trigger"]["cron_schedule"]["end_time"] == "2027-01-01T00:00:00Z"


def test_token_and_namespace_come_from_the_environment(
    server: Standin, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", server.url)
    monkeypatch.setenv("KF_PIPELINES_TOKEN", "secret-token")
    monkeypatch.setenv("KF_PIPELINES_NAMESPACE", "movies")
    code, out = _invoke("submit", package)
    assert code == 0, out
    assert {call.token for call in server.calls} == {"Bearer secret-token"}
    assert server.bodies("experiments")[0]["namespace"] == "movies"
    assert "secret-token" not in out


def test_nobody_answers(package: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    code, out = _invoke("submit", package, "--host", f"http://127.0.0.1:{port}")
    assert code == 1
    assert "Connection refused" in out
    assert "kubectl port-forward" in out


@pytest.mark.parametrize(
    ("status", "words"), [(401, "token"), (403, "--namespace"), (404, "address"), (500, "broken")]
)
def test_the_server_refuses(server: Standin, package: str, status: int, words: str) -> None:
    server.refuse = (status, "broken inside")
    code, out = _invoke("submit", package, "--host", server.url)
    assert code == 1
    assert f"answered {status}: broken inside." in out
    assert words in out
    assert "Traceback" not in out


def test_bad_words_are_refused_before_anybody_is_asked(server: Standin, package: str) -> None:
    host = ("--host", server.url)
    for words, said in (
        (("submit", package, *host, "--set", "train.epocs=2"), "train.epochs"),
        (("submit", package + "x", *host), "reelflow kubeflow compile"),
        (("submit", package, "--host", "cluster"), "http://localhost:8080"),
        (("schedule", package, *host, "--cron", "0 3"), "2 fields"),
    ):
        code, out = _invoke(*words)
        assert code == 2, out
        assert said in out
    assert server.calls == []


def test_without_the_sdk_it_is_said(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.cli.kubeflow.find_spec", lambda _: None)
    code, out = _invoke("submit", package, "--host", "http://localhost:1")
    assert code == 1
    assert "Python 3.10 or 3.11" in out
    assert _invoke("--help")[0] == 0


def test_cron_gets_its_seconds() -> None:
    assert cron_of("0 3 * * 0") == "0 0 3 * * 0"
    assert cron_of("30 0 3 * * 0") == "30 0 3 * * 0"
    assert cron_of("@daily") == "@daily"
    with pytest.raises(BadInput, match="7 fields"):
        cron_of("1 2 3 4 5 6 7")
