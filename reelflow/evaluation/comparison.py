"""From a model, its champion and the baselines to one comparison on the same test rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from reelflow.base.errors import BadInput
from reelflow.base.metrics import CUTOFFS
from reelflow.baselines.biases import Biases
from reelflow.config import GateConfig
from reelflow.encoding.encode import training_data
from reelflow.encoding.encoded import EncodedData, Float32, Int32, Int64
from reelflow.evaluation import gate as gating
from reelflow.evaluation.bootstrap import Measured, slice_intervals
from reelflow.evaluation.gate import Decision, GateResult
from reelflow.evaluation.guards import check
from reelflow.evaluation.knowledge import as_of_the_cut, is_by_time, live_histories, numbered
from reelflow.evaluation.list_figures import list_figures
from reelflow.evaluation.metrics import (
    Floats,
    Predictions,
    aggregate,
    calibration,
    like_metrics,
    like_threshold,
    row_columns,
    star_columns,
    summarise,
)
from reelflow.evaluation.newcomers import newcomers
from reelflow.evaluation.predictions import (
    NotComparable,
    TestRows,
    baseline_predictions,
    champion_predictions,
    model_predictions,
    train_counts,
)
from reelflow.evaluation.results import (
    OVERALL,
    AllIntervals,
    Chosen,
    Live,
    Results,
    Slice,
    Summary,
    Verdict,
)
from reelflow.evaluation.selection import fitted
from reelflow.evaluation.slices import (
    CHAMPIONS_USERS,
    KNOWLEDGE,
    MOVIE_POPULARITY,
    USER_ACTIVITY,
    Labels,
    Mask,
    all_slices,
    by_knowledge,
    movie_popularity,
    user_activity,
)
from reelflow.model.champion_weights import users_of
from reelflow.saved_model.client import Signatures
from reelflow.saved_model.contract import RETRIEVAL
from reelflow.saved_model.files import Guard, ModelInfo

SLICE_KEYS: Final = (USER_ACTIVITY, MOVIE_POPULARITY)
"""Slices that `cells` tells apart."""
FEWEST_ROWS: Final = 100
"""Test rows of the champion's users from which on they have bounds of their own."""
LIVE_ROWS: Final = 4_000
"""Test rows that live histories are measured on, at most, drawn by seed: each is a request of its
own, which takes ten times as long as a row that shares its user's scores."""


@dataclass(frozen=True)
class Comparison:
    """The results, and what TFMA needs for its own files."""

    results: Results
    bounds: list[GateResult]
    """Those over all rows."""
    cells: pa.RecordBatch
    """The model's test rows, aggregated by `SLICE_KEYS` (`metrics.aggregate`)."""


@dataclass(frozen=True)
class _Rows:
    """Test rows with all that figures of them need."""

    rows: TestRows
    liked_from: float
    seed: int

    @property
    def ratings(self) -> Float32:
        return self.rows.encoded.rating

    def columns(self, predictions: Predictions) -> dict[str, Floats]:
        return row_columns(predictions, self.ratings, self.liked_from)

    def summary(self, predictions: Predictions) -> Summary:
        whole = summarise(self.columns(predictions), users=self.rows.users)
        return replace(whole, like=like_metrics(predictions, self.ratings, self.liked_from))

    def measured(self, columns: Mapping[str, Floats], inside: Mask | None = None) -> Measured:
        if inside is None:
            return Measured.of(columns, self.rows.users, self.seed)
        some = {name: values[inside] for name, values in columns.items()}
        return Measured.of(some, self.rows.users[inside], self.seed)

    def both(self, predictions: Predictions) -> tuple[Summary, Measured]:
        return self.summary(predictions), self.measured(self.columns(predictions))


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
        data: the encoded ratings; baselines know train and validation, as models do.
        gate: thresholds; more rows than `max_test_rows` are sampled.
        seed: of all samples, and of the bootstrap.
        groups: further slices, slice key to each row's value.

    Raises:
        BadInput: the test split is empty, or nothing in it is known from train.
    """
    if len(rows) == 0:
        raise BadInput("The test split is empty.", "Give split.test more ratings.")
    info = ModelInfo.read(model)
    trained = training_data(data, info.train or {})
    drawn = rows.drawn(gate.max_test_rows, seed)
    some = _Rows(rows.take(drawn), like_threshold(info, data), seed)
    movies, ratings = len(data.catalogue), some.ratings

    signatures = Signatures.kept(model)
    predictions = model_predictions(signatures, some.rows, movies)
    guards = check(signatures, info, predictions, some.rows, trained, gate, seed)
    columns = some.columns(predictions)
    summary, measured = some.summary(predictions), some.measured(columns)

    retrieval = None
    if info.blend is not None and info.blend.weight:
        retrieval = some.both(model_predictions(signatures, some.rows, movies, RETRIEVAL))
    champion_summary, champion_measured, left_out = None, None, []
    its_users = None if champion is None else _users_of(champion, some.rows)
    on_its_users = None
    if champion is not None:
        try:
            answers = champion_predictions(champion, some.rows, movies)
            champion_summary, champion_measured = some.both(answers)
            if its_users is not None:
                on_its_users = (
                    some.measured(columns, its_users),
                    some.measured(some.columns(answers), its_users),
                )
        except NotComparable as reason:
            left_out = [
                f"The champion cannot be compared, and nothing is held against it: {reason}."
            ]
    known, all_numbered = as_of_the_cut(data), numbered(rows, data)
    asked = all_numbered.take(drawn)
    floors = {name: _floor(name, some, asked, data, known) for name in gate.baselines}
    biased = Biases.of(known).stars(asked.encoded.user_index, asked.encoded.movie_index)

    champion_info = ModelInfo() if champion is None else ModelInfo.read(champion)
    decision = gating.decide(
        gate,
        measured,
        champion_measured,
        {name: floor for name, (_, floor, _) in floors.items()},
        some.measured(star_columns(biased, ratings)),
        info.trained_tasks,
        champion_info.trained_tasks,
        movies,
        on_its_users,
    )
    of_users, of_movies = train_counts(trained, some.rows.encoded)
    labels = {USER_ACTIVITY: user_activity(of_users), MOVIE_POPULARITY: movie_popularity(of_movies)}
    further = {key: values[drawn] for key, values in (groups or {}).items()}
    slices = {(KNOWLEDGE, name): at for name, at in by_knowledge(of_users, of_movies).items()}
    if its_users is not None:
        slices[KNOWLEDGE, CHAMPIONS_USERS] = its_users
    slices |= all_slices(labels | further, data.catalogue.genres, some.rows.encoded.movie_index)
    results = Results(
        rows=len(some.rows),
        all_rows=len(rows),
        metrics=summary,
        champion=champion_summary,
        baselines={name: floor for name, (floor, _, _) in floors.items()},
        slices=_slices(columns, slices, some.rows.users, seed),
        gate=_verdict(gate, decision, guards, left_out, movies),
        out_of_vocabulary=_without_ratings(trained, rows),
        intervals=AllIntervals(
            measured.intervals,
            None if champion_measured is None else champion_measured.intervals,
            {name: floor.intervals for name, (_, floor, _) in floors.items()},
            None if retrieval is None else retrieval[1].intervals,
        ),
        calibration=calibration(predictions.stars, ratings),
        guards=guards,
        retrieval=None if retrieval is None else retrieval[0],
        live=_live(signatures, rows, drawn, some, predictions, movies)
        if is_by_time(all_numbered.encoded, known)
        else None,
        newcomers=newcomers(signatures, some.rows, data, seed),
        lists=list_figures(signatures, info, some.rows.user_id, trained, seed),
        like_threshold=some.liked_from,
        movies=movies,
        omitted=[k for k in CUTOFFS if k >= movies],
        chosen={name: chosen for name, (_, _, chosen) in floors.items()},
    )
    bounds = [result for result in decision.results if result.slice == OVERALL]
    return Comparison(results, bounds, aggregate(columns, labels))


def _users_of(champion: Path, rows: TestRows) -> Mask | None:
    """Return True for rows of users that the champion was trained on, bool [rows].

    None where that tells nothing: all are, few are, or the champion is too old to say.
    """
    try:
        users = users_of(champion)
    except (OSError, ValueError):
        return None  # `champion_predictions` says what is wrong with it
    if users is None:
        return None
    known = set(users)
    ids = (user.decode() if isinstance(user, bytes) else user for user in rows.user_id)
    inside: Mask = np.fromiter((user in known for user in ids), np.bool_, len(rows))
    return None if inside.all() or inside.sum() < FEWEST_ROWS else inside


def _floor(
    name: str, some: _Rows, asked: TestRows, data: EncodedData, known: EncodedData
) -> tuple[Summary, Measured, Chosen]:
    """Choose, fit and measure a baseline; `asked` has the rows numbered as in `known`."""
    baseline, chosen = fitted(name, data, known, some.seed)
    return (*some.both(baseline_predictions(baseline, asked, known)), chosen)


def _live(
    signatures: Signatures,
    rows: TestRows,
    drawn: Int64,
    asked: _Rows,
    nightly: Predictions,
    movies: int,
) -> Live | None:
    """Measure the model with live histories, if there are any.

    Args:
        signatures: of the exported model.
        rows: the whole test split, which the histories are from.
        drawn: positions in it of the rows that were asked for.
        asked: these rows.
        nightly: the model's predictions for them, without live histories.
        movies: size of the catalogue.
    """
    at = asked.rows.drawn(LIVE_ROWS, asked.seed)
    histories = live_histories(rows, drawn[at])
    if histories is None:
        return None
    some = replace(asked, rows=asked.rows.take(at))
    with_them = model_predictions(signatures, some.rows, movies, live=histories)
    summary, measured = some.both(with_them)
    return Live(len(at), summary, measured.intervals, some.summary(nightly.take(at)))


def _without_ratings(trained: EncodedData, rows: TestRows) -> dict[str, float]:
    """Shares of the test rows whose user or movie has no rating in training."""
    users, movies = train_counts(trained, rows.encoded)
    return {"users": float(np.mean(users == 0)), "movies": float(np.mean(movies == 0))}


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
    gate: GateConfig, decision: Decision, guards: list[Guard], left_out: list[str], movies: int
) -> Verdict:
    """Blessed if every bound is kept and every guard has passed."""
    broken = gating.broken(decision.results)
    failed = [guard for guard in guards if not guard.passed]
    return Verdict(
        blessed=not broken and not failed,
        reasons=[*map(gating.refusal, broken), *(guard.refusal() for guard in failed)],
        broken=[*(result.name for result in broken), *(guard.name for guard in failed)],
        protocol=gate.protocol,
        bounds=[result.record() for result in decision.results],
        not_gated=[*gating.not_gated(gate, decision, movies), *left_out],
    )
