"""Two runs, or two registered versions, side by side, as tables for terminal and page."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.runs.summary import Run, RunSummary
from reelflow.base.common import flatten
from reelflow.base.errors import BadInput
from reelflow.base.metrics import LIVE, OVER_USERS, all_paths, label_at, metric_at
from reelflow.evaluation.results import Live
from reelflow.registry import store
from reelflow.registry.store import Registry, Version
from reelflow.report.blocks import Cell, Page, Section, Table, Text
from reelflow.report.sections.slices import slice_labels
from reelflow.report.words import format_metric, percent

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HEADLINE = ("unseen/top_10", "liked/top_10", "unseen/top_100", "liked/top_100", "rmse")
"""Paths of the metrics in the verdict and the slices."""
_DATA = {
    "rows", "rows_read", "users", "movies", "quarantined", "splits", "split", "ratings", "format",
    "files",
}  # fmt: skip
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
"""Label to tag of a registered version."""


def compare_runs(a: Run, b: Run) -> Page:
    """Return a page of all differences between two runs.

    Raises:
        BadInput: one of them has no metrics.
    """
    first, second = _measured(a), _measured(b)
    same = first.data_hash == second.data_hash
    warning = "" if same else " The data differ: so do the test ratings behind the metrics."
    metrics = Table(
        "Metrics",
        ("Metric", "A", "B", "Difference", "B is"),
        [*_metric_rows(a, b), *_live_rows(first.live, second.live), *_known_row(first, second)],
    )
    config = _differences("Configuration", _config(a), _config(b), "The configurations are equal.")
    data = _differences("Data", _data(first), _data(second), "The data are the same.")
    return Page(
        title="Two runs",
        subtitle=f"A is {a.run_id} ({a.state}), B is {b.run_id} ({b.state})",
        verdict=f"From A to B: {'; '.join(_headlines(a, b))}.{warning}",
        tone="plain",
        sections=[
            Section("metrics", "Metrics", "The difference is B less A.", [metrics]),
            Section("slices", "By slice", "", [_slice_table(first, second)]),
            Section("config", "Configuration", "", [config]),
            Section("data", "Data", "", [data]),
        ],
    )


def compare_versions(registry: Registry, a: Version, b: Version) -> list[Table | Text]:
    """Return tables of the differences between two registered versions.

    Args:
        registry: has both.
        a: one version.
        b: another; differences of metrics are B less A.
    """
    first, second = registry.facts(a), registry.facts(b)
    rows = [
        (label_at(path), *_compared(path, first.metrics.get(path), second.metrics.get(path)))
        for path in registered_paths()
        if path in first.metrics or path in second.metrics
    ]
    tables: list[Table | Text] = [
        Table("Metrics", ("Metric", "A", "B", "Difference", "B is"), rows),
        _differences("Configuration", first.params, second.params, "The configurations are equal."),
        _differences("Origin", origin(a.tags), origin(b.tags), "Both have the same origin."),
    ]
    if a.tags.get(store.DATA_HASH) != b.tags.get(store.DATA_HASH):
        tables.append(Text("The data differ: so do the test ratings behind the metrics."))
    return tables


def registered_paths() -> list[str]:
    """Return the paths of a version's own metrics, with live histories and over users too."""
    further = [f"{before}/{path}" for before in (LIVE, OVER_USERS) for path in HEADLINE]
    return [*all_paths(), *further]


def origin(tags: Mapping[str, str]) -> dict[str, str]:
    """Return hashes, run and commit that a version was made from, by label, from its tags."""
    return {label: tags[key] for label, key in _ORIGINS.items() if tags.get(key)}


def _measured(run: Run) -> RunSummary:
    """Return the summary of a run with metrics.

    Raises:
        BadInput: the run has none.
    """
    if run.summary is None or not run.summary.metrics:
        reason = run.error or "it did not come to an end"
        raise BadInput(f"Run {run.run_id} has no metrics: {reason}")
    return run.summary


def _headlines(a: Run, b: Run) -> Iterator[str]:
    """Yield a phrase for each metric of `HEADLINE` that one of the runs has."""
    for path in HEADLINE:
        x, y = a.metric(path), b.metric(path)
        if x is not None or y is not None:
            first, second, change, judgement = _compared(path, x, y)
            changed = f" ({change}, {judgement})" if change else ""
            yield f"{label_at(path)} {first} to {second}{changed}"


def _metric_rows(a: Run, b: Run) -> list[tuple[Cell, ...]]:
    return [
        (label_at(path), *_compared(path, a.metric(path), b.metric(path)))
        for path in all_paths()
        if a.metric(path) is not None or b.metric(path) is not None
    ]


def _live_rows(a: Live | None, b: Live | None) -> list[tuple[Cell, ...]]:
    """Return the ranking metrics of `HEADLINE` with live histories, if both runs have them."""
    if a is None or b is None:
        return []
    return [
        (label_at(f"{LIVE}/{path}"), *_compared(path, a.metrics.value(path), b.metrics.value(path)))
        for path in HEADLINE
        if metric_at(path).ranked and a.metrics.value(path) is not None
    ]


def _known_row(a: RunSummary, b: RunSummary) -> list[tuple[Cell, ...]]:
    """Return the share of the test ratings by known users: no metric, neither better nor worse."""
    if a.known_users is None and b.known_users is None:
        return []
    return [
        ("Test ratings by known users", percent(a.known_users), percent(b.known_users), None, "")
    ]


def _compared(path: str, a: float | None, b: float | None) -> tuple[Cell, ...]:
    """Return both values of a metric, the difference, and `better`, `worse` or `equal`."""
    if a is None or b is None:
        return format_metric(path, a), format_metric(path, b), None, ""
    change = b - a
    first, second, zero, shown = (format_metric(path, value) for value in (a, b, 0.0, change))
    if change == 0 or shown.strip("-") == zero:
        return first, second, zero, "equal"
    sign = "+" if change > 0 else ""
    judgement = "better" if metric_at(path).better(b, a) else "worse"
    return first, second, sign + shown, judgement


def _slice_table(a: RunSummary, b: RunSummary) -> Table:
    """Return the headline metrics of the slices that both runs have."""
    first, second = (
        {(part.key, part.label, p): part.value(p) for part in run.slices for p in HEADLINE}
        for run in (a, b)
    )
    rows = [
        (f"{slice_labels().get(key, key)} {label}", label_at(path), *_compared(path, x, y))
        for (key, label, path), x in first.items()
        if x is not None and (y := second.get((key, label, path))) is not None
    ]
    header = ("Slice", "Metric", "A", "B", "Difference", "B is")
    return Table("Slices that both runs have", header, rows, folded=True)


def _config(run: Run) -> dict[str, str]:
    if not run.folder.config.is_file():
        return {}
    return _flat(tomllib.loads(run.folder.config.read_text(encoding="utf-8")))


def _data(summary: RunSummary) -> dict[str, str]:
    counts = _flat(summary.data.model_dump(include=_DATA)) if summary.data else {}
    return {**counts, "data hash": str(summary.data_hash)}


def _flat(values: Mapping[str, Any]) -> dict[str, str]:
    leaves = flatten(values, ".")
    return {k: f"{v:,}" if type(v) is int else str(v) for k, v in leaves.items()}


def _differences(
    caption: str, a: Mapping[str, str], b: Mapping[str, str], equal: str
) -> Table | Text:
    """Return a table of the keys whose values differ, or the text `equal` if none do."""
    keys = dict.fromkeys([*a, *b])
    rows = [(key, a.get(key), b.get(key)) for key in keys if a.get(key) != b.get(key)]
    return Table(caption, ("Key", "A", "B"), rows) if rows else Text(equal)
