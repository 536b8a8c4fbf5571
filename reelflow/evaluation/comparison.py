"""From a model, its champion and the baselines to one comparison on the same test rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import tensorflow as tf

from reelflow.base.errors import BadInput
from reelflow.baselines import BASELINES
from reelflow.config import GateConfig
from reelflow.encoding.encode import training_data
from reelflow.encoding.encoded import EncodedData, Int32
from reelflow.evaluation.bootstrap import Intervals, intervals, slice_intervals
from reelflow.evaluation.gate import Bound, bounds, not_gated
from reelflow.evaluation.guards import check
from reelflow.evaluation.metrics import (
    LIKED,
    Bin,
    Predictions,
    Summary,
    aggregate,
    calibration,
    like_metrics,
    row_columns,
    summarise,
)
from reelflow.evaluation.predictions import (
    NotComparable,
    TestRows,
    ask,
    ask_baseline,
    ask_champion,
    train_counts,
)
from reelflow.evaluation.slices import (
    MOVIE_POPULARITY,
    USER_ACTIVITY,
    Labels,
    Mask,
    all_slices,
    movie_popularity,
    user_activity,
)
from reelflow.saved_model.files import Guard, ModelInfo

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
    intervals: dict[str, Any]
    """`model`, `champion` (or null) and `baselines` to their metrics' intervals."""
    calibration: list[Bin]
    protocol: str
    """Which ranks the gate looks at."""
    guards: list[Guard]
    not_gated: list[str]
    """What the gate does not look at, in words."""

    def report(
        self, reasons: list[str], broken: list[str], out_of_vocabulary: Mapping[str, float]
    ) -> dict[str, Any]:
        """`metrics.json`, as docs/architecture.md describes it.

        Args:
            reasons: why the model is refused, in words.
            broken: names of the bounds and guards that the reasons are about.
            out_of_vocabulary: shares of the test rows.
        """
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
                "broken": broken,
                "protocol": self.protocol,
                "bounds": [asdict(bound) for bound in self.bounds],
                "not_gated": self.not_gated,
            },
            "out_of_vocabulary": dict(out_of_vocabulary),
            "intervals": self.intervals,
            "calibration": [asdict(part) for part in self.calibration],
            "guards": [asdict(guard) for guard in self.guards],
        }


def compare(
    model: Path,
    champion: Path | None,
    rows: TestRows,
    data: EncodedData,
    gate: GateConfig,
    seed: int,
    groups: Mapping[str, Labels] | None = None,
) -> Comparison:
    """Evaluate everybody on the same rows.

    Args:
        model: SavedModel of the candidate.
        champion: SavedModel of the model to be held against; one that cannot be asked is left out,
            and `not_gated` says so.
        rows: the test split.
        data: the encoded ratings; baselines learn from what the model has learned from.
        gate: thresholds; more rows than `max_test_rows` are sampled.
        seed: of that sample, and of the bootstrap.
        groups: further slices, slice key to each row's value.

    Raises:
        BadInput: the test split is empty, or nothing in it is known from train.
    """
    if len(rows) == 0:
        raise BadInput("The test split is empty.", "Give split.test more ratings.")
    all_rows = len(rows)
    drawn = rows.drawn(gate.max_test_rows, seed)
    rows = rows.take(drawn)
    ratings, movies, who = rows.encoded.rating, len(data.catalogue), rows.encoded.user_index

    info = ModelInfo.read(model)
    data = training_data(data, info.train or {})
    liked_from = (info.model or {}).get("like_threshold", LIKED)

    def measured(predictions: Predictions) -> tuple[Summary, Intervals]:
        columns = row_columns(predictions, ratings)
        likes = like_metrics(predictions, ratings, liked_from)
        return replace(summarise(columns), like=likes), intervals(columns, who, seed)

    loaded = tf.saved_model.load(str(model))
    predictions = ask(loaded.signatures["evaluate"], rows, movies)
    guards = check(loaded.signatures, info, predictions, rows, data, gate, seed)
    summary, ranges = measured(predictions)
    candidate = row_columns(predictions, ratings)
    rival, left_out = None, []
    if champion is not None:
        try:
            rival = measured(ask_champion(champion, rows, movies))
        except NotComparable as reason:
            left_out = [
                f"The champion cannot be compared, and nothing is held against it: {reason}."
            ]
    plain = {}
    for name in gate.baselines:
        baseline = BASELINES[name]()
        baseline.fit(data)
        plain[name] = measured(ask_baseline(baseline, rows, data))
    of_users, of_movies = train_counts(data, rows)
    labels = {USER_ACTIVITY: user_activity(of_users), MOVIE_POPULARITY: movie_popularity(of_movies)}
    further = {key: values[drawn] for key, values in (groups or {}).items()}
    slices = all_slices(labels | further, data.catalogue.genres, rows.encoded.movie_index)
    champion_summary = None if rival is None else rival[0]
    baselines = {name: summary for name, (summary, _) in plain.items()}
    champion_info = ModelInfo() if champion is None else ModelInfo.read(champion)
    found = bounds(
        gate, champion_summary, baselines, info.trained_tasks, champion_info.trained_tasks
    )
    return Comparison(
        rows=len(rows),
        all_rows=all_rows,
        model=summary,
        champion=champion_summary,
        baselines=baselines,
        slices=_slices(candidate, slices, who, seed),
        bounds=found,
        cells=aggregate(candidate, labels),
        intervals={
            "model": ranges,
            "champion": None if rival is None else rival[1],
            "baselines": {name: found for name, (_, found) in plain.items()},
        },
        calibration=calibration(predictions.stars, ratings),
        protocol=gate.protocol,
        guards=guards,
        not_gated=[*not_gated(gate, found), *left_out],
    )


def _slices(
    columns: dict[str, Any], slices: Mapping[tuple[str, str], Mask], users: Int32, seed: int
) -> list[dict[str, Any]]:
    names = {f"{key}={value}": mask for (key, value), mask in slices.items()}
    ranges = slice_intervals(columns, names, users, seed)
    return [
        {
            "slice": {key: value},
            "rows": int(inside.sum()),
            **{k: v for k, v in asdict(summarise(columns, inside)).items() if v is not None},
            "intervals": ranges[f"{key}={value}"],
        }
        for (key, value), inside in slices.items()
    ]
