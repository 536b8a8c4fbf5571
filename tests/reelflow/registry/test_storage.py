"""Copies of a model that take no further room."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reelflow.registry.storage import copy_model, local_path, share_files


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables/index").write_bytes(b"weights")
    return folder


def _without_links(source: object, target: object) -> None:
    raise OSError("no links here")


@pytest.mark.parametrize("links", [True, False])
def test_a_copy_has_the_same_files(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", _without_links)
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy/saved_model.pb").write_bytes(b"of a push that was killed")
    copy_model(model, tmp_path / "copy")
    for path in (model / "saved_model.pb", model / "variables/index"):
        twin = tmp_path / "copy" / path.relative_to(model)
        assert twin.read_bytes() == path.read_bytes()
        assert twin.samefile(path) is links


def test_only_equal_files_are_shared(model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    (copy / "variables").mkdir(parents=True)
    (copy / "saved_model.pb").write_bytes(b"graph")
    (copy / "variables/index").write_bytes(b"WEIGHTS")
    (copy / "MLmodel").touch()
    share_files(model, copy)
    assert (copy / "saved_model.pb").samefile(model / "saved_model.pb")
    assert (copy / "variables/index").read_bytes() == b"WEIGHTS"
    assert sorted(path.name for path in copy.iterdir()) == [
        "MLmodel",
        "saved_model.pb",
        "variables",
    ]


def test_without_links_the_copies_stay(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_model(model, tmp_path / "one")
    (tmp_path / "one/saved_model.pb").unlink()
    (tmp_path / "one/saved_model.pb").write_bytes(b"graph")
    monkeypatch.setattr(os, "link", _without_links)
    share_files(model, tmp_path / "one")
    assert (tmp_path / "one/saved_model.pb").read_bytes() == b"graph"


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a/b%20c", Path("/a/b c")),
        ("/a/b", Path("/a/b")),
        ("mlflow-artifacts:/1/a", None),
        ("s3://bucket/a", None),
    ],
)
def test_local_uris_have_a_path(uri: str, path: Path | None) -> None:
    assert local_path(uri) == path
