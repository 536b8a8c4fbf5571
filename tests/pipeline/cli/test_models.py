"""`reelflow models` as a command: what it shows, and its exit codes."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from pipeline.cli.app import app
from reelflow.base.common import content_hash
from reelflow.config.layout import PIPELINE_NAME, Layout
from reelflow.registry.push import push
from reelflow.registry.store import CHAMPION, Registry
from tests import registries


@pytest.fixture
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An output folder without runs."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "output"


@pytest.fixture
def two(output: Path, tmp_path: Path) -> Path:
    """An output folder with two versions, of which the second serves."""
    layout = Layout.of(output)
    registries.two_versions(layout, tmp_path)
    return output


def _models(output: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["models", *words, "--output", str(output)])


def test_an_empty_registry_is_no_error(output: Path) -> None:
    answer = _models(output, "list")
    assert answer.exit_code == 0
    assert "No models are registered as reelflow" in answer.output
    assert "reelflow run" in answer.output
    assert not output.exists()
    assert json.loads(_models(output, "list", "--json").stdout) == []


@pytest.mark.parametrize("words", [["show"], ["promote", "1"], ["diff", "1", "2"]])
def test_without_models_the_remedy_is_to_run(output: Path, words: list[str]) -> None:
    answer = _models(output, *words)
    assert answer.exit_code == 2
    assert "Run `reelflow run` first" in answer.output


def test_the_list_shows_who_is_champion_and_who_serves(two: Path) -> None:
    answer = _models(two, "list")
    assert answer.exit_code == 0, answer.output
    newest, oldest = (line for line in answer.output.splitlines() if "80,000" in line)
    assert "champion" in newest
    assert newest.split()[0] == "2"
    assert newest.rstrip().endswith("102")
    assert "champion" not in oldest
    assert "50.0 %" in oldest
    assert "Liked" in answer.output
    facts = json.loads(_models(two, "list", "--json").stdout)
    assert [one["version"] for one in facts] == [2, 1]
    assert facts[0]["aliases"] == ["champion"]
    assert facts[0]["blessed"] is True
    assert facts[0]["metrics"]["rmse"] == pytest.approx(0.91)


def test_the_list_fits_a_terminal_and_names_what_was_refused(
    two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registrar = registries.registrar(Layout.of(two).registry.parent, PIPELINE_NAME)
    model = tmp_path / "3"
    model.mkdir()
    (model / "saved_model.pb").write_text("3")
    registries.register(registrar, model, content_hash(model), blessed=False)
    monkeypatch.setenv("COLUMNS", "80")
    newest = next(line for line in _models(two, "list").output.splitlines() if "80,000" in line)
    assert "refused" in newest
    assert "…" not in newest


def test_versions_are_whole_where_nothing_else_has_room(
    two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    lines = [line.split() for line in _models(two, "list").output.splitlines() if line.strip()]
    newest, oldest = (line for line in lines if line[0].isdigit())
    assert (newest[0], newest[-1], oldest[0]) == ("2", "102", "1")


def test_promote_and_rollback_say_what_they_did(two: Path) -> None:
    answer = _models(two, "promote", "1")
    assert answer.exit_code == 0, answer.output
    assert "Version 1 is champion, before it was version 2." in answer.output
    assert "The serving folder serves it as" in answer.output
    assert "already" in _models(two, "promote", "1").output
    assert "Version 2 is champion" in _models(two, "rollback").output
    assert "Version 1 is champion" in _models(two, "rollback").output
    answer = _models(two, "rollback")
    assert answer.exit_code == 2
    assert "promote" in answer.output


def test_a_disagreement_is_shown_with_its_remedy(two: Path, tmp_path: Path) -> None:
    push(tmp_path / "1", Layout.of(two).serving, keep=9)
    text = " ".join(_models(two, "list").output.split())
    assert "serves version 1, but the champion is version 2" in text
    assert "`reelflow models promote 2`" in text


def test_a_folder_that_serves_without_a_champion_is_shown_with_its_remedy(two: Path) -> None:
    registry = Registry(f"sqlite:///{Layout.of(two).registry}", PIPELINE_NAME)
    registry.client.delete_registered_model_alias(PIPELINE_NAME, CHAMPION)
    text = " ".join(_models(two, "list").output.split())
    assert "serves version 2, and no version is champion. `reelflow models promote 2`" in text
    assert _models(two, "promote", "2").exit_code == 0
    assert "no version is champion" not in _models(two, "list").output


def test_show_has_metrics_configuration_and_origin(two: Path) -> None:
    output = _models(two, "show").output
    assert "Version           2" in output
    for part in ("Top-100 accuracy, unseen", "train.epochs", "dddddddd", "champion"):
        assert part in output
    facts = json.loads(_models(two, "show", "1", "--json").stdout)
    assert facts["data_hash"] == "dddddddd"
    assert facts["params"] == {"train.epochs": "0"}


def test_diff_shows_what_differs(two: Path) -> None:
    output = _models(two, "diff", "1", "champion").output
    assert "A is version 1, B is version 2" in output
    assert "train.epochs" in output
    assert "worse" in output
    assert "Data" not in output.split("Origin")[1]


def test_a_registry_that_does_not_answer(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    answer = _models(output, "list", "--registry", "http://127.0.0.1:9")
    assert answer.exit_code == 1
    assert "http://127.0.0.1:9 does not answer" in answer.output
    assert "Traceback" not in answer.output


def test_a_pinned_version_is_shown_and_unpinned(two: Path) -> None:
    answer = _models(two, "pin", "1")
    assert answer.exit_code == 0, answer.output
    assert "Version 1 is champion, before it was version 2." in answer.output
    assert "Version 1 is pinned" in answer.output
    assert "pinned" in _models(two, "list").output
    assert [one["pinned"] for one in json.loads(_models(two, "list", "--json").stdout)] == [
        False,
        True,
    ]
    assert "Version 1 is not pinned any more." in _models(two, "unpin").output
    assert "No version is pinned." in _models(two, "unpin").output


@pytest.mark.parametrize("words", [["promote", "1"], ["rollback"]])
def test_a_run_at_work_holds_no_promotion_up(two: Path, words: list[str]) -> None:
    with Layout.of(two).lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        answer = _models(two, *words)
    assert answer.exit_code == 0, answer.output
    assert "Version 1 is champion" in answer.output


def test_a_canary_from_trial_to_champion(two: Path) -> None:
    _models(two, "promote", "1")
    answer = _models(two, "canary", "2", "--share", "0.05")
    assert answer.exit_code == 0, answer.output
    assert "Version 2 is canary for 5% of the users." in answer.output
    assert "serving/reelflow/canary/" in answer.output
    listed = json.loads(_models(two, "list", "--json").stdout)
    assert {version["version"]: version["aliases"] for version in listed} == {
        1: ["champion"],
        2: ["canary"],
    }
    assert "canary" in _models(two, "list").output
    assert _models(two, "canary", "champion").exit_code == 2
    promoted = _models(two, "promote", "canary")
    assert "Version 2 is champion, before it was version 1." in promoted.output
    assert "Its trial as canary is over." in promoted.output
    assert not (Layout.of(two).serving / "canary").exists()


def test_rollback_takes_back_a_canary_before_the_champion(two: Path) -> None:
    _models(two, "promote", "1")
    _models(two, "canary", "2")
    answer = _models(two, "rollback")
    assert "Version 2 is canary no more; the champion, unchanged, has all users." in answer.output
    assert "Version 2 is champion" in _models(two, "rollback").output


def test_a_shadow_is_demoted_by_its_name(two: Path) -> None:
    _models(two, "promote", "1")
    assert "Version 2 is shadow for 10% of the users." in _models(two, "shadow", "2").output
    assert "There is no canary." in _models(two, "demote").output
    assert "Version 2 is shadow no more." in _models(two, "demote", "shadow").output
