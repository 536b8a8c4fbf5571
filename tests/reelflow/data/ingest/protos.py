"""The schemas as protos, and runs of the executor without a pipeline around it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.artifact import Artifact

from components.artifacts import Drift, Quarantine
from components.span_drift import SpanDrift
from reelflow.config import DataConfig, SplitConfig
from reelflow.data.ingest.drift import read_subset, statistics
from reelflow.data.schema import curated_schema
from reelflow.data.spans import Window
from tests.ingested import ingest_summary


def schema(name: str) -> schema_pb2.Schema:
    """One of `schemas/`."""
    text: str = curated_schema(name).read_text()
    return text_format.Parse(text, schema_pb2.Schema())


def execute(out: Path, window: Window) -> dict[str, Any]:
    """`drift.json` of a window; what is trained on is its first span."""
    artifacts: dict[str, Artifact] = {}
    for key, kind in (
        ("quarantine", Quarantine),
        ("statistics", standard_artifacts.ExampleStatistics),
        ("ratings_schema", standard_artifacts.Schema),
        ("movies_schema", standard_artifacts.Schema),
        ("drift", Drift),
    ):
        artifacts[key] = kind()
        artifacts[key].uri = str(out / key)
        (out / key).mkdir(parents=True)
    ingest_summary(window=window).write(out / "quarantine")
    trained = artifacts["statistics"]
    trained.split_names = artifact_utils.encode_split_names(["train"])
    (out / "statistics" / "Split-train").mkdir()
    rows = read_subset(window.spans[0], window, DataConfig(), SplitConfig())
    stats = statistics(rows).SerializeToString()
    (out / "statistics" / "Split-train" / "FeatureStats.pb").write_bytes(stats)
    for name in ("ratings", "movies"):
        text = curated_schema(name).read_text()
        (out / f"{name}_schema" / "schema.pbtxt").write_text(text)
    sections = {
        "data": DataConfig().model_dump_json(),
        "split": SplitConfig().model_dump_json(),
    }
    SpanDrift.test_call(**artifacts, **sections)
    found: dict[str, Any] = json.loads((out / "drift" / "drift.json").read_text())
    return found
