"""A run's own copy of its report, with what only the end of the run knows."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

from components.report.render import complete
from components.report.sections.lineage import run_section
from pipeline.layout import RunFolder
from pipeline.lineage import PipelineRun


def keep_report(
    run: PipelineRun, folder: RunFolder, summary: Mapping[str, Any], config: str
) -> None:
    """Copies report and model card into the run's folder, if the run got as far.

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
    section = run_section(
        run_id=run.run_id,
        finished=summary["finished"],
        times=summary["seconds"],
        cached=summary["cached"],
        versions=summary["versions"],
        config_hash=summary["config_hash"],
        config=config,
    )
    html = folder.report.read_text(encoding="utf-8")
    folder.report.write_text(complete(html, section), encoding="utf-8")
