"""Where the model comes from: hashes, artifacts, settings; times and versions of a whole run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from reelflow.base.common import format_duration
from reelflow.report.blocks import Block, Code, Figure, Section, Table
from reelflow.report.charts.bars import Bars
from reelflow.report.inputs import Inputs
from reelflow.report.words import count


def section(inputs: Inputs) -> Section:
    """What the model itself and the artifacts say."""
    rows = [
        ("Data (SHA-256)", inputs.quarantine.data_hash),
        ("Source format", inputs.quarantine.format),
        *([("Spans", ", ".join(spans))] if (spans := inputs.quarantine.spans) else []),
        ("Ratings files", ", ".join(inputs.quarantine.files)),
        *((f"Artifact {name}", uri) for name, uri in inputs.artifacts.items()),
    ]
    settings = inputs.info.model_dump(include={"model", "train"}, exclude_none=True)
    blocks: list[Block] = [
        Table("What the model was made from", ("What", "Value"), rows, wide=True)
    ]
    if settings:
        blocks.append(Code("Settings of model and training", json.dumps(settings, indent=2)))
    return Section("lineage", "Lineage", "From what this model was made, to the byte.", blocks)


def run_section(
    run_id: str,
    finished: str,
    times: Mapping[str, float],
    cached: Sequence[str],
    versions: Mapping[str, str | None],
    config_hash: str,
    config: str,
) -> Section:
    """What only the end of a run knows: time per component, versions, the whole configuration.

    Args:
        run_id: the run's name.
        finished: when, ISO 8601.
        times: component to seconds.
        cached: components that came from the cache.
        versions: distribution to version; null if it is not installed.
        config_hash: of the configuration.
        config: the effective configuration as TOML.
    """
    ran = {name: spent for name, spent in times.items() if name not in cached}
    longest = dict(sorted(ran.items(), key=lambda item: -item[1]))
    blocks: list[Block] = [
        Table(
            "The run",
            ("What", "Value"),
            [
                ("Run", run_id),
                ("Finished", finished),
                ("Time in components", format_duration(sum(times.values()))),
                ("Configuration (hash)", config_hash),
                *((f"Version of {name}", version or "–") for name, version in versions.items()),
            ],
        )
    ]
    if longest:
        slowest = next(iter(longest))
        blocks.append(
            Figure(
                "Time per component",
                Bars(list(longest), [round(spent, 2) for spent in longest.values()], "s"),
                f"{slowest} took the longest, {format_duration(longest[slowest])}.",
            )
        )
    if cached:
        blocks.append(_cached(cached))
    blocks.append(Code("The whole configuration", config))
    return Section("run", "The run", "How the run went that made this page.", blocks)


def _cached(cached: Sequence[str]) -> Table:
    title = f"{count(len(cached))} components came from the cache"
    return Table(title, ("Component",), [(name,) for name in cached], folded=True)
