"""Moving the champion: registry and serving folder together, or neither."""

from __future__ import annotations

from pathlib import Path

import pytest

from reelflow.base.common import content_hash
from reelflow.base.errors import BadInput
from reelflow.config import PushConfig
from reelflow.config.layout import Layout
from reelflow.registry.models import Models
from reelflow.registry.push import push, versions
from reelflow.registry.store import NoAnswer, Registry
from tests import registries


class World:
    """A registry with models `0`, `1`, ... as versions 1, 2, ..., the last one pushed."""

    def __init__(self, folder: Path, count: int) -> None:
        self.registrar = registries.registrar(folder / "registry")
        self.serving = folder / "serving"
        self.models = Models(self.registrar, self.serving, PushConfig(keep=3))
        self.folder = folder
        for number in range(count):
            model = self.model(number)
            registries.register(self.registrar, model, content_hash(model))
            self.registrar.promote(number + 1)
            push(model, self.serving, keep=3, now=100 + number)

    def model(self, number: int) -> Path:
        """A folder that stands for a SavedModel."""
        folder = self.folder / f"model-{number}"
        folder.mkdir(exist_ok=True)
        (folder / "saved_model.pb").write_text(str(number))
        return folder

    @property
    def served(self) -> str:
        """Content of the model that the serving folder serves."""
        newest = versions(self.serving)[-1]
        return (self.serving / str(newest) / "saved_model.pb").read_text()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, 3)


def test_an_earlier_version_comes_back_as_the_newest(world: World) -> None:
    moved = world.models.promote("1")
    assert (moved.before, moved.version.number) == (3, 1)
    assert moved.pushed is not None
    assert int(moved.pushed.name) > 102
    assert world.served == "0"
    assert world.registrar.aliases()["champion"] == 1
    assert len(versions(world.serving)) == 3
    assert world.models.disagreement() is None


def test_rolling_back_goes_one_further_each_time(world: World) -> None:
    for content in ("1", "0"):
        world.models.rollback()
        assert world.served == content
    with pytest.raises(BadInput, match="no other champion"):
        world.models.rollback()
    assert world.served == "0"


def test_the_champion_again_changes_nothing(world: World) -> None:
    before = versions(world.serving)
    moved = world.models.promote("champion")
    assert moved.pushed is None
    assert versions(world.serving) == before
    assert world.registrar.champions() == [1, 2, 3]


def test_promoting_the_champion_mends_the_serving_folder(world: World) -> None:
    push(world.model(7), world.serving, keep=3)
    wrong = world.models.disagreement()
    assert wrong is not None
    assert "a model that is not registered" in wrong
    assert "`reelflow models promote 3`" in wrong
    world.models.promote("3")
    assert world.served == "2"
    assert world.models.disagreement() is None


def test_without_a_serving_folder_only_the_registry_changes(tmp_path: Path) -> None:
    world = World(tmp_path, 2)
    elsewhere = Models(world.registrar, tmp_path / "nothing", PushConfig(keep=3))
    moved = elsewhere.promote("1")
    assert moved.pushed is None
    assert world.registrar.aliases()["champion"] == 1
    assert not (tmp_path / "nothing").exists()
    assert elsewhere.disagreement() is None


def test_what_the_gate_refused_is_not_promoted(world: World) -> None:
    registries.register(world.registrar, world.model(8), "refused", blessed=False)
    with pytest.raises(BadInput, match="above the bound"):
        world.models.promote("4")
    world.registrar.client.create_model_version(world.registrar.name, str(world.model(9)))
    with pytest.raises(BadInput, match="no gate has seen it"):
        world.models.promote("5")
    assert world.served == "2"
    assert world.registrar.champions() == [1, 2, 3]


def test_if_the_alias_cannot_be_moved_the_folder_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Registry, alias: str, number: int) -> None:
        raise NoAnswer("The model registry does not answer: gone.", "Name it.")

    monkeypatch.setattr(Registry, "set_alias", fail)
    before = versions(world.serving)
    for move in (lambda: world.models.promote("1"), world.models.rollback):
        with pytest.raises(NoAnswer, match=r"gone\. Nothing was changed"):
            move()
        assert versions(world.serving)[-1] == before[-1]
        assert world.served == "2"
        assert world.registrar.champions() == [1, 2, 3]


def test_a_damaged_copy_is_not_served(world: World) -> None:
    kept = (world.folder / "registry" / "artifacts").rglob("saved_model.pb")
    [first] = [file for file in kept if file.read_text() == "0"]
    first.write_text("damaged")
    with pytest.raises(BadInput, match="damaged"):
        world.models.promote("1")
    assert world.served == "2"
    assert world.registrar.champions() == [1, 2, 3]


@pytest.mark.parametrize("name", ["7", "challenger", "newest"])
def test_an_unknown_version_is_answered_with_the_known_ones(world: World, name: str) -> None:
    with pytest.raises(BadInput, match=f"no version {name}; there are 1, 2, 3"):
        world.models.find(name)


def test_an_output_folder_names_its_own_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    layout = Layout.of(tmp_path)
    models = Models.of(layout)
    assert models.location == f"sqlite:///{tmp_path}/registry/mlflow.db"
    assert models.serving == layout.serving
    with pytest.raises(BadInput, match="No models are registered as reelflow"):
        models.find("champion")

    layout.run("r1").path.mkdir(parents=True)
    text = '[registry]\nuri = "http://server"\nname = "movies"\n[push]\ndirectory = "/elsewhere"\n'
    layout.run("r1").config.write_text(text)
    layout.point_latest_to("r1")
    models = Models.of(layout)
    assert (models.location, models.registry.name) == ("http://server", "movies")
    assert models.serving == Path("/elsewhere")
    assert Models.of(layout, "http://other").location == "http://other"
