"""The runs of an output folder: their states, and the run that a user names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal

from pipeline.runs.summary import RunSummary, read_summary
from reelflow.base.errors import BadInput
from reelflow.config.layout import Layout, RunFolder

State = Literal["pushed", "waiting", "refused", "failed", "unfinished"]
LATEST = "latest"
_NAMED = 8
"""Runs that a message names at most."""


@dataclass(frozen=True)
class Run:
    """One folder in `OUTPUT/runs/`."""

    folder: RunFolder
    summary: RunSummary | None = None
    """None if the run was interrupted or still goes on."""

    @property
    def run_id(self) -> str:
        """The folder's name."""
        return self.folder.path.name

    @property
    def state(self) -> State:
        """The result of the run."""
        if self.summary is None:
            return "unfinished"
        if self.summary.error:
            return "failed"
        if self.summary.pushed:
            return "pushed"
        return "waiting" if self.summary.awaits_promotion else "refused"

    @property
    def error(self) -> str | None:
        """The reason of a failed run."""
        return self.summary.error if self.summary else None

    @property
    def finished(self) -> datetime:
        """Local time of the summary, or else of the folder's last change."""
        if self.summary is not None:
            return datetime.fromisoformat(self.summary.finished).astimezone()
        changed = self.folder.path.stat().st_mtime
        return datetime.fromtimestamp(changed, timezone.utc).astimezone()

    @property
    def seconds(self) -> float | None:
        """Time in nodes; None if no node has ended."""
        times = self.summary.seconds if self.summary else {}
        return sum(times.values()) if times else None

    def metric(self, path: str) -> float | None:
        """Return a metric of the run's model, by a path such as `unseen/top_100` or `rmse`."""
        metrics = self.summary.metrics if self.summary else None
        return metrics.value(path) if metrics else None


def list_runs(layout: Layout) -> list[Run]:
    """Return all runs, the newest first."""
    if not layout.runs.is_dir():
        return []
    folders = [layout.run(path.name) for path in layout.runs.iterdir() if path.is_dir()]
    runs = [Run(folder, read_summary(folder.summary)) for folder in folders]
    return sorted(runs, key=lambda run: (run.finished, run.run_id), reverse=True)


def find_run(layout: Layout, name: str = LATEST) -> Run:
    """Return the run that a user names.

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
    matches = exact or [run for run in runs if run.run_id.startswith(name)]
    if len(matches) == 1:
        return matches[0]
    names = ", ".join(run.run_id for run in (matches or runs)[:_NAMED])
    if matches:
        raise BadInput(f"Several runs begin with {name}: {names}.", "Give more of the name.")
    raise BadInput(
        f"{layout.output} has no run {name}; there are {names}.", "`reelflow runs` lists them all."
    )
