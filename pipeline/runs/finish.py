"""The end of a run: summary, configuration, report and example recommendations. Imports MLMD.

Everything is read from MLMD and the artifacts, so that `reelflow run` and `tfx run create` leave
the same files.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pipeline import REGISTRY_PUSHER, TRAINER
from pipeline.runs.lineage import Database, PipelineRun, has_run, read_run
from pipeline.runs.summary import (
    BestTrial,
    DataSummary,
    GateSummary,
    RegisteredVersion,
    RunSummary,
    TunerSummary,
    write_summary,
)
from reelflow.base import columns
from reelflow.config import Config
from reelflow.config.layout import Layout, RunFolder
from reelflow.config.loading import config_hash, to_toml
from reelflow.data.ingest.results import DriftReport, IngestSummary
from reelflow.evaluation.results import METRICS_FILE, Results
from reelflow.evaluation.trials import TRIALS_FILE, Trials
from reelflow.registry.registration import Registration
from reelflow.registry.store import TRACKING_URI, Registry
from reelflow.report.render import complete
from reelflow.report.sections.lineage import RunFacts, run_section
from reelflow.saved_model.files import ModelInfo, ServingResult

if TYPE_CHECKING:
    from reelflow.saved_model.client import Recommendations

T = TypeVar("T")

EXAMPLE_MOVIES = 5
_DISTRIBUTIONS = {
    "reelflow": "reelflow",
    "tfx": "tfx",
    "tensorflow": "tensorflow",
    "beam": "apache-beam",
    "tfrs": "tensorflow-recommenders",
}


def finish_run(
    layout: Layout,
    config: Config,
    run_id: str | None = None,
    error: str | None = None,
    database: Database | None = None,
    as_run: str | None = None,
) -> RunSummary:
    """Write a run's summary, configuration and report, and point `latest` to the run.

    A run that failed has a summary too: with `error`, and null for the steps that it did not reach.
    `latest` is always the newest run, whatever its result; models are in the serving folder.

    Args:
        layout: the output folder.
        config: the effective configuration.
        run_id: the run; the newest one that MLMD knows by default.
        error: the reason of a failed run.
        database: MLMD; in the output folder by default.
        as_run: name of the run's folder and of the run in its files, if it has another in MLMD.
    """
    database = database or layout.metadata
    if error is not None and run_id is not None and not has_run(database, run_id):
        run = PipelineRun(run_id, [])  # it failed before its first node
    else:
        run = read_run(database, run_id)
    run = replace(run, run_id=as_run or run.run_id)
    summary = summarize(run, config, error)
    folder = layout.run(run.run_id)
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.config.write_text(to_toml(config), encoding="utf-8")
    if (results := run.find("TunerResults")) is not None:
        shutil.copytree(results.uri, folder.tuner, dirs_exist_ok=True)
    write_summary(summary, folder.summary)
    copy_report(run, folder, summary, to_toml(config))
    layout.point_latest_to(run.run_id)
    return summary


def summarize(run: PipelineRun, config: Config, error: str | None = None) -> RunSummary:
    """Return the summary of a run, from its artifacts."""
    ingested = _read_file(run, "ReelflowQuarantine", IngestSummary.FILE, IngestSummary.read)
    drift = _read_file(run, "ReelflowDrift", DriftReport.FILE, DriftReport.read)
    results = _read_file(run, "ModelEvaluation", METRICS_FILE, Results.read)
    check = _read_file(run, "InfraBlessing", ServingResult.FILE, ServingResult.read)
    registration = _read_file(run, "ReelflowRegistration", Registration.FILE, Registration.read)
    trained = run.find("Model", TRAINER)
    warm_start = ModelInfo.read(trained.saved_model).warm_start if trained else None
    return RunSummary(
        run_id=run.run_id,
        finished=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        error=error,
        data=_data(ingested) if ingested else None,
        drift=drift.content() if drift else None,
        warm_start=warm_start.as_json() if warm_start else None,
        tuner=_tuner(run),
        metrics=results.metrics if results else None,
        baselines=results.baselines if results else {},
        champion=results.champion if results else None,
        retrieval=results.retrieval if results else None,
        live=results.live if results else None,
        like_threshold=results.like_threshold if results else None,
        slices=results.slices if results else [],
        guards=results.guards if results else [],
        out_of_vocabulary=results.out_of_vocabulary if results else None,
        gate=_gate(run, results),
        serving_check=check,
        pushed=_pushed(run),
        registered=_registered(run, registration, config),
        seconds={node.node: node.seconds for node in run.nodes},
        cached=[node.node for node in run.nodes if node.state == "cached"],
        versions=_versions(),
        config_hash=config_hash(config),
        data_hash=ingested.data_hash if ingested else None,
    )


def _versions() -> dict[str, str | None]:
    """Return the versions that a run's result depends on; None for what is not installed."""
    installed: dict[str, str | None] = {"python": platform.python_version()}
    for name, distribution in _DISTRIBUTIONS.items():
        try:
            installed[name] = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            installed[name] = None
    return installed


def _read_file(
    run: PipelineRun, artifact_type: str, name: str, read: Callable[[Path], T | None]
) -> T | None:
    """Read a file of an artifact by its folder; None if the run did not get there."""
    output = run.find(artifact_type)
    return read(output.uri) if output and (output.uri / name).is_file() else None


def _data(ingested: IngestSummary) -> DataSummary:
    rows = ingested.rows
    counts = {"rows": rows.kept, "rows_read": rows.read, "splits": rows.splits}
    return DataSummary.model_validate({**ingested.model_dump(), **counts})


def _tuner(run: PipelineRun) -> TunerSummary | None:
    trials = _read_file(run, "TunerResults", TRIALS_FILE, Trials.read)
    if trials is None:
        return None
    best = trials.best_trial
    return TunerSummary(
        trials=len(trials.trials),
        failed=sum(trial.objective is None for trial in trials.trials),
        objective=trials.objective,
        best=BestTrial(
            number=best.number, objective=best.value, hyperparameters=best.hyperparameters
        ),
    )


def _gate(run: PipelineRun, results: Results | None) -> GateSummary | None:
    blessing = run.find("ModelBlessing")
    if blessing is None:
        return None
    blessed = blessing.properties.get("blessed") == 1
    if results is None:
        return GateSummary(blessed=blessed)
    verdict = results.gate
    return GateSummary(
        blessed=blessed,
        reasons=verdict.reasons,
        not_gated=verdict.not_gated,
        bounds=verdict.bounds,
    )


def _registered(
    run: PipelineRun, registration: Registration | None, config: Config
) -> RegisteredVersion | None:
    """Return the version that the run registered, with the alias that it has now."""
    if registration is None or not registration.version:
        return None
    version = RegisteredVersion(**registration.model_dump())
    cached = any(node.node == REGISTRY_PUSHER and node.state == "cached" for node in run.nodes)
    if not cached:
        return version
    # The cache says what once was: since then, a user or a later run may have moved the alias.
    uri = config.registry.uri or os.environ.get(TRACKING_URI) or registration.registry
    aliases = Registry(uri, registration.name).aliases()
    names = [alias for alias, number in aliases.items() if number == version.version]
    return version.model_copy(update={"alias": ", ".join(sorted(names))})


def _pushed(run: PipelineRun) -> str | None:
    """Return the folder of the pushed version, if it is there."""
    pushed = run.find("PushedModel")
    if pushed is None or pushed.properties.get("pushed") != 1:
        return None
    destination = str(pushed.properties.get("pushed_destination", ""))
    folder = Path(destination.removeprefix("file://"))
    return str(folder) if destination and folder.is_dir() else None


def copy_report(run: PipelineRun, folder: RunFolder, summary: RunSummary, config: str) -> None:
    """Copy report and model card, if there are any, with a section about the run itself.

    Args:
        run: from MLMD.
        folder: the run's; it exists.
        summary: of the run.
        config: the effective configuration as TOML.
    """
    report = run.find("ReelflowReport")
    if report is None or not (report.uri / folder.report.name).is_file():
        return
    shutil.copytree(report.uri, folder.path, dirs_exist_ok=True)
    facts = RunFacts(
        run_id=run.run_id,
        finished=summary.finished,
        seconds=summary.seconds,
        cached=summary.cached,
        versions=summary.versions,
        config_hash=summary.config_hash,
        config=config,
    )
    html = folder.report.read_text(encoding="utf-8")
    folder.report.write_text(complete(html, run_section(facts)), encoding="utf-8")


def recommend_to_examples(layout: Layout, run_id: str) -> list[tuple[str, Recommendations]]:
    """Return user id and recommendations of a few users in train. Loads TensorFlow."""
    run = read_run(layout.metadata, run_id)
    trained = run.find("Model", TRAINER)
    if trained is None:
        return []
    from reelflow.saved_model.catalogue import Catalogue
    from reelflow.saved_model.client import ServedModel, Signatures

    folder = trained.saved_model
    model = ServedModel(folder, Signatures.kept(folder), Catalogue.load(folder))
    return [(user, model.recommend(user, k=EXAMPLE_MOVIES)) for user in _example_users(run)]


def _example_users(run: PipelineRun) -> list[str]:
    """Return ids of users from the beginning, the middle and the end of the catalogue's list."""
    from reelflow.data.parquet import open_own

    for node in run.nodes:
        for output in node.outputs:
            files = sorted((output.uri / f"Split-{columns.USERS}").glob("*.parquet"))
            if not files:
                continue
            with open_own(files[0]) as file:
                column = file.read(columns=[columns.USER_ID])[columns.USER_ID]
            count = len(column)
            rows = sorted({0, count // 2, count - 1}) if count else []
            users = [column[row].as_py()[0] for row in rows]
            return [user.decode() if isinstance(user, bytes) else user for user in users]
    return []
