"""A curated schema is imported anew when its content changes, wherever it lies."""

from __future__ import annotations

from pathlib import Path

from components.schema import CuratedSchema


def test_the_content_is_part_of_the_node(tmp_path: Path) -> None:
    file = tmp_path / "ratings.pbtxt"
    hashes = set()
    for text in ("", "feature {}", ""):
        file.write_text(text)
        hashes.add(CuratedSchema(file).exec_properties["sha256"])
    assert len(hashes) == 2
