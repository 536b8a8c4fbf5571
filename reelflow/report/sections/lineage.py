"""The origin of a model, and the run that made it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reelflow.base.common import format_duration
from reelflow.data.ingest.results import IngestSummary
from reelflow.report.blocks import Block, Code, Figure, Section, Table
from reelflow.report.charts.bars import Bars
from reelflow.report.words import count
from reelflow.saved_model.files import ModelInfo


@dataclass(frozen=True)
class RunFacts:
    """Facts of a run that are known at its end only."""

    run_id: str
    finished: str
    """ISO 8601."""
    seconds: Mapping[str, float]
    """Of each component."""
    cached: Sequence[str]
    """Components whose outputs came from the cache."""
    versions: Mapping[str, str | None]
    """Version of each distribution; None if it is not installed."""
    config_hash: str
    config: str
    """The effective configuration as TOML."""


def lineage_section(
    ingested: IngestSummary, info: ModelInfo, artifacts: Mapping[str, str]
) -> Section:
    """Show data, artifacts and settings that the model was made from.

    Args:
        ingested: counts and origin of the data.
        info: `model.json`.
        artifacts: URI of each artifact by its name.
    """
    rows = [
        ("Data (SHA-256)", ingested.data_hash),
        ("Source format", ingested.format),
        *([("Spans", ", ".join(ingested.spans))] if ingested.spans else []),
        ("Ratings files", ", ".join(ingested.files)),
        *((f"Artifact {name}", uri) for name, uri in artifacts.items()),
    ]
    settings = info.model_dump(include={"model", "train"}, exclude_none=True)
    blocks: list[Block] = [
        Table("What the model was made from", ("What", "Value"), rows, wide=True)
    ]
    if settings:
        blocks.append(Code("Settings of model and training", json.dumps(settings, indent=2)))
    return Section("lineage", "Lineage", "From what this model was made, to the byte.", blocks)


def run_section(run: RunFacts) -> Section:
    """Show the times of the components, versions, and the whole configuration."""
    table = Table(
        "The run",
        ("What", "Value"),
        [
            ("Run", run.run_id),
            ("Finished", run.finished),
            ("Time in components", format_duration(sum(run.seconds.values()))),
            ("Configuration (hash)", run.config_hash),
            *((f"Version of {name}", version or "–") for name, version in run.versions.items()),
        ],
    )
    blocks: list[Block] = [table]
    fresh = {name: spent for name, spent in run.seconds.items() if name not in run.cached}
    if fresh:
        names = sorted(fresh, key=lambda name: -fresh[name])
        blocks.append(
            Figure(
                "Time per component",
                Bars(names, [round(fresh[name], 2) for name in names], "s"),
                f"{names[0]} took the longest, {format_duration(fresh[names[0]])}.",
            )
        )
    if run.cached:
        title = f"{count(len(run.cached))} components came from the cache"
        cached = [(name,) for name in run.cached]
        blocks.append(Table(title, ("Component",), cached, folded=True))
    blocks.append(Code("The whole configuration", run.config))
    return Section("run", "The run", "How the run went that made this page.", blocks)
