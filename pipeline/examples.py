"""Asks the model of a run for recommendations to a few users, to have something to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from components.trainer import features
from pipeline.layout import Layout
from pipeline.lineage import PipelineRun, read_run

if TYPE_CHECKING:
    from serving.model import Recommendations

USERS = 3
K = 5


def recommend_to_examples(layout: Layout, run_id: str) -> list[tuple[str, Recommendations]]:
    """User id and recommendations of three users of the train split; loads TensorFlow."""
    run = read_run(layout.metadata, run_id)
    trained = run.find("Model", node="Trainer")
    if trained is None:
        return []
    from serving.model import ServedModel

    model = ServedModel.load(trained.uri / "Format-Serving")
    return [(user, model.recommend(user, k=K)) for user in _users(run)]


def _users(run: PipelineRun) -> list[str]:
    """Users from the beginning, the middle and the end of the catalogue's list."""
    import pyarrow.parquet as pq

    for node in run.nodes:
        for output in node.outputs:
            files = _parquet(output.uri / f"Split-{features.USERS}")
            if files:
                column = pq.read_table(files[0], columns=[features.USER_ID])[features.USER_ID]
                users = [value.as_py()[0] for value in (column[i] for i in _spread(len(column)))]
                return [user.decode() if isinstance(user, bytes) else user for user in users]
    return []


def _parquet(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.parquet")) if folder.is_dir() else []


def _spread(count: int) -> list[int]:
    return sorted({0, count // 2, count - 1}) if count else []
