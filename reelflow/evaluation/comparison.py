"""From a model, its champion and the baselines to one comparison on the same test rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pyarrow as pa

from reelflow.base.columns import TEST
from reelflow.base.errors import BadInput
from reelflow.base.metrics import CUTOFFS
from reelflow.baselines import BASELINES
from reelflow.config import GateConfig
from reelflow.encoding.encode import training_data
from reelflow.encoding.encoded import EncodedData, Int32
from reelflow.evaluation import gate as gating
from reelflow.evaluation.bootstrap import intervals, slice_intervals
from reelflow.evaluation.gate import Bound
from reelflow.evaluation.guards import check
from reelflow.evaluation.metrics import (
    Floats,
    Predictions,
    aggregate,
    calibration,
    like_metrics,
    like_threshold,
    row_columns,
    summarise,
)
from reelflow.evaluation.predictions import (
    NotComparable,
    TestRows,
    baseline_predictions,
    champion_predictions,
    model_predictions,
    train_counts,
)
from reelflow.evaluation.results import AllIntervals, Intervals, Results, Slice, Summary, Verdict
from reelflow.evaluation.slices import (
    MOVIE_POPULARITY,
    USER_ACTIVITY,
    Labels,
    Mask,
    all_slices,
    movie_popularity,
    user_activity,
)
from reelflow.saved_model.client import Signatures
from reelflow.saved_model.files import Guard, ModelInfo

SLICE_KEYS: Final = (USER_ACTIVITY, MOVIE_POPULARITY)
"""Slices that `cells` tells apart."""


@dataclass(frozen=True)
class Comparison:
    """The results, and what TFMA needs for its own files."""

    results: Results
    bounds: list[Bound]
    cells: pa.RecordBatch
    """The model's test rows, aggregated by `SLICE_KEYS` (`metrics.aggregate`)."""


def compare(
    model: Path,
    champion: Path | None,
    rows: TestRows,
    data: EncodedData,
    gate: GateConfig,
    seed: int,
    groups: Mapping[str, Labels] | None = None,
) -> Comparison:
    """Evaluate model, champion and baselines on the same rows, and decide the gate.

    Args:
        model: SavedModel of the candidate.
        champion: SavedModel of the champion; one that cannot be evaluated on these rows is left
            out, and the verdict's `not_gated` says so.
        rows: the test split.
        data: the encoded ratings; baselines learn from the same ones as the model.
        gate: thresholds; more rows than `max_test_rows` are sampled.
        seed: of that sample, and of the bootstrap.
        groups: further slices, slice key to each row's value.

    Raises:
        BadInput: the test split is empty, or nothing in it is known from train.
    """
    if len(rows) == 0:
        raise BadInput("The test split is empty.", "Give split.test more ratings.")
    all_rows, unknown = len(rows), _out_of_vocabulary(data)
    drawn = rows.drawn(gate.max_test_rows, seed)
    rows = rows.take(drawn)
    ratings, movies, users = rows.encoded.rating, len(data.catalogue), rows.users

    info = ModelInfo.read(model)
    data = training_data(data, info.train or {})
    liked_from = like_threshold(info, data)

    def measured(predictions: Predictions) -> tuple[Summary, Intervals]:
        columns = row_columns(predictions, ratings, liked_from)
        likes = like_metrics(predictions, ratings, liked_from)
        summary = summarise(columns, users=users)
        return replace(summary, like=likes), intervals(columns, users, seed)

    signatures = Signatures.load(model)
    predictions = model_predictions(signatures, rows, movies)
    guards = check(signatures, info, predictions, rows, data, gate, seed)
    summary, ranges = measured(predictions)
    champion_summary, champion_ranges, left_out = None, None, []
    if champion is not None:
        try:
            answers = champion_predictions(champion, rows, movies)
            champion_summary, champion_ranges = measured(answers)
        except NotComparable as reason:
            left_out = [
                f"The champion cannot be compared, and nothing is held against it: {reason}."
            ]
    baselines, baseline_ranges = {}, {}
    for name in gate.baselines:
        baseline = BASELINES[name]()
        baseline.fit(data)
        baselines[name], baseline_ranges[name] = measured(
            baseline_predictions(baseline, rows, data)
        )

    champion_info = ModelInfo() if champion is None else ModelInfo.read(champion)
    bounds = gating.bounds(
        gate, champion_summary, baselines, info.trained_tasks, champion_info.trained_tasks
    )
    columns = row_columns(predictions, ratings, liked_from)
    of_users, of_movies = train_counts(data, rows)
    labels = {USER_ACTIVITY: user_activity(of_users), MOVIE_POPULARITY: movie_popularity(of_movies)}
    further = {key: values[drawn] for key, values in (groups or {}).items()}
    slices = all_slices(labels | further, data.catalogue.genres, rows.encoded.movie_index)
    results = Results(
        rows=len(rows),
        all_rows=all_rows,
        metrics=summary,
        champion=champion_summary,
        baselines=baselines,
        slices=_slices(columns, slices, users, seed),
        gate=_verdict(gate, bounds, summary, guards, left_out),
        out_of_vocabulary=unknown,
        intervals=AllIntervals(ranges, champion_ranges, baseline_ranges),
        calibration=calibration(predictions.stars, ratings),
        guards=guards,
        like_threshold=liked_from,
        movies=movies,
        omitted=[k for k in CUTOFFS if k >= movies],
    )
    return Comparison(results, bounds, aggregate(columns, labels))


def _out_of_vocabulary(data: EncodedData) -> dict[str, float]:
    """Shares of the test rows whose user or movie train does not know."""
    return {
        "users": data.sizes.unknown_users[TEST] / len(data.test),
        "movies": data.sizes.unknown_movies[TEST] / len(data.test),
    }


def _slices(
    columns: Mapping[str, Floats],
    slices: Mapping[tuple[str, str], Mask],
    users: Int32,
    seed: int,
) -> list[Slice]:
    ranges = slice_intervals(columns, slices, users, seed)
    records = []
    for (key, value), inside in slices.items():
        part = summarise(columns, inside, users)
        records.append(
            Slice(
                slice={key: value},
                rows=int(inside.sum()),
                raw=part.raw,
                unseen=part.unseen,
                rmse=part.rmse,
                mae=part.mae,
                intervals=ranges[key, value],
                liked=part.liked,
                liked_rows=part.liked_rows,
                stars_of_hits_10=part.stars_of_hits_10,
                over_users=part.over_users,
            )
        )
    return records


def _verdict(
    gate: GateConfig,
    bounds: list[Bound],
    summary: Summary,
    guards: list[Guard],
    left_out: list[str],
) -> Verdict:
    """Blessed if every bound is kept and every guard has passed."""
    broken = [result for result in gating.results(bounds, summary) if not result.kept]
    failed = [guard for guard in guards if not guard.passed]
    return Verdict(
        blessed=not broken and not failed,
        reasons=[*map(gating.refusal, broken), *(guard.refusal() for guard in failed)],
        broken=[*(result.bound.name for result in broken), *(guard.name for guard in failed)],
        protocol=gate.protocol,
        bounds=[bound.record() for bound in bounds],
        not_gated=[*gating.not_gated(gate, bounds), *left_out],
    )
