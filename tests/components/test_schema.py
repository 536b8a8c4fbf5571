"""A curated schema is imported anew when its content changes, wherever it lies."""

from __future__ import annotations

from pathlib import Path

from tfx.types.standard_artifacts import Schema

from components.schema import CuratedSchema
from reelflow.data.schema import curated_schema


def test_the_content_is_part_of_the_node() -> None:
    texts = {CuratedSchema(text=t).exec_properties["text"] for t in ("", "feature {}", "")}
    assert len(texts) == 2


def test_the_artifact_is_the_file(tmp_path: Path) -> None:
    file = curated_schema("ratings")
    artifact = Schema()
    artifact.uri = str(tmp_path)
    CuratedSchema.test_call(text=file.read_text(), schema=artifact)
    assert (tmp_path / "schema.pbtxt").read_bytes() == file.read_bytes()
