"""The runs of an output folder: what came of each, and which one a user means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Literal

from reelflow.base.errors import BadInput
from reelflow.config.layout import Layout, RunFolder

State = Literal["pushed", "waiting", "refused", "failed", "unfinished"]
LATEST = "latest"
SHOWN = 8
"""Runs that a message names at most."""


@dataclass(frozen=True)
class Run:
    """One folder in `OUTPUT/runs/`."""

    folder: RunFolder
    summary: dict[str, Any] = field(default_factory=dict)
    """`summary.json`; empty if the run was interrupted or still goes on."""

    @property
    def run_id(self) -> str:
        """Its name."""
        return self.folder.path.name

    @property
    def state(self) -> State:
        """What came of it."""
        if not self.summary:
            return "unfinished"
        if self.summary["error"]:
            return "failed"
        if self.summary["pushed"]:
            return "pushed"
        return "waiting" if waits(self.summary) else "refused"

    @property
    def finished(self) -> datetime:
        """When the summary was written, or else when the folder last changed; local time."""
        if self.summary:
            return datetime.fromisoformat(self.summary["finished"]).astimezone()
        changed = self.folder.path.stat().st_mtime
        return datetime.fromtimestamp(changed, timezone.utc).astimezone()

    @property
    def seconds(self) -> float | None:
        """Time in components; none if nothing is known."""
        times = self.summary.get("seconds")
        return sum(times.values()) if times else None

    def metric(self, path: str) -> float | None:
        """`unseen/top_100` or `rmse` of the run's model."""
        found: Any = self.summary.get("metrics")
        for key in path.split("/"):
            found = found.get(key) if isinstance(found, dict) else None
        return None if found is None else float(found)


def waits(summary: Mapping[str, Any]) -> bool:
    """Whether the run's model passed and waits for `reelflow models promote`."""
    gate, check = summary.get("gate") or {}, summary.get("serving_check") or {}
    passed = bool(gate.get("blessed") and check.get("blessed"))
    return passed and not summary["pushed"] and bool(summary.get("registered"))


def list_runs(layout: Layout) -> list[Run]:
    """All runs, the newest first."""
    if not layout.runs.is_dir():
        return []
    folders = [layout.run(path.name) for path in layout.runs.iterdir() if path.is_dir()]
    runs = [Run(folder, _summary(folder)) for folder in folders]
    return sorted(runs, key=lambda run: (run.finished, run.run_id), reverse=True)


def find_run(layout: Layout, name: str = LATEST) -> Run:
    """The run that a user means.

    Args:
        layout: the output folder.
        name: the run's name or its beginning, or `latest`.

    Raises:
        BadInput: there is none, or the beginning fits several.
    """
    runs = list_runs(layout)
    if not runs:
        raise BadInput(f"There are no runs in {layout.output}.", "Run `reelflow run` first.")
    if name == LATEST:
        target = layout.latest.resolve().name
        return next((run for run in runs if run.run_id == target), runs[0])
    exact = [run for run in runs if run.run_id == name]
    found = exact or [run for run in runs if run.run_id.startswith(name)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(run.run_id for run in (found or runs)[:SHOWN])
    if found:
        raise BadInput(f"Several runs begin with {name}: {names}.", "Give more of the name.")
    raise BadInput(
        f"{layout.output} has no run {name}; there are {names}.", "`reelflow runs` lists them all."
    )


def _summary(folder: RunFolder) -> dict[str, Any]:
    if not folder.summary.is_file():
        return {}
    loaded: dict[str, Any] = json.loads(folder.summary.read_text(encoding="utf-8"))
    return loaded
