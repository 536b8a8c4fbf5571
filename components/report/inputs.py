"""What a report is made from: the artifacts of a run, read once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.transform.encoded import EncodedData

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Inputs:
    """The artifacts' contents, as docs/architecture.md describes them."""

    quarantine: Json
    """`report.json` of the quarantine."""
    sample_rates: Mapping[str, float]
    """Split to the share of its rows that the statistics looked at, 0 to 1."""
    anomalies: Sequence[str]
    """What ExampleValidator found, in words."""
    data: EncodedData
    users: Sequence[str]
    """The user vocabulary, in order."""
    model: Path
    """Folder of the SavedModel."""
    about: Json
    """`model.json`."""
    evaluation: Json
    """`metrics.json`."""
    serving_check: Json
    """`reasons.json` of ServingCheck."""
    blessed: bool
    """Whether the gate let the model pass."""
    pushed: bool
    version: str
    """The pushed version's number, or nothing."""
    trials: Json | None = None
    """`trials.json` of the Tuner, if it ran."""
    drift: Json = field(default_factory=dict)
    """`drift.json` of SpanDrift; empty without spans."""
    artifacts: Mapping[str, str] = field(default_factory=dict)
    """Name to URI of what the report was made from."""


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object, empty if there is no such file."""
    if not path.is_file():
        return {}
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded
