"""Versioned folders: whole or not at all, growing, bounded."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from reelflow.registry import push as push_module
from reelflow.registry.push import push as push_same
from reelflow.registry.push import versions


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "Format-Serving"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables/variables.index").write_bytes(b"weights")
    return folder


def push(model: Path, base: Path, *, keep: int, now: int = 0) -> Path:
    """Push another model each time."""
    weights = model / "variables/variables.index"
    if weights.is_file():
        content = weights.read_bytes() + b"+"
        weights.unlink()  # the pushed version has the same file
        weights.write_bytes(content)
    return push_same(model, base, keep=keep, now=now)


def _names(base: Path) -> list[str]:
    return sorted(entry.name for entry in base.iterdir())


def test_the_version_is_a_copy_and_nothing_else_stays(model: Path, tmp_path: Path) -> None:
    version = push_same(model, tmp_path / "serving/reelflow", keep=3, now=1_000)
    assert version == tmp_path / "serving/reelflow/1000"
    assert (version / "variables/variables.index").read_bytes() == b"weights"
    assert _names(version.parent) == ["1000"]
    assert version.stat().st_mode == model.stat().st_mode


def test_versions_grow_even_when_the_clock_goes_back(model: Path, tmp_path: Path) -> None:
    pushed = [push(model, tmp_path / "s", keep=9, now=now).name for now in (50, 50, 20, 60)]
    assert pushed == ["50", "51", "52", "60"]


def test_only_the_newest_are_kept(model: Path, tmp_path: Path) -> None:
    base = tmp_path / "s"
    for now in (1, 2, 9, 10):
        push(model, base, keep=2, now=now)
    assert versions(base) == [9, 10]
    assert _names(base) == ["10", "9"]


def test_the_newest_is_always_kept(model: Path, tmp_path: Path) -> None:
    push(model, tmp_path / "s", keep=1, now=1)
    push(model, tmp_path / "s", keep=1, now=2)
    assert versions(tmp_path / "s") == [2]
    with pytest.raises(ValueError, match="at least 1"):
        push(model, tmp_path / "s", keep=0)


def test_what_is_no_version_is_left_alone(model: Path, tmp_path: Path) -> None:
    base = tmp_path / "s"
    (base / "notes").mkdir(parents=True)
    push(model, base, keep=1, now=1)
    push(model, base, keep=1, now=2)
    assert _names(base) == ["2", "notes"]


def test_the_same_model_is_not_pushed_twice(model: Path, tmp_path: Path) -> None:
    """As after a kill between the push and its record."""
    base = tmp_path / "s"
    assert push_same(model, base, keep=3, now=1) == base / "1"
    assert push_same(model, base, keep=3, now=2) == base / "1"
    push(model, base, keep=3, now=3)
    shutil.copytree(base / "1", tmp_path / "before")
    # Back to an earlier model: a new version, since servers take the highest number.
    assert push_same(tmp_path / "before", base, keep=3, now=4) == base / "4"


def test_a_pushed_model_takes_no_further_room(model: Path, tmp_path: Path) -> None:
    version = push_same(model, tmp_path / "s", keep=1, now=1)
    for path in model.rglob("*"):
        if path.is_file():
            assert path.samefile(version / path.relative_to(model))


@pytest.mark.parametrize("step", ["copytree", "fsync", "rename"])
def test_a_failure_half_way_leaves_no_version(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    push(model, tmp_path / "s", keep=1, now=1)
    monkeypatch.setattr(shutil if step == "copytree" else os, step, fail)
    with pytest.raises(OSError, match="disk full"):
        push(model, tmp_path / "s", keep=1, now=2)
    assert _names(tmp_path / "s") == ["1"]


def test_what_a_killed_push_left_is_hidden_and_removed_later(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = tmp_path / "s/.incoming-abc"
    left.mkdir(parents=True)
    push(model, tmp_path / "s", keep=1, now=1)
    assert left.exists()  # it may be another push at work
    monkeypatch.setattr(push_module, "_ABANDONED_SECONDS", -1)
    push(model, tmp_path / "s", keep=1, now=2)
    assert _names(tmp_path / "s") == ["2"]


def test_a_number_taken_meanwhile_is_passed_over(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tmp_path / "s"
    rename = os.rename

    def taken(source: Path, target: Path) -> None:
        monkeypatch.setattr(os, "rename", rename)
        shutil.copytree(source, target)
        rename(source, target)

    monkeypatch.setattr(os, "rename", taken)
    assert push(model, base, keep=2, now=5).name == "6"
    assert versions(base) == [5, 6]


def test_only_a_model_is_pushed(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"saved_model\.pb"):
        push(tmp_path / "empty", tmp_path / "s", keep=1)
    assert versions(tmp_path / "s") == []


@pytest.mark.parametrize(
    ("readers", "file", "folder"),
    [("owner", 0o600, 0o700), ("group", 0o640, 0o750), ("all", 0o644, 0o755)],
)
def test_a_version_is_read_by_its_owner_alone_or_as_push_readers_says(
    model: Path, tmp_path: Path, readers: push_module.Readers, file: int, folder: int
) -> None:
    version = push_same(model, tmp_path / "serving/reelflow", keep=1, readers=readers)
    modes = {path.stat().st_mode & 0o777 for path in version.rglob("*") if path.is_file()}
    folders = {version.stat().st_mode & 0o777, version.parent.stat().st_mode & 0o777}
    folders |= {path.stat().st_mode & 0o777 for path in version.rglob("*") if path.is_dir()}
    assert (modes, folders) == ({file}, {folder})


def test_a_serving_folder_that_is_there_keeps_its_rights_and_gives_its_group(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = set[int]()
    monkeypatch.setattr(os, "chown", lambda path, user, group: given.add(group))
    base = tmp_path / "serving"
    base.mkdir(mode=0o775)
    base.chmod(0o775)
    push_same(model, base, keep=1, readers="group")
    assert base.stat().st_mode & 0o777 == 0o775
    assert given == {base.stat().st_gid}
