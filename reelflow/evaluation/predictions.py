"""Predictions and recommendations of models and baselines for the users of the test rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from reelflow.base import columns as f
from reelflow.baselines import Baseline
from reelflow.encoding.encoded import EncodedData, EncodedRatings, Int32, Int64
from reelflow.evaluation.metrics import Predictions
from reelflow.model.ranking import exact_ranks, mask, top_k
from reelflow.model.timelines import Histories, Timelines
from reelflow.saved_model.client import Signatures
from reelflow.saved_model.contract import EVALUATE, RECOMMEND, SIGNATURES

BLOCK_CELLS: Final = 1 << 24
"""Scores in memory at a time: 64 MiB of float32."""

Texts = npt.NDArray[np.object_]


@dataclass(frozen=True)
class TestRows:
    """The test split twice, the same rows: raw ids for models, integers for baselines."""

    user_id: Texts
    movie_id: Texts
    encoded: EncodedRatings

    def __len__(self) -> int:
        return len(self.encoded)

    @property
    def users(self) -> Int32:
        """Each row's user as a number, those that train does not have as well, int32 [rows]."""
        _, users = np.unique(self.user_id.astype(str), return_inverse=True)
        return users.astype(np.int32)

    def take(self, rows: Int64) -> TestRows:
        """The rows at these positions, in this order."""
        return TestRows(self.user_id[rows], self.movie_id[rows], self.encoded.take(rows))

    def drawn(self, count: int, seed: int) -> Int64:
        """Positions of at most `count` rows, drawn by seed, ascending."""
        if len(self) <= count:
            return np.arange(len(self))
        return np.sort(np.random.default_rng(seed).choice(len(self), count, replace=False))

    def sample(self, count: int, seed: int) -> TestRows:
        """At most `count` rows, drawn by seed, in their own order."""
        return self if len(self) <= count else self.take(self.drawn(count, seed))


def model_predictions(signatures: Signatures, rows: TestRows, movies: int) -> Predictions:
    """Send all rows through a model's signature `evaluate`.

    The evaluation thus measures what is served: a model answers from its own vocabulary, catalogue
    and histories.

    Args:
        signatures: of the model, exported or not yet.
        rows: the test rows.
        movies: size of the catalogue, to bound memory.
    """
    answers = [
        signatures.call(
            EVALUATE,
            {
                f.USER_ID: block.user_id,
                f.MOVIE_ID: block.movie_id,
                # A tensor, so that a champion with another dtype refuses it.
                f.TIMESTAMP: tf.constant(block.encoded.timestamp),
            },
        )
        for block in _blocks(rows, movies)
    ]
    predictions = _joined([(a[f.RATING], a[f.RANK_RAW], a[f.RANK_UNSEEN]) for a in answers])
    if not answers or f.LIKE not in answers[0]:
        return predictions
    return replace(predictions, likes=np.concatenate([a[f.LIKE] for a in answers]))


class NotComparable(Exception):
    """The champion cannot be evaluated on the candidate's test rows; the text says why."""


def champion_predictions(saved_model: Path, rows: TestRows, movies: int) -> Predictions:
    """Send all rows through the champion's signature `evaluate`.

    A registry keeps models for years: this one may come from another version of Reelflow or of
    TensorFlow.

    Args:
        saved_model: folder of the SavedModel.
        rows: the test rows.
        movies: size of the catalogue, to bound memory.

    Raises:
        NotComparable: it does not load, or its `evaluate` differs from the contract's.
    """
    try:
        signatures = Signatures.load(saved_model)
        if EVALUATE not in signatures:
            raise NotComparable("it has no signature `evaluate`")
        today, its = SIGNATURES[EVALUATE], signatures.definitions.signatures[EVALUATE]
        if set(its.inputs) != set(today.inputs):
            raise NotComparable(
                f"its `evaluate` wants {_listed(its.inputs)}, not {_listed(today.inputs)}"
            )
        if not today.outputs <= its.outputs:
            raise NotComparable(
                f"its `evaluate` answers with {_listed(its.outputs)}, "
                f"not with {_listed(today.outputs)}"
            )
        return model_predictions(signatures, rows, movies)
    except (OSError, TypeError, ValueError, tf.errors.OpError) as error:
        words = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise NotComparable(f"it cannot be asked: {words}") from error


def baseline_predictions(baseline: Baseline, rows: TestRows, data: EncodedData) -> Predictions:
    """Ranks and stars of a fitted baseline, by the same exact ranking as the model's.

    Args:
        baseline: fitted on `data`.
        rows: the test rows; a movie that is not in the catalogue ranks behind all others.
        data: the encoded ratings.
    """
    movies, timelines = len(data.catalogue), _timelines(data)
    parts = []
    for block in _blocks(rows, movies):
        users, targets = block.encoded.user_index, block.encoded.movie_index
        known = targets < movies
        scores, seen = tf.constant(baseline.scores(users)), timelines.seen(tf.constant(users))
        raw, unseen = exact_ranks(scores, np.where(known, targets, 0), seen)
        last = np.int32(movies + 1)
        stars = baseline.stars(users, targets)
        parts.append((stars, tf.where(known, raw, last), tf.where(known, unseen, last)))
    return _joined(parts)


def model_recommendations(signatures: Signatures, users: Texts, data: EncodedData, k: int) -> Int32:
    """The movies that a model recommends, by its own signature.

    Args:
        signatures: of the exported model.
        users: user ids, [users].
        data: for the catalogue.
        k: movies a user.

    Returns:
        `movie_index`, int32 [users, k]; -1 where there is none.
    """
    index = {movie_id.encode(): i for i, movie_id in enumerate(data.catalogue.movie_id)}
    size = _block_size(len(data.catalogue))
    blocks = [
        signatures.call(RECOMMEND, {f.USER_ID: users[i : i + size], f.K: k})[f.MOVIE_ID]
        for i in range(0, len(users), size)
    ]
    lists = [[index.get(movie_id, -1) for movie_id in row] for block in blocks for row in block]
    return np.array(lists, np.int32)


def baseline_recommendations(baseline: Baseline, users: Int32, data: EncodedData, k: int) -> Int32:
    """The movies with a baseline's highest scores that the users have not rated in train.

    Args:
        baseline: fitted on `data`.
        users: `user_index`, [users].
        data: the encoded ratings.
        k: movies a user.

    Returns:
        `movie_index`, int32 [users, k]; -1 where there is none.
    """
    size, timelines = _block_size(len(data.catalogue)), _timelines(data)
    lists = []
    for i in range(0, len(users), size):
        block = users[i : i + size]
        scores = mask(tf.constant(baseline.scores(block)), timelines.seen(tf.constant(block)))
        _, best = top_k(scores, tf.constant(k))
        lists.append(best.numpy())
    return np.concatenate(lists)


def train_counts(data: EncodedData, rows: TestRows) -> tuple[Int32, Int32]:
    """Numbers of train ratings of each row's user and movie, int32 [rows] each; 0 if unknown."""
    counts = []
    for train, tested in (
        (data.train.user_index, rows.encoded.user_index),
        (data.train.movie_index, rows.encoded.movie_index),
    ):
        size = int(max(train.max(initial=0), tested.max(initial=0))) + 1
        counts.append(np.bincount(train, minlength=size)[tested].astype(np.int32))
    return counts[0], counts[1]


def _timelines(data: EncodedData) -> Timelines:
    return Timelines(Histories.of_train(data))


def _block_size(movies: int) -> int:
    return max(1, min(1024, BLOCK_CELLS // max(movies, 1)))


def _blocks(rows: TestRows, movies: int) -> list[TestRows]:
    size = _block_size(movies)
    return [rows.take(np.arange(i, min(i + size, len(rows)))) for i in range(0, len(rows), size)]


def _joined(parts: list[tuple[Any, Any, Any]]) -> Predictions:
    """Stars, raw and unseen ranks of blocks, one after the other."""
    columns = zip(*parts, strict=True)
    stars, raw, unseen = (np.concatenate([np.asarray(p) for p in column]) for column in columns)
    return Predictions(stars=stars, rank_raw=raw, rank_unseen=unseen)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
