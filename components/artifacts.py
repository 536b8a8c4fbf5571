"""Artifact types that TFX does not have, and readers of what artifacts hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Final

import pyarrow as pa
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact, Property, PropertyType
from tfx.utils import path_utils

from reelflow.data.parquet import open_own

BATCH_ROWS: Final = 1 << 18


class Quarantine(Artifact):
    """ExampleGen's `report.json` (counts) and `quarantine.tsv` (the damaged rows)."""

    TYPE_NAME = "ReelflowQuarantine"
    PROPERTIES: ClassVar = {"rows": Property(type=PropertyType.INT)}


class Report(Artifact):
    """`report.html`, and the model card as `model_card.md` and `model_card.html`."""

    TYPE_NAME = "ReelflowReport"


class DataBlessing(Artifact):
    """DataGate's `blessing.json`: the data may be learned from."""

    TYPE_NAME = "ReelflowDataBlessing"


class Registration(Artifact):
    """`registration.json`: the model's version in the registry, and its alias there."""

    TYPE_NAME = "ReelflowRegistration"


class Drift(Artifact):
    """SpanDrift's `drift.json`: how far the newest span is from the one before it."""

    TYPE_NAME = "ReelflowDrift"


def saved_model(model: Artifact) -> Path:
    """Return the folder of a Model's SavedModel."""
    return Path(path_utils.serving_model_path(model.uri))


def is_blessed(blessing: Artifact) -> bool:
    """Return True if a ModelBlessing or an InfraBlessing says yes."""
    return bool(blessing.get_int_custom_property("blessed") == 1)


def record_batches(
    examples: Artifact, split: str, rows: int = BATCH_ROWS
) -> Iterator[pa.RecordBatch]:
    """Read a Parquet split in the order of its files, at most `rows` at a time."""
    for path in parquet_files(examples, split):
        with open_own(path) as file:
            yield from file.iter_batches(rows)


def parquet_files(examples: Artifact, split: str) -> list[Path]:
    """Return the files of a Parquet split, in order."""
    return sorted(Path(artifact_utils.get_split_uri([examples], split)).glob("*.parquet"))
