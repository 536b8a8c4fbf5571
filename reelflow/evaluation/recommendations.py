"""The movies that models and baselines recommend, as they would be served: seen ones masked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from reelflow.base import columns as f
from reelflow.baselines import Baseline
from reelflow.encoding.encoded import EncodedData, Int32
from reelflow.evaluation.predictions import BLOCK_CELLS
from reelflow.model.ranking import mask, top_k
from reelflow.model.timelines import Timelines
from reelflow.saved_model.client import Signatures
from reelflow.saved_model.contract import RECOMMEND

Texts = npt.NDArray[np.object_]


def lists_of_model(saved_model: Path, users: Texts, data: EncodedData, k: int) -> Int32:
    """The exported model's own answers.

    Args:
        saved_model: folder of the SavedModel.
        users: user ids, [users].
        data: for the catalogue.
        k: movies a user.

    Returns:
        `movie_index`, [users, k]; -1 where there is none.
    """
    signatures = Signatures.load(saved_model)
    index = {movie_id.encode(): i for i, movie_id in enumerate(data.catalogue.movie_id)}
    size = _block_size(len(data.catalogue))
    lists = [
        signatures.call(RECOMMEND, {f.USER_ID: users[i : i + size], f.K: k})[f.MOVIE_ID]
        for i in range(0, len(users), size)
    ]
    found = [[index.get(movie_id, -1) for movie_id in row] for block in lists for row in block]
    return np.array(found, np.int32)


def lists_of_baseline(baseline: Baseline, users: Int32, data: EncodedData, k: int) -> Int32:
    """The movies with the highest scores.

    Args:
        baseline: fitted.
        users: `user_index`, [users].
        data: what it was fitted on.
        k: movies a user.

    Returns:
        `movie_index`, [users, k]; -1 where there is none.
    """
    movies = len(data.catalogue)
    timelines = Timelines(
        data.train.movie_index, data.train.timestamp, data.offsets, unknown=movies
    )
    size = _block_size(movies)
    lists = []
    for i in range(0, len(users), size):
        block = users[i : i + size]
        scores = mask(tf.constant(baseline.scores(block)), timelines.seen(tf.constant(block)))
        _, best = top_k(scores, tf.constant(k))
        lists.append(best.numpy())
    return np.concatenate(lists)


def _block_size(movies: int) -> int:
    return max(1, min(1024, BLOCK_CELLS // max(movies, 1)))


# What accuracy does not see: how much of the catalogue is recommended, and how unknown it is.


Counts = npt.NDArray[np.int64]


def coverage(lists: Int32, movies: int) -> float:
    """Share of the catalogue that is recommended to somebody.

    Args:
        lists: recommended movies, [users, k]; -1 where there is none.
        movies: size of the catalogue.
    """
    return len(np.unique(lists[lists >= 0])) / movies


def novelty(lists: Int32, raters: Counts, users: int) -> float:
    """Mean self-information of the recommended movies, in bits.

    -log2 of the share of users who rated the movie in train (Zhou et al. 2010, "Solving the
    apparent diversity-accuracy dilemma of recommender systems"): 0 for a movie that everybody
    knows. A movie that nobody rated counts as rated by one user, so that it is as novel as a movie
    can be.

    Args:
        lists: as above.
        raters: number of train ratings of each movie, [movies].
        users: number of users in train.
    """
    movies = lists[lists >= 0]
    if len(movies) == 0:
        return 0.0
    shares = np.maximum(raters[movies], 1) / max(users, 1)
    return float(-np.mean(np.log2(shares)))
