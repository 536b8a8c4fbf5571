"""The films that models and baselines recommend, as they would be served: seen ones masked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.evaluator.predict import BLOCK_CELLS
from components.trainer import features as f
from components.trainer.baselines import Baseline
from components.trainer.index import mask, top_k
from components.trainer.timelines import Timelines
from components.transform.encoded import EncodedData, Int32

Texts = npt.NDArray[np.object_]


def lists_of_model(saved_model: Path, users: Texts, data: EncodedData, k: int) -> Int32:
    """The exported model's own answers.

    Args:
        saved_model: folder of the SavedModel.
        users: user ids, [users].
        data: for the catalogue.
        k: films a user.

    Returns:
        `movie_index`, [users, k]; -1 where there is none.
    """
    loaded = tf.saved_model.load(str(saved_model))
    recommend = loaded.signatures["serving_default"]
    nothing = tf.constant([[""]])
    index = {movie_id.encode(): i for i, movie_id in enumerate(data.catalogue.movie_id)}
    size = _block_size(len(data.catalogue))
    lists = [
        recommend(
            user_id=tf.constant(users[i : i + size], tf.string),
            history=nothing,
            exclusions=nothing,
            k=tf.constant(k),
        )[f.MOVIE_ID].numpy()
        for i in range(0, len(users), size)
    ]
    found = [[index.get(movie_id, -1) for movie_id in row] for block in lists for row in block]
    return np.array(found, np.int32)


def lists_of_baseline(baseline: Baseline, users: Int32, data: EncodedData, k: int) -> Int32:
    """The films with the highest scores.

    Args:
        baseline: fitted.
        users: `user_index`, [users].
        data: what it was fitted on.
        k: films a user.

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
        _, films = top_k(scores, tf.constant(k))
        lists.append(films.numpy())
    return np.concatenate(lists)


def _block_size(movies: int) -> int:
    return max(1, min(1024, BLOCK_CELLS // max(movies, 1)))
