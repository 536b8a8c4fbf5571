"""Two runs side by side: metrics, configuration and data, as tables for terminal and page."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from pipeline.runs.history import Run
from reelflow.base.common import flatten
from reelflow.base.errors import BadInput
from reelflow.base.metrics import METRICS, UNSEEN, all_paths, label_at, metric_at, value_at
from reelflow.registry import store
from reelflow.registry.register import Registrar
from reelflow.registry.store import Version
from reelflow.report.blocks import Cell, Page, Section, Table, Text
from reelflow.report.sections.slices import SLICES
from reelflow.report.words import format_metric

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PATHS = all_paths()
MAIN = (METRICS["top_100"].path(UNSEEN), METRICS["rmse"].key)
"""Metrics of the verdict and of slices."""
DATA = ("rows", "rows_read", "users", "movies", "quarantined", "splits", "format", "files")


def page(a: Run, b: Run) -> Page:
    """Everything that differs between two runs.

    Raises:
        BadInput: one of them has no metrics.
    """
    for run in (a, b):
        if not run.summary.get("metrics"):
            why = run.summary.get("error") or "it did not come to an end"
            raise BadInput(f"Run {run.run_id} has no metrics: {why}")
    same = a.summary["data_hash"] == b.summary["data_hash"]
    warning = "" if same else " The data differ: so do the test ratings behind the metrics."
    return Page(
        title="Two runs",
        subtitle=f"A is {a.run_id} ({a.state}), B is {b.run_id} ({b.state})",
        verdict=_verdict(a, b) + warning,
        tone="plain",
        sections=[
            Section("metrics", "Metrics", "The difference is B less A.", [metrics(a, b)]),
            Section("slices", "By slice", "", [slices(a, b)]),
            Section("config", "Configuration", "", [configuration(a, b)]),
            Section("data", "Data", "", [data(a, b)]),
        ],
    )


def metrics(a: Run, b: Run) -> Table:
    """Every metric of both models with the difference, and whether that is better."""
    rows = [(label_at(path), *compared(path, a.metric(path), b.metric(path))) for path in PATHS]
    return Table("Metrics", ("Metric", "A", "B", "Difference", "B is"), rows)


def slices(a: Run, b: Run) -> Table:
    """The slices that both have."""
    mine, others = _slices(a), _slices(b)
    rows = [
        (f"{SLICES.get(key, key)} {value}", label_at(path), *compared(path, *found))
        for (key, value, path), first in mine.items()
        if (found := (first, others.get((key, value, path))))[1] is not None
    ]
    header = ("Slice", "Metric", "A", "B", "Difference", "B is")
    return Table("Slices that both runs have", header, rows, folded=True)


def configuration(a: Run, b: Run) -> Table | Text:
    """The keys whose values differ."""
    return differences("Configuration", _config(a), _config(b), "The configurations are equal.")


def data(a: Run, b: Run) -> Table | Text:
    """The counts and hashes that differ."""
    found = []
    for run in (a, b):
        about = run.summary.get("data") or {}
        facts = _flat({key: about.get(key) for key in DATA})
        found.append({**facts, "data hash": str(run.summary.get("data_hash"))})
    return differences("Data", found[0], found[1], "The data are the same.")


def compared(path: str, a: float | None, b: float | None) -> tuple[Cell, ...]:
    """Both values of a metric, the difference, and whether B is better."""
    if a is None or b is None:
        return format_metric(path, a), format_metric(path, b), None, ""
    change = b - a
    first, second, zero, shown = (format_metric(path, value) for value in (a, b, 0.0, change))
    if change == 0 or shown.strip("-") == zero:
        return first, second, zero, "equal"
    better = (change > 0) == metric_at(path).higher_is_better
    sign = "+" if change > 0 else ""
    return first, second, sign + shown, "better" if better else "worse"


def _verdict(a: Run, b: Run) -> str:
    words = []
    for path in MAIN:
        first, second, change, judged = compared(path, a.metric(path), b.metric(path))
        tail = f" ({change}, {judged})" if change else ""
        words.append(f"{label_at(path)} {first} to {second}{tail}")
    return f"From A to B: {'; '.join(words)}."


def _slices(run: Run) -> dict[tuple[str, str, str], float]:
    found = {}
    for part in run.summary.get("slices") or []:
        [(key, value)] = part["slice"].items()
        for path in MAIN:
            if (figure := value_at(part, path)) is not None:
                found[key, value, path] = figure
    return found


def _config(run: Run) -> dict[str, str]:
    if not run.folder.config.is_file():
        return {}
    return _flat(tomllib.loads(run.folder.config.read_text(encoding="utf-8")))


def _flat(values: Mapping[str, Any]) -> dict[str, str]:
    leaves = flatten(values, ".")
    return {k: f"{v:,}" if type(v) is int else str(v) for k, v in leaves.items()}


def differences(
    caption: str, a: Mapping[str, str], b: Mapping[str, str], equal: str
) -> Table | Text:
    """The keys whose values differ, or `equal` if none do."""
    names = dict.fromkeys([*a, *b])
    rows = [(n, a.get(n), b.get(n)) for n in names if a.get(n) != b.get(n)]
    return Table(caption, ("Key", "A", "B"), rows) if rows else Text(equal)


# Two registered versions side by side: metrics, configuration, and what they were made from.


_ORIGINS = {
    "Train ratings": store.ROWS,
    "Data": store.DATA_HASH,
    "User vocabulary": store.USERS_HASH,
    "Movie vocabulary": store.MOVIES_HASH,
    "Code": store.CODE_HASH,
    "Git commit": store.GIT,
    "Run": store.PIPELINE_RUN,
    "Model": store.MODEL_HASH,
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
        (label_at(path), *compared(path, one.get(path), other.get(path)))
        for path in PATHS
        if path in one or path in other
    ]
    found: list[Table | Text] = [
        Table("Metrics", ("Metric", "A", "B", "Difference", "B is"), rows),
        differences("Configuration", first.params, second.params, "The configurations are equal."),
        differences("Origin", origin(a.tags), origin(b.tags), "Both have the same origin."),
    ]
    if a.tags.get(store.DATA_HASH) != b.tags.get(store.DATA_HASH):
        found.append(Text("The data differ: so do the test ratings behind the metrics."))
    return found


def origin(tags: Mapping[str, str]) -> dict[str, str]:
    """What a version was made from, by its tags, under names for people."""
    return {label: tags[key] for label, key in _ORIGINS.items() if tags.get(key)}
