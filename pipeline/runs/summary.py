"""`summary.json`: what came of a run, for programs. The keys are documented in docs/summary.md.

Everything is read from MLMD and the artifacts, so that `reelflow run` and `tfx run create` leave
the same summary.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Mapping
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.runs.lineage import Database, PipelineRun, has_run, read_run
from reelflow.base import columns
from reelflow.config import Config
from reelflow.config.layout import Layout, RunFolder
from reelflow.config.loading import config_hash
from reelflow.config.reference import render
from reelflow.data.ingest.results import DriftReport, IngestSummary, R
from reelflow.report.render import complete
from reelflow.report.sections.lineage import RunFacts, run_section
from reelflow.saved_model.files import ModelInfo

if TYPE_CHECKING:
    from reelflow.saved_model.client import Recommendations


_VERSIONS = {
    "reelflow": "reelflow",
    "tfx": "tfx",
    "tensorflow": "tensorflow",
    "beam": "apache-beam",
    "tfrs": "tensorflow-recommenders",
}

Summary = dict[str, Any]


def write_summary(
    layout: Layout,
    config: Config,
    run_id: str | None = None,
    error: str | None = None,
    database: Database | None = None,
) -> Summary:
    """Write the summary and the configuration of a run, and points `latest` to it.

    A run that failed has a summary too: with `error`, and null for what it did not get to.
    `latest` is always the newest run, whatever came of it; models are in the serving folder.

    Args:
        layout: the output folder.
        config: the effective configuration.
        run_id: the run; the newest one that MLMD knows by default.
        error: why the run failed.
        database: where MLMD is; in the output folder by default.
    """
    run = _read(database or layout.metadata, run_id, error)
    summary = summarize(run, config, error)
    folder = layout.run(run.run_id)
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.config.write_text(render(config), encoding="utf-8")
    if (results := run.find("TunerResults")) is not None:
        shutil.copytree(results.uri, folder.tuner, dirs_exist_ok=True)
    partial = folder.path / ".summary.json"
    partial.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(partial, folder.summary)
    keep_report(run, folder, summary, render(config))
    layout.point_latest_to(run.run_id)
    return summary


def summarize(run: PipelineRun, config: Config, error: str | None = None) -> Summary:
    """The summary of one run."""
    ingested = _result_of(run, "ReelflowQuarantine", IngestSummary)
    drift = _result_of(run, "ReelflowDrift", DriftReport)
    evaluation = _json_of(run, "ModelEvaluation", "metrics.json")
    return {
        "run_id": run.run_id,
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "error": error,
        "data": _data(ingested),
        "drift": drift and drift.content(),
        "warm_start": _warm_start(run),
        "tuner": _tuner(run),
        "metrics": evaluation.get("metrics"),
        "baselines": evaluation.get("baselines", {}),
        "champion": evaluation.get("champion"),
        "slices": evaluation.get("slices", []),
        "guards": evaluation.get("guards", []),
        "out_of_vocabulary": evaluation.get("out_of_vocabulary"),
        "gate": _gate(run, evaluation),
        "serving_check": _json_of(run, "InfraBlessing", "reasons.json") or None,
        "pushed": _pushed(run),
        "registered": _registered(run),
        "seconds": {node.node: node.seconds for node in run.nodes},
        "cached": [node.node for node in run.nodes if node.state == "cached"],
        "versions": versions(),
        "config_hash": config_hash(config),
        "data_hash": ingested and ingested.data_hash,
    }


def versions() -> dict[str, str | None]:
    """Versions of what decides a run's result; null for what is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name, distribution in _VERSIONS.items():
        try:
            found[name] = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def _read(database: Database, run_id: str | None, error: str | None) -> PipelineRun:
    """The run from MLMD; one that failed before its first node is not there."""
    if error is not None and run_id is not None and not has_run(database, run_id):
        return PipelineRun(run_id, [])
    return read_run(database, run_id)


def _json_of(run: PipelineRun, artifact_type: str, name: str) -> dict[str, Any]:
    """A JSON file of an artifact; empty if the run did not get there."""
    output = run.find(artifact_type)
    if output is None or not (path := output.uri / name).is_file():
        return {}
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def _result_of(run: PipelineRun, artifact_type: str, result: type[R]) -> R | None:
    """The JSON file of an ingestion's artifact; None if the run did not get there."""
    output = run.find(artifact_type)
    if output is None or not (output.uri / result.FILE).is_file():
        return None
    return result.read(output.uri)


def _data(ingested: IngestSummary | None) -> dict[str, Any] | None:
    if ingested is None:
        return None
    return {
        "rows": ingested.rows.kept,
        "rows_read": ingested.rows.read,
        "users": ingested.users,
        "movies": ingested.movies,
        "quarantined": ingested.quarantined,
        "absent_features": ingested.absent_features,
        "splits": ingested.rows.splits,
        "format": ingested.format,
        "synthetic": ingested.synthetic,
        "span": ingested.span,
        "spans": ingested.spans,
        "files": ingested.files,
    }


def _warm_start(run: PipelineRun) -> dict[str, Any] | None:
    """`warm_start` of the trained model's `model.json`; None if the run did not get there."""
    trained = [o for node in run.nodes if node.node == "Trainer" for o in node.outputs]
    models = [ModelInfo.read(o.uri / "Format-Serving") for o in trained if o.name == "model"]
    start = models[-1].warm_start if models else None
    return None if start is None else start.as_json()


def _tuner(run: PipelineRun) -> dict[str, Any] | None:
    """The best trial, none if there was no search."""
    report = _json_of(run, "TunerResults", "trials.json")
    if not report:
        return None
    trials = report["trials"]
    best = trials[report["best"] - 1]
    return {
        "trials": len(trials),
        "failed": sum(trial["objective"] is None for trial in trials),
        "objective": report["objective"],
        "best": {key: best[key] for key in ("number", "objective", "hyperparameters")},
    }


def _gate(run: PipelineRun, evaluation: dict[str, Any]) -> dict[str, Any] | None:
    """TFX's blessing decides; the reasons are the Evaluator's."""
    blessing = run.find("ModelBlessing")
    if blessing is None:
        return None
    gate = evaluation.get("gate", {})
    return {
        "blessed": blessing.properties.get("blessed") == 1,
        "reasons": gate.get("reasons", []),
        "not_gated": gate.get("not_gated", []),
    }


def _pushed(run: PipelineRun) -> str | None:
    """The folder of the pushed version, or none if nothing was pushed."""
    pushed = run.find("PushedModel")
    if pushed is None or pushed.properties.get("pushed") != 1:
        return None
    destination = str(pushed.properties.get("pushed_destination", ""))
    return str(Path(destination.removeprefix("file://"))) if destination else None


def _registered(run: PipelineRun) -> dict[str, Any] | None:
    """The version in the model registry and its alias, none if nothing was registered."""
    said = _json_of(run, "ReelflowRegistration", "registration.json")
    return said if said.get("version") else None


# A run's own copy of its report, with what only the end of the run knows.


def keep_report(
    run: PipelineRun, folder: RunFolder, summary: Mapping[str, Any], config: str
) -> None:
    """Copy report and model card into the run's folder, if the run got as far.

    Args:
        run: from MLMD.
        folder: the run's; it exists.
        summary: `summary.json`.
        config: the effective configuration as TOML.
    """
    report = run.find("ReelflowReport")
    if report is None or not (report.uri / folder.report.name).is_file():
        return
    shutil.copytree(report.uri, folder.path, dirs_exist_ok=True)
    facts = RunFacts(
        run_id=run.run_id,
        finished=summary["finished"],
        seconds=summary["seconds"],
        cached=summary["cached"],
        versions=summary["versions"],
        config_hash=summary["config_hash"],
        config=config,
    )
    html = folder.report.read_text(encoding="utf-8")
    folder.report.write_text(complete(html, run_section(facts)), encoding="utf-8")


# Asks the model of a run for recommendations to a few users, to have something to look at.


USERS = 3
K = 5


def recommend_to_examples(layout: Layout, run_id: str) -> list[tuple[str, Recommendations]]:
    """User id and recommendations of three users of the train split; loads TensorFlow."""
    run = read_run(layout.metadata, run_id)
    trained = run.find("Model", node="Trainer")
    if trained is None:
        return []
    from reelflow.saved_model.client import ServedModel

    model = ServedModel.load(trained.uri / "Format-Serving")
    return [(user, model.recommend(user, k=K)) for user in _users(run)]


def _users(run: PipelineRun) -> list[str]:
    """Users from the beginning, the middle and the end of the catalogue's list."""
    import pyarrow.parquet as pq

    for node in run.nodes:
        for output in node.outputs:
            files = _parquet(output.uri / f"Split-{columns.USERS}")
            if files:
                column = pq.read_table(files[0], columns=[columns.USER_ID])[columns.USER_ID]
                users = [value.as_py()[0] for value in (column[i] for i in _spread(len(column)))]
                return [user.decode() if isinstance(user, bytes) else user for user in users]
    return []


def _parquet(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.parquet")) if folder.is_dir() else []


def _spread(count: int) -> list[int]:
    return sorted({0, count // 2, count - 1}) if count else []
