"""The walks of docs/runbook.md, typed as they stand there."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from reelflow.base.common import content_hash
from reelflow.config.layout import PIPELINE_NAME, Layout
from reelflow.registry.push import versions
from reelflow.registry.store import CHAMPION, Registry
from tests import registries
from tests.command import ROOT, reelflow

TEXT = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """An output folder with two versions, of which the second serves."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    layout = Layout.of(tmp_path / "output")
    registries.two_versions(layout, tmp_path)
    (layout.artifacts / "Trainer" / "model" / "1").mkdir(parents=True)
    layout.runs.mkdir()
    return layout


@pytest.fixture
def walk(layout: Layout) -> Callable[[str], str]:
    """Type the commands of a section, and return what they print."""

    def typed(heading: str) -> str:
        section = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
        blocks = re.findall(r"^ *```\n(.*?)^ *```$", section, re.M | re.S)
        lines = [line.strip() for block in blocks for line in block.splitlines()]
        assert lines
        said = []
        for line in lines:
            words = shlex.split(line.replace("$OUTPUT", str(layout.output)))
            if words[0] == "reelflow":
                ended = reelflow(*words[1:])
                assert ended.code == 0, f"{line}: {ended.output}"
                said.append(ended.stdout)
            else:
                text = line.replace("$OUTPUT", str(layout.output))
                done = subprocess.run(text, shell=True, capture_output=True, text=True, check=False)
                assert done.returncode == 0, f"{line}: {done.stderr}"
                said.append(done.stdout)
        return "".join(said)

    return typed


def champion(layout: Layout) -> int:
    version = Registry(f"sqlite:///{layout.registry}", PIPELINE_NAME).by_alias(CHAMPION)
    assert version is not None
    served = layout.serving / str(versions(layout.serving)[-1])
    assert content_hash(served) == version.model_hash
    return version.number


def test_roll_back_now(layout: Layout, walk: Callable[[str], str]) -> None:
    said = walk("Roll back now")
    assert "Version 1 is champion" in said
    assert champion(layout) == 1


def test_the_champion_is_gone(layout: Layout, walk: Callable[[str], str]) -> None:
    shutil.rmtree(layout.serving)
    layout.serving.mkdir()
    walk("The champion is gone")
    assert champion(layout) == 2


def test_the_disk_is_full(layout: Layout, walk: Callable[[str], str]) -> None:
    from ml_metadata.metadata_store import metadata_store
    from ml_metadata.proto import metadata_store_pb2

    database = metadata_store_pb2.ConnectionConfig()
    database.sqlite.filename_uri = str(layout.metadata)
    database.sqlite.connection_mode = 3  # made if missing
    metadata_store.MetadataStore(database)
    walk("The disk is full")
    assert not layout.artifacts.exists()
    assert not layout.metadata.exists()
    assert champion(layout) == 2


def test_every_walk_and_alarm_is_linked() -> None:
    anchors = {re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-")
               for head in re.findall(r"^## (.+)$", TEXT, re.M)}  # fmt: skip
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= anchors
