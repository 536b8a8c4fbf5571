"""From a model, its champion and the baselines to one comparison on the same test rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from components.evaluator.cells import aggregate
from components.evaluator.gate import Bound, bounds
from components.evaluator.metrics import Predictions, Summary, row_columns, summarise
from components.evaluator.predict import TestRows, ask_baseline, ask_model, train_counts
from components.evaluator.slices import (
    MOVIE_POPULARITY,
    USER_ACTIVITY,
    Labels,
    movie_popularity,
    user_activity,
)
from components.trainer.baselines import BASELINES
from components.transform.encoded import EncodedData
from pipeline.config import GateConfig
from ratings.errors import BadInput

SLICE_KEYS = (USER_ACTIVITY, MOVIE_POPULARITY)


@dataclass(frozen=True)
class Comparison:
    """All that the gate and the report need."""

    rows: int
    all_rows: int
    model: Summary
    champion: Summary | None
    baselines: dict[str, Summary]
    slices: list[dict[str, Any]]
    bounds: list[Bound]
    cells: pa.RecordBatch

    def report(self, reasons: list[str], out_of_vocabulary: Mapping[str, float]) -> dict[str, Any]:
        """`metrics.json`, as docs/architecture.md describes it."""
        return {
            "rows": self.rows,
            "all_rows": self.all_rows,
            "metrics": asdict(self.model),
            "champion": None if self.champion is None else asdict(self.champion),
            "baselines": {name: asdict(summary) for name, summary in self.baselines.items()},
            "slices": self.slices,
            "gate": {
                "blessed": not reasons,
                "reasons": reasons,
                "bounds": [asdict(bound) for bound in self.bounds],
            },
            "out_of_vocabulary": dict(out_of_vocabulary),
        }


def compare(
    model: Path,
    champion: Path | None,
    rows: TestRows,
    data: EncodedData,
    gate: GateConfig,
    seed: int,
) -> Comparison:
    """Evaluates everybody on the same rows.

    Args:
        model: SavedModel of the candidate.
        champion: SavedModel of the last blessed model.
        rows: the test split.
        data: the encoded ratings, for baselines and slices.
        gate: thresholds; more rows than `max_test_rows` are sampled.
        seed: of that sample.

    Raises:
        BadInput: the test split is empty.
    """
    if len(rows) == 0:
        raise BadInput("The test split is empty.", "Give split.test more ratings.")
    all_rows = len(rows)
    rows = rows.sample(gate.max_test_rows, seed)
    ratings, movies = rows.encoded.rating, len(data.catalogue)

    def columns(predictions: Predictions) -> dict[str, Any]:
        return row_columns(predictions, ratings)

    candidate = columns(ask_model(model, rows, movies))
    rival = None if champion is None else summarise(columns(ask_model(champion, rows, movies)))
    plain = {}
    for name in gate.baselines:
        baseline = BASELINES[name]()
        baseline.fit(data)
        plain[name] = summarise(columns(ask_baseline(baseline, rows, data)))
    users, films = train_counts(data, rows)
    labels = {USER_ACTIVITY: user_activity(users), MOVIE_POPULARITY: movie_popularity(films)}
    return Comparison(
        rows=len(rows),
        all_rows=all_rows,
        model=summarise(candidate),
        champion=rival,
        baselines=plain,
        slices=_slices(candidate, labels),
        bounds=bounds(gate, rival, plain),
        cells=aggregate(candidate, labels),
    )


def _slices(columns: dict[str, Any], labels: Mapping[str, Labels]) -> list[dict[str, Any]]:
    found = []
    for key, values in labels.items():
        for value in np.unique(values):
            inside = values == value
            summary = summarise(columns, inside)
            found.append({"slice": {key: str(value)}, "rows": int(inside.sum()), **asdict(summary)})
    return found
