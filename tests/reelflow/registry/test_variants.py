"""Canary and shadow: beside the champion, in folder and registry, until promoted or demoted."""

from __future__ import annotations

from pathlib import Path

import pytest

from reelflow.base.common import content_hash
from reelflow.base.errors import BadInput
from reelflow.config import PushConfig
from reelflow.registry.models import Models
from reelflow.registry.push import push, versions
from reelflow.registry.store import VARIANTS
from reelflow.registry.variants import is_of_share, on_trial, place
from tests import registries


@pytest.fixture
def models(tmp_path: Path) -> Models:
    """Versions 1, 2 and 3; the first is champion and serves."""
    registrar = registries.registrar(tmp_path / "registry")
    serving = tmp_path / "serving"
    for number in (1, 2, 3):
        model = tmp_path / f"model-{number}"
        model.mkdir()
        (model / "saved_model.pb").write_text(str(number))
        registries.register(registrar, model, content_hash(model))
    registrar.promote(1)
    push(tmp_path / "model-1", serving, keep=3, now=100)
    return Models(registrar, serving, PushConfig(keep=3))


def _content(found: tuple[Path, float] | None) -> tuple[str, float]:
    assert found is not None
    return (found[0] / "saved_model.pb").read_text(), found[1]


def _served(models: Models) -> str:
    return (models.serving / str(versions(models.serving)[-1]) / "saved_model.pb").read_text()


def test_shares_of_users_are_what_they_say_and_grow_by_users_joining() -> None:
    users = [str(number) for number in range(4_000)]
    small = {user for user in users if is_of_share(user, 0.1)}
    large = {user for user in users if is_of_share(user, 0.5)}
    assert small < large
    assert 320 < len(small) < 480
    assert 1_850 < len(large) < 2_150
    assert not any(is_of_share(user, 0) for user in users)
    assert all(is_of_share(user, 1) for user in users)
    assert is_of_share("7", 0.1) == is_of_share("7", 0.1)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_trial_leaves_the_champion_alone(models: Models, variant: str) -> None:
    placed = models.try_out("2", variant, 0.2)
    assert placed is not None
    assert _content(on_trial(models.serving, variant)) == ("2", 0.2)
    assert int(placed.name) > 100
    assert (_served(models), models.disagreement()) == ("1", None)
    assert models.registry.aliases() == {"champion": 1, variant: 2}
    assert models.registry.version(2).tags["reelflow.share"] == "0.2"
    # Another share is the same version; another version takes its place.
    assert models.try_out(variant, variant, 0.5) == placed
    assert _content(on_trial(models.serving, variant)) == ("2", 0.5)
    models.try_out("3", variant, 0.5)
    assert _content(on_trial(models.serving, variant)) == ("3", 0.5)
    assert models.registry.aliases() == {"champion": 1, variant: 3}
    assert models.demote(variant) == 3
    assert on_trial(models.serving, variant) is None
    assert models.registry.aliases() == {"champion": 1}
    assert [version.number for version in models.registry.versions()] == [1, 2, 3]
    assert models.demote(variant) is None


def test_promoting_a_canary_ends_its_trial(models: Models) -> None:
    models.try_out("2", "canary", 0.1)
    models.try_out("3", "shadow", 1.0)
    promotion = models.promote("canary")
    assert (promotion.before, promotion.version.number, promotion.ended) == (1, 2, ("canary",))
    assert _served(models) == "2"
    assert on_trial(models.serving, "canary") is None
    assert models.registry.aliases() == {"champion": 2, "shadow": 3}
    assert models.promote("1").ended == ()
    assert _content(on_trial(models.serving, "shadow")) == ("3", 1.0)


def test_who_may_not_be_tried(models: Models) -> None:
    with pytest.raises(BadInput, match="is the champion"):
        models.try_out("1", "canary", 0.1)
    registries.register(models.registry, models.serving, "refused", blessed=False)
    with pytest.raises(BadInput, match="refused by the gate"):
        models.try_out("4", "canary", 0.1)
    assert not (models.serving / "canary").exists()


def test_without_a_serving_folder_the_registry_alone_says_it(
    models: Models, tmp_path: Path
) -> None:
    elsewhere = Models(models.registry, tmp_path / "nothing", PushConfig())
    assert elsewhere.try_out("2", "canary", 0.3) is None
    assert not (tmp_path / "nothing").exists()
    assert elsewhere.demote("canary") == 2


def test_a_version_on_trial_has_a_number_of_its_own_and_the_rights_of_a_push(
    models: Models, tmp_path: Path
) -> None:
    push(tmp_path / "model-2", models.serving, keep=3, now=99_999_999_999)
    folder = place(tmp_path / "model-3", models.serving, "canary", 0.1, "all")
    assert int(folder.name) > 99_999_999_999
    parts = (folder.parent, folder.parent / "share.json", folder / "saved_model.pb")
    assert [part.stat().st_mode & 0o777 for part in parts] == [0o755, 0o644, 0o644]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"share": "x"}'])
def test_a_trial_without_a_share_is_none(models: Models, content: str) -> None:
    models.try_out("2", "canary", 0.1)
    (models.serving / "canary/share.json").write_text(content)
    assert on_trial(models.serving, "canary") is None
