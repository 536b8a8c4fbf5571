"""RegistryPusher on artifacts: who becomes champion, challenger, or nothing."""

from __future__ import annotations

import functools
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from tfx.types import channel, standard_artifacts
from tfx.types.artifact import Artifact

from components import artifacts
from components import registry_pusher as module
from components.registry_pusher import RegistryPusher
from reelflow.config import RegistryConfig
from reelflow.evaluation.results import Results, Summary, Verdict
from reelflow.registry.store import CHALLENGER, CHAMPION, NoAnswer, Registry
from reelflow.saved_model.files import ServingResult
from tests import registries, tiny_model
from tests.ingested import ingest_summary

pytestmark = pytest.mark.slow

KINDS = {
    "model": standard_artifacts.Model,
    "transform_graph": standard_artifacts.TransformGraph,
    "quarantine": artifacts.Quarantine,
    "evaluation": standard_artifacts.ModelEvaluation,
    "model_blessing": standard_artifacts.ModelBlessing,
    "infra_blessing": standard_artifacts.InfraBlessing,
    "pushed_model": standard_artifacts.PushedModel,
    "report": artifacts.Report,
}
CONFIG = {"train": {"epochs": 3}}
BETTER_CHAMPION = {"broken": ["rmse_against_champion"], "reasons": ["RMSE is worse."]}


@functools.cache
def _exported(seed: int) -> Path:
    """One export of each model: a second one would differ in its bytes."""
    return tiny_model.export(Path(tempfile.mkdtemp(), "model"), tiny_model.TinyModel(seed=seed))


class Run:
    """The artifacts of a run whose model has the given weights."""

    def __init__(
        self,
        folder: Path,
        seed: int,
        gate: dict[str, Any] | None = None,
        infra: bool = True,
        pushed: str | None = "100",
        variant: str | None = None,
    ) -> None:
        gate = {"broken": [], "reasons": [], **(gate or {})}
        blessed = not gate["broken"]
        self.inputs: dict[str, list[Artifact]] = {}
        for key, kind in KINDS.items():
            artifact = kind()
            artifact.uri = str(folder / key)
            Path(artifact.uri).mkdir(parents=True)
            self.inputs[key] = [artifact]
        shutil.copytree(_exported(seed), folder / "model" / "Format-Serving")
        ingest_summary(train=80, data_hash="data", format="generic").write(
            self.inputs["quarantine"][0].uri
        )
        Results(
            rows=1,
            all_rows=1,
            metrics=Summary(raw={}, unseen={"top_100": 0.5}, rmse=0.9, mae=0.7),
            champion=None,
            baselines={},
            slices=[],
            gate=Verdict(blessed=blessed, **gate),
            out_of_vocabulary={},
        ).write(folder / "evaluation")
        latency = {"median": 2.0, "p95": 3.0}
        check = ServingResult(reasons=() if infra else ("too slow",), latency_ms=latency)
        check.write(folder / "infra_blessing")
        (folder / "report" / "report.html").write_text("page")
        self._set("model_blessing", "blessed", int(blessed))
        self._set("infra_blessing", "blessed", int(infra))
        was_pushed = blessed and infra and pushed is not None
        self._set("pushed_model", "pushed", int(was_pushed))
        if variant:
            self._set("pushed_model", "pushed", 0)
            self.inputs["pushed_model"][0].set_string_custom_property("variant", variant)
            self.inputs["pushed_model"][0].set_float_custom_property("share", 0.25)
        if was_pushed:
            self.inputs["pushed_model"][0].set_string_custom_property("pushed_version", pushed)
        self._folder = folder

    def register(self, registrar: Registry) -> dict[str, Any]:
        """Run the executor; gives `registration.json`."""
        channels = {key: channel.Channel(type=kind) for key, kind in KINDS.items()}
        node = RegistryPusher(
            **channels,
            registry=RegistryConfig(uri=registrar.uri, name=registrar.name),
            file="unused",
            config=CONFIG,
            code="code",
        )
        output = artifacts.Registration()
        output.uri = str(self._folder / "registration")
        Path(output.uri).mkdir(exist_ok=True)
        module.Executor().Do(
            self.inputs, {module.REGISTRATION: [output]}, dict(node.exec_properties)
        )
        said: dict[str, Any] = json.loads(Path(output.uri, "registration.json").read_text())
        assert output.get_int_custom_property("version") == said.get("version", 0)
        return said

    def _set(self, key: str, name: str, value: int) -> None:
        self.inputs[key][0].set_int_custom_property(name, value)


@pytest.fixture(autouse=True)
def vocabulary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two vocabularies without a Transform graph around them."""

    class Graph:
        def __init__(self, folder: str) -> None:
            pass

        def vocabulary_file_by_name(self, name: str) -> str:
            file = tmp_path / name
            file.write_text(name)
            return str(file)

    monkeypatch.setattr(module.tft, "TFTransformOutput", Graph)


@pytest.fixture
def registrar(tmp_path: Path) -> Registry:
    return registries.registrar(tmp_path / "registry")


def test_a_pushed_model_is_champion_and_all_is_known_of_it(
    registrar: Registry, tmp_path: Path
) -> None:
    said = Run(tmp_path / "run", 0).register(registrar)
    assert (said["alias"], said["version"], said["name"]) == ("champion", 1, "movies")
    assert registrar.aliases() == {CHAMPION: 1}
    version = registrar.version(1)
    assert version.model_hash == said["model_hash"]
    for key in ("data_hash", "user_vocabulary_hash", "movie_vocabulary_hash", "code_hash"):
        assert version.tags[f"reelflow.{key}"]
    users, movies = (version.tags[f"reelflow.{k}_vocabulary_hash"] for k in ("user", "movie"))
    assert users != movies
    known = registrar.facts(version)
    assert known.metrics == {
        "unseen/top_100": 0.5,
        "rmse": 0.9,
        "mae": 0.7,
        "latency_ms": 2.0,
    }
    assert known.params == {"train.epochs": "3"}
    files = {info.path for info in registrar.client.list_artifacts(version.run_id)}
    assert files == {"model", "report.html", "config.json"}


def test_the_same_model_is_registered_once(registrar: Registry, tmp_path: Path) -> None:
    run = Run(tmp_path / "run", 0)
    assert run.register(registrar) == run.register(registrar)
    assert len(registrar.versions()) == 1


def test_a_rollback_outlives_another_look_at_the_same_push(
    registrar: Registry, tmp_path: Path
) -> None:
    first, second = Run(tmp_path / "1", 0), Run(tmp_path / "2", 1, pushed="101")
    first.register(registrar)
    second.register(registrar)
    registrar.step_back()
    second.register(registrar)
    assert registrar.aliases()[CHAMPION] == 1
    again = Run(tmp_path / "3", 1, pushed="102")
    again.register(registrar)
    assert registrar.aliases()[CHAMPION] == 2
    assert len(registrar.versions()) == 2


def test_a_canary_gets_its_alias_and_share_once(registrar: Registry, tmp_path: Path) -> None:
    Run(tmp_path / "1", 0).register(registrar)
    canary = Run(tmp_path / "2", 1, pushed="101", variant="canary")
    assert canary.register(registrar)["alias"] == "canary"
    assert registrar.aliases() == {CHAMPION: 1, "canary": 2}
    assert registrar.version(2).tags["reelflow.share"] == "0.25"
    registrar.client.delete_registered_model_alias(registrar.name, "canary")
    canary.register(registrar)  # a demotion outlives another look at the same push
    assert registrar.aliases() == {CHAMPION: 1}
    Run(tmp_path / "3", 1, pushed="102", variant="canary").register(registrar)
    assert registrar.aliases() == {CHAMPION: 1, "canary": 2}


def test_what_broke_off_before_the_alias_is_completed(
    registrar: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Registry, number: int) -> None:
        raise NoAnswer("The model registry does not answer: gone.", "Name it.")

    run = Run(tmp_path / "run", 0)
    with monkeypatch.context() as patch:
        patch.setattr(Registry, "promote", fail)
        with pytest.raises(
            NoAnswer, match=r"gone\. The serving folder has .* version 100"
        ) as error:
            run.register(registrar)
    assert "Run again" in error.value.remedy
    assert registrar.aliases() == {}
    run.register(registrar)
    assert registrar.aliases() == {CHAMPION: 1}
    assert len(registrar.versions()) == 1


def test_who_loses_to_the_champion_alone_is_challenger(registrar: Registry, tmp_path: Path) -> None:
    Run(tmp_path / "1", 0).register(registrar)
    said = Run(tmp_path / "2", 1, BETTER_CHAMPION).register(registrar)
    assert (said["alias"], said["version"]) == ("challenger", 2)
    assert registrar.aliases() == {CHAMPION: 1, CHALLENGER: 2}
    assert registrar.version(2).tags["reelflow.blessed"] == "false"
    assert registrar.version(2).tags["reelflow.reasons"] == "RMSE is worse."


@pytest.mark.parametrize(
    "refused",
    [
        {"gate": {"broken": ["rmse"], "reasons": ["RMSE is 2."]}},
        {"gate": {**BETTER_CHAMPION, "broken": ["rmse_against_champion", "rmse"]}},
        {"gate": BETTER_CHAMPION, "infra": False},
        {"infra": False},
    ],
    ids=str,
)
def test_nobody_else_is_registered(
    registrar: Registry, tmp_path: Path, refused: dict[str, Any]
) -> None:
    said = Run(tmp_path / "run", 0, **refused).register(registrar)
    assert said["alias"] is None
    assert registrar.versions() == []


def test_who_passed_and_was_not_pushed_waits_as_challenger(
    registrar: Registry, tmp_path: Path
) -> None:
    said = Run(tmp_path / "run", 0, pushed=None).register(registrar)
    assert said["alias"] == "challenger"
    assert registrar.aliases() == {CHALLENGER: 1}
    assert registrar.version(1).tags["reelflow.blessed"] == "true"


def test_a_refused_champion_stays_champion_and_is_no_challenger(
    registrar: Registry, tmp_path: Path
) -> None:
    Run(tmp_path / "1", 0).register(registrar)
    Run(tmp_path / "2", 0, BETTER_CHAMPION).register(registrar)
    assert registrar.aliases() == {CHAMPION: 1}
    assert [version.tags["reelflow.blessed"] for version in registrar.versions()] == ["true"]
