"""Two registered versions side by side: metrics, configuration, and what they were made from."""

from __future__ import annotations

from collections.abc import Mapping

from components.registry_pusher import facts
from components.registry_pusher.registrar import Registrar
from components.report.blocks import Cell, Table, Text
from components.report.words import METRICS
from pipeline.difference import PATHS, compared, differences
from serving.registry import MODEL_HASH, Version

_ORIGINS = {
    "Train ratings": facts.ROWS,
    "Data": facts.DATA_HASH,
    "User vocabulary": facts.USERS_HASH,
    "Film vocabulary": facts.MOVIES_HASH,
    "Code": facts.CODE_HASH,
    "Git commit": facts.GIT,
    "Run": facts.PIPELINE_RUN,
    "Model": MODEL_HASH,
}


def difference(registrar: Registrar, a: Version, b: Version) -> list[Table | Text]:
    """Tables of what differs.

    Args:
        registrar: where both are.
        a: one version.
        b: another; differences of metrics are B less A.
    """
    first, second = registrar.facts(a), registrar.facts(b)
    one, other = first.metrics, second.metrics
    rows: list[tuple[Cell, ...]] = [
        (label(path), *compared(path, one.get(path), other.get(path)))
        for path in PATHS
        if path in one or path in other
    ]
    found: list[Table | Text] = [
        Table("Metrics", ("Metric", "A", "B", "Difference", "B is"), rows),
        differences("Configuration", first.params, second.params, "The configurations are equal."),
        differences("Origin", origin(a.tags), origin(b.tags), "Both have the same origin."),
    ]
    if a.tags.get(facts.DATA_HASH) != b.tags.get(facts.DATA_HASH):
        found.append(Text("The data differ: so do the test ratings behind the metrics."))
    return found


def origin(tags: Mapping[str, str]) -> dict[str, str]:
    """What a version was made from, by its tags, under names for people."""
    return {label: tags[key] for label, key in _ORIGINS.items() if tags.get(key)}


def label(path: str) -> str:
    """A metric's path in words, with its protocol."""
    protocol, _, name = path.rpartition("/")
    return METRICS[name] + (f", {protocol}" if protocol else "")
