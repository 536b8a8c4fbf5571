"""What must hold of a measurement before anybody believes it.

Each guard is a mistake that published figures have been made with: everything out of vocabulary,
ties counted as hits, collapsed embeddings, test ratings that training had seen.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import numpy as np

from reelflow.base import columns as f
from reelflow.base.errors import BadInput
from reelflow.config import GateConfig
from reelflow.encoding.encoded import EncodedData, EncodedRatings
from reelflow.evaluation.metrics import Predictions
from reelflow.evaluation.predictions import TestRows, ask
from reelflow.saved_model.client import Signatures
from reelflow.saved_model.contract import RECOMMEND, SCORE_ALL
from reelflow.saved_model.files import Guard, ModelInfo

SAMPLE: Final = 256
"""Test rows that are asked for again by other signatures."""
CUTOFFS: Final = (10, 100)
MIN_AGREEMENT: Final = 0.98
"""Share of the sample, at least; scores of other batch sizes differ in their last bits."""
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
    """All guards: those that the Trainer has noted, then the evaluation's own.

    Args:
        signatures: of the exported model.
        info: its `model.json`.
        predictions: what it says of the test rows.
        rows: the test rows.
        data: the encoded ratings.
        gate: for what may be shared between train and test.
        seed: of the sample.

    Raises:
        BadInput: no test row has a known user, or none a known movie.
    """
    known = known_ids(rows.encoded, data)
    sample = _known(rows, data).sample(SAMPLE, seed)
    tasks = info.trained_tasks
    found = [
        *(info.guards or ()),
        known,
        distinct_splits(rows.encoded, data, gate.max_shared_pairs),
    ]
    found.append(finite_predictions(predictions))
    if len(sample) and f.RETRIEVAL_TASK in tasks:
        found.append(scores_vary(signatures, sample))
        found.append(ids_agree_with_ranks(signatures, sample, data))
    if f.RATING_TASK in tasks:
        found.append(stars_vary(predictions))
    return found


def known_ids(rows: EncodedRatings, data: EncodedData) -> Guard:
    """Training knew users and movies of the test rows.

    Raises:
        BadInput: it knew no user, or no movie.
    """
    shares = {
        "users": float((rows.user_index < data.sizes.users).mean()),
        "movies": float((rows.movie_index < len(data.catalogue)).mean()),
    }
    for who, share in shares.items():
        if share == 0:
            raise BadInput(
                f"All {who} of the test split are out of vocabulary: there is nothing to measure.",
                "Check that train, test and the movies' file use the same ids.",
            )
    hits = ", ".join(f"{share:.2%} have known {who}" for who, share in shares.items())
    return Guard("known_ids", True, f"of the test rows, {hits}.")


def distinct_splits(rows: EncodedRatings, data: EncodedData, max_shared: float) -> Guard:
    """Hardly any test row's user has rated the same movie in train.

    Args:
        rows: the test rows.
        data: for train.
        max_shared: share of the rows, at most.
    """
    shared = int(_in_train(rows, data).sum())
    share = shared / len(rows)
    detail = f"{shared:,} of {len(rows):,} test rows ({share:.2%}) have user and movie in train"
    bound = f"at most {max_shared:.2%} may (gate.max_shared_pairs)"
    return Guard("distinct_splits", share <= max_shared, f"{detail}; {bound}.")


def finite_predictions(predictions: Predictions) -> Guard:
    """Every predicted rating is a number."""
    broken = int((~np.isfinite(predictions.stars)).sum())
    detail = f"{broken:,} of {len(predictions.stars):,} predicted ratings are not finite."
    return Guard("finite_predictions", broken == 0, detail)


def stars_vary(predictions: Predictions) -> Guard:
    """The rating model does not give every movie the same stars."""
    stars = predictions.stars[np.isfinite(predictions.stars)].astype(np.float64)
    spread = float(stars.max() - stars.min()) if len(stars) else 0.0
    varies = len(predictions.stars) < 2 or spread > FLAT
    detail = f"predicted ratings spread over {spread:.3g} stars."
    return Guard("stars_vary", varies, detail)


def scores_vary(signatures: Signatures, rows: TestRows) -> Guard:
    """Neither does every movie have the same score, nor every user the same scores.

    Args:
        signatures: of the exported model.
        rows: a sample of known users.
    """
    users = np.unique(rows.user_id.astype(str)).astype(object)
    scores = signatures.call(SCORE_ALL, {f.USER_ID: users})[f.SCORE].astype(np.float64)
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
    """A movie is among the first k ids that are served exactly if its rank says so.

    Both signatures are asked for the present, when everything that the user rated in train is past.

    Args:
        signatures: of the exported model.
        rows: a sample of rows with known users and movies.
        data: for what was rated in train, which is never served.
    """
    rows = rows.take(np.flatnonzero(~_in_train(rows.encoded, data)))
    if len(rows) == 0:
        return Guard("ids_agree_with_ranks", True, "no test movie is left to be served.")
    movies = len(data.catalogue)
    now = np.full(len(rows), np.iinfo(np.int64).max)
    rows = dataclasses.replace(rows, encoded=dataclasses.replace(rows.encoded, timestamp=now))
    ranks = ask(signatures, rows, movies).rank_unseen
    request = {f.USER_ID: rows.user_id, f.K: max(CUTOFFS)}
    served = signatures.call(RECOMMEND, request)[f.MOVIE_ID]
    wanted = np.array([_encoded(movie_id) for movie_id in rows.movie_id], object)[:, None]
    agree = np.mean(
        [(served[:, :k] == wanted).any(axis=1) == (ranks <= k) for k in CUTOFFS], dtype=float
    )
    cutoffs = " and ".join(str(k) for k in CUTOFFS)
    detail = f"ids and ranks agree on {agree:.1%} of {len(rows):,} rows at {cutoffs}."
    return Guard("ids_agree_with_ranks", bool(agree >= MIN_AGREEMENT), detail)


def _known(rows: TestRows, data: EncodedData) -> TestRows:
    return rows.take(np.flatnonzero(rows.encoded.is_known(data.sizes)))


def _in_train(rows: EncodedRatings, data: EncodedData) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether a row's user has rated its movie in train, bool [rows]; unknown ids have not."""
    movies = len(data.catalogue) + 1
    asked = np.zeros(data.sizes.users + 1, bool)
    asked[rows.user_index] = True
    train = np.flatnonzero(asked[data.train.user_index])
    seen = data.train.user_index[train].astype(np.int64) * movies + data.train.movie_index[train]
    pairs = rows.user_index.astype(np.int64) * movies + rows.movie_index
    return np.isin(pairs, seen) & rows.is_known(data.sizes)


def _encoded(movie_id: str | bytes) -> bytes:
    return movie_id if isinstance(movie_id, bytes) else movie_id.encode()
