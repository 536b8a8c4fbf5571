"""Guards: checks that refuse figures which deceive.

Each guard is a mistake that published figures have been made with: everything out of vocabulary,
ties counted as hits, collapsed embeddings, test ratings that training had seen.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from reelflow.base import columns as f
from reelflow.base.errors import BadInput
from reelflow.config import GateConfig
from reelflow.encoding.encode import with_validation
from reelflow.encoding.encoded import EncodedData, EncodedRatings
from reelflow.evaluation.metrics import Predictions
from reelflow.evaluation.predictions import TestRows, model_predictions, train_counts
from reelflow.evaluation.slices import Mask
from reelflow.saved_model.client import Signatures
from reelflow.saved_model.contract import RECOMMEND, SCORE_ALL
from reelflow.saved_model.files import Guard, ModelInfo

SAMPLE: Final = 256
"""Test rows that are sent to other signatures as well."""
CUTOFFS: Final = (10, 100)
MIN_AGREEMENT: Final = 0.98
"""Least share of the sample; scores of other batch sizes differ in their last bits."""
TINY: Final = float(np.finfo(np.float32).tiny)
FLAT: Final = 1e-6
"""Spread of scores or stars, relative to their size, up to which they are all the same."""


def check(
    signatures: Signatures,
    info: ModelInfo,
    predictions: Predictions,
    rows: TestRows,
    data: EncodedData,
    gate: GateConfig,
    seed: int,
) -> list[Guard]:
    """Run all guards; those of the Trainer, which `model.json` has, come first.

    Args:
        signatures: of the exported model.
        info: its `model.json`.
        predictions: its predictions for the test rows.
        rows: the test rows.
        data: the encoded ratings.
        gate: for the share of ratings that train and test may have in common.
        seed: of the sample.

    Raises:
        BadInput: no test row has a known user, or none a known movie.
    """
    tasks = info.trained_tasks
    guards = [
        *(info.guards or ()),
        known_ids(rows.encoded, data),
        distinct_splits(rows.encoded, data, gate.max_shared_pairs),
        finite_predictions(predictions),
    ]
    known = rows.take(np.flatnonzero(rows.encoded.is_known(data.sizes)))
    sample = known.sample(SAMPLE, seed)
    if len(sample) and f.RETRIEVAL_TASK in tasks:
        guards.append(scores_vary(signatures, sample))
        guards.append(ids_agree_with_ranks(signatures, sample, with_validation(data)))
    if f.RATING_TASK in tasks:
        guards.append(stars_vary(predictions))
    return guards


def known_ids(rows: EncodedRatings, data: EncodedData) -> Guard:
    """Pass if train has ratings of users and movies of the test rows.

    Raises:
        BadInput: it has none of the users, or none of the movies.
    """
    users, movies = train_counts(data, rows)
    shares = {"users": float((users > 0).mean()), "movies": float((movies > 0).mean())}
    for kind, share in shares.items():
        if share == 0:
            raise BadInput(
                f"All {kind} of the test split are out of vocabulary: there is nothing to measure.",
                "Check that train, test and the movies' file use the same ids.",
            )
    hits = ", ".join(f"{share:.2%} have known {kind}" for kind, share in shares.items())
    return Guard("known_ids", True, f"of the test rows, {hits}.")


def distinct_splits(rows: EncodedRatings, data: EncodedData, max_shared: float) -> Guard:
    """Pass if hardly any test row's user has rated the same movie in train.

    Args:
        rows: the test rows.
        data: for train.
        max_shared: greatest share of the rows that passes.
    """
    shared = int(_in_train(rows, data).sum())
    share = shared / len(rows)
    detail = f"{shared:,} of {len(rows):,} test rows ({share:.2%}) have user and movie in train"
    bound = f"at most {max_shared:.2%} may (gate.max_shared_pairs)"
    return Guard("distinct_splits", share <= max_shared, f"{detail}; {bound}.")


def finite_predictions(predictions: Predictions) -> Guard:
    """Pass if every predicted rating is a number."""
    broken = int((~np.isfinite(predictions.stars)).sum())
    detail = f"{broken:,} of {len(predictions.stars):,} predicted ratings are not finite."
    return Guard("finite_predictions", broken == 0, detail)


def stars_vary(predictions: Predictions) -> Guard:
    """Pass if the predicted stars are not all the same."""
    stars = predictions.stars[np.isfinite(predictions.stars)].astype(np.float64)
    spread = float(stars.max() - stars.min()) if len(stars) else 0.0
    varies = len(predictions.stars) < 2 or spread > FLAT
    detail = f"predicted ratings spread over {spread:.3g} stars."
    return Guard("stars_vary", varies, detail)


def scores_vary(signatures: Signatures, rows: TestRows) -> Guard:
    """Pass if neither all movies of a user nor all users have the same scores.

    Args:
        signatures: of the exported model.
        rows: a sample of known users.
    """
    users = np.unique(rows.user_id.astype(str)).astype(object)
    scores = signatures.call(SCORE_ALL, {f.USER_ID: users, f.AS_JUDGED: True})[f.SCORE].astype(
        np.float64
    )
    if not np.isfinite(scores).all():
        return Guard("scores_vary", False, "scores are not finite: training has diverged.")
    size = max(float(np.abs(scores).max()), TINY)
    by_movie = float((scores.max(axis=1) - scores.min(axis=1)).max()) / size
    by_user = float((scores.max(axis=0) - scores.min(axis=0)).max()) / size
    if by_movie <= FLAT and scores.shape[1] > 1:
        detail = "every movie has the same score: the embeddings have collapsed."
        return Guard("scores_vary", False, detail)
    if by_user <= FLAT and len(users) > 1:
        detail = "every user has the same scores: the query embeddings have collapsed."
        return Guard("scores_vary", False, detail)
    return Guard(
        "scores_vary", True, f"scores of {len(users):,} users differ by movie and by user."
    )


def ids_agree_with_ranks(signatures: Signatures, rows: TestRows, data: EncodedData) -> Guard:
    """Pass if a movie is among the first k served ids exactly when its rank is at most k.

    With the test ratings hidden, as `evaluate` always has them; else test movies were never served.

    Args:
        signatures: of the exported model.
        rows: a sample of rows with known users and movies.
        data: for the movies rated in train, here with validation, which are never served.
    """
    rows = rows.take(np.flatnonzero(~_in_train(rows.encoded, data)))
    if len(rows) == 0:
        return Guard("ids_agree_with_ranks", True, "no test movie is left to be served.")
    movies = len(data.catalogue)
    ranks = model_predictions(signatures, rows, movies).rank_unseen
    request = {f.USER_ID: rows.user_id, f.K: max(CUTOFFS), f.AS_JUDGED: True}
    served = signatures.call(RECOMMEND, request)[f.MOVIE_ID]
    targets = np.array([_encoded(movie_id) for movie_id in rows.movie_id], object)[:, None]
    agree = np.mean(
        [(served[:, :k] == targets).any(axis=1) == (ranks <= k) for k in CUTOFFS], dtype=float
    )
    cutoffs = " and ".join(str(k) for k in CUTOFFS)
    detail = f"ids and ranks agree on {agree:.1%} of {len(rows):,} rows at {cutoffs}."
    return Guard("ids_agree_with_ranks", bool(agree >= MIN_AGREEMENT), detail)


def _in_train(rows: EncodedRatings, data: EncodedData) -> Mask:
    """True where a row's user has rated its movie in train, bool [rows]; false for unknown ids."""
    movies = len(data.catalogue) + 1
    tested = np.zeros(data.sizes.users + 1, bool)
    tested[rows.user_index] = True
    train = np.flatnonzero(tested[data.train.user_index])
    seen = data.train.user_index[train].astype(np.int64) * movies + data.train.movie_index[train]
    pairs = rows.user_index.astype(np.int64) * movies + rows.movie_index
    return np.isin(pairs, seen) & rows.is_known(data.sizes)


def _encoded(movie_id: str | bytes) -> bytes:
    return movie_id if isinstance(movie_id, bytes) else movie_id.encode()
