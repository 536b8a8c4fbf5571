"""A copy of a model is known to be whole, or not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from reelflow.saved_model.manifest import MANIFEST, Manifest, find_damage


@pytest.fixture
def model(exported: Path, tmp_path: Path) -> Path:
    return shutil.copytree(exported, tmp_path / "model")


def test_a_copy_is_whole(model: Path) -> None:
    assert find_damage(model, by_content=True) is None
    listed = Manifest.model_validate_json((model / MANIFEST).read_bytes()).files
    here = {p.relative_to(model).as_posix() for p in model.rglob("*") if p.is_file()}
    assert set(listed) == here - {MANIFEST}


def test_every_missing_file_is_noticed(model: Path) -> None:
    for path in [p for p in model.rglob("*") if p.is_file() and p != model / MANIFEST]:
        content = path.read_bytes()
        path.unlink()
        assert path.name in (find_damage(model) or "")
        path.write_bytes(content[:-1])
        damage = find_damage(model) or ""
        assert f"{len(content) - 1:,} of {len(content):,} bytes" in damage
        path.write_bytes(content)
    assert find_damage(model) is None


def test_other_content_of_the_same_size_is_noticed_by_reading(model: Path) -> None:
    path = next((model / "variables").iterdir())
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content)
    assert find_damage(model) is None
    assert "other content" in (find_damage(model, by_content=True) or "")


def test_a_manifest_that_is_cut_short_is_damage(model: Path) -> None:
    (model / MANIFEST).write_bytes((model / MANIFEST).read_bytes()[:100])
    assert "cut short" in (find_damage(model) or "")


def test_a_model_of_before_has_no_manifest(model: Path) -> None:
    (model / MANIFEST).unlink()
    assert find_damage(model, by_content=True) is None
