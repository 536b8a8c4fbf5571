"""A curated schema is imported anew when its content changes, wherever it lies."""

from __future__ import annotations

from pathlib import Path

import pytest

import schemas
from components.schema.component import CuratedSchema


def test_the_content_is_part_of_the_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "ratings.pbtxt"
    monkeypatch.setattr(schemas, "path", lambda name: file)
    hashes = set()
    for text in ("", "feature {}", ""):
        file.write_text(text)
        hashes.add(CuratedSchema("ratings").exec_properties["sha256"])
    assert len(hashes) == 2
