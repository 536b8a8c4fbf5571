"""Predictions and recommendations of models and baselines for the users of the test rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from reelflow.base import columns as f
from reelflow.baselines import Baseline
from reelflow.encoding.encoded import EncodedData, EncodedRatings, Float32, Int32, Int64
from reelflow.evaluation.metrics import Predictions
from reelflow.model.histories import Histories
from reelflow.model.ranking import exact_ranks, mask, top_k
from reelflow.model.timelines import Timelines
from reelflow.saved_model.client import Arrays, Signatures
from reelflow.saved_model.contract import BLEND, EVALUATE, RATE, RECOMMEND, SIGNATURES, Order

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

    @cached_property
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


@dataclass(frozen=True)
class LiveHistories:
    """Each row's own history, the newest last, padded on the right."""

    history: Texts
    """Movie ids, [rows, n]."""
    stars: Float32
    """[rows, n]; not a number in the padding."""

    def take(self, rows: Int64) -> LiveHistories:
        """The rows at these positions, without columns that are padding in all of them."""
        stars = self.stars[rows]
        width = max(1, int((~np.isnan(stars)).sum(axis=1).max(initial=0)))
        return LiveHistories(self.history[rows, :width], stars[:, :width])


def model_predictions(
    signatures: Signatures,
    rows: TestRows,
    movies: int,
    order: str = BLEND,
    live: LiveHistories | None = None,
) -> Predictions:
    """Send all rows through a model's signature `evaluate`, as served with the test hidden.

    The evaluation thus measures what is served: a model answers from its own vocabulary, catalogue
    and histories.

    Args:
        signatures: of the model, exported or not yet.
        rows: the test rows.
        movies: size of the catalogue, to bound memory.
        order: the final order, one of `contract.ORDERS`.
        live: what each row's user has done since the cut; None for what the model knows alone.
    """

    def ask(block: Int64) -> Arrays:
        some = rows.take(block)
        inputs: dict[str, Any] = {f.USER_ID: some.user_id, f.MOVIE_ID: some.movie_id}
        if live is not None:
            own = live.take(block)
            inputs |= {f.HISTORY: own.history, f.STARS: own.stars}
        return signatures.call(EVALUATE, {**inputs, f.ORDER: order})

    return _asked(ask, rows, movies)


def _asked(ask: Callable[[Int64], Arrays], rows: TestRows, movies: int) -> Predictions:
    """Ask for all rows, block by block, those of a user together.

    A model scores each distinct user of a request once.

    Args:
        ask: from positions of rows to stars, ranks and maybe likes.
        rows: the test rows.
        movies: size of the catalogue, to bound memory.
    """
    by_user = np.argsort(rows.users, kind="stable")
    size = _block_size(movies)
    blocks = [by_user[i : i + size] for i in range(0, len(rows), size)]
    answers = [ask(block) for block in blocks]
    own_order = np.argsort(by_user, kind="stable")
    names = (f.RATING, f.RANK_RAW, f.RANK_UNSEEN, f.LIKE)
    stars, raw, unseen, likes = (
        np.concatenate([answer[name] for answer in answers])[own_order]
        if answers and name in answers[0]
        else None
        for name in names
    )
    if stars is None or raw is None or unseen is None:
        nothing = np.zeros(0, np.int32)
        return Predictions(nothing.astype(np.float32), nothing, nothing)
    return Predictions(stars, raw, unseen, likes)


class NotComparable(Exception):
    """The champion cannot be evaluated on the candidate's test rows; the text says why."""


WITH_TIMES: Final = frozenset({f.USER_ID, f.MOVIE_ID, f.TIMESTAMP})
"""Inputs of `evaluate` up to version 0.2, which ranked by what was past at that time."""


def champion_predictions(saved_model: Path, rows: TestRows, movies: int) -> Predictions:
    """Send all rows through the champion's signature `evaluate`.

    A registry keeps models for years: this one may come from another version of Reelflow or of
    TensorFlow. One whose `evaluate` takes a time is asked for the end of all time, when all its
    ratings are past, as it is served; its stars are those of `rate`.

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
        with_times = set(its.inputs) == WITH_TIMES and RATE in signatures
        if set(its.inputs) != set(today.inputs) and not with_times:
            raise NotComparable(
                f"its `evaluate` wants {_listed(its.inputs)}, not {_listed(today.inputs)}"
            )
        if not today.outputs <= its.outputs:
            raise NotComparable(
                f"its `evaluate` answers with {_listed(its.outputs)}, "
                f"not with {_listed(today.outputs)}"
            )
        if with_times:
            return _predictions_with_times(signatures, rows, movies)
        return model_predictions(signatures, rows, movies)
    except (OSError, TypeError, ValueError, KeyError, tf.errors.OpError) as error:
        words = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise NotComparable(f"it cannot be asked: {words}") from error


def _predictions_with_times(signatures: Signatures, rows: TestRows, movies: int) -> Predictions:
    """Ask an `evaluate` that wants a time, and `rate` for the stars."""

    def ask(block: Int64) -> Arrays:
        some = rows.take(block)
        ids = {f.USER_ID: some.user_id, f.MOVIE_ID: some.movie_id}
        # A tensor, so that a champion with another dtype refuses it.
        time = tf.fill([len(some)], tf.int64.max)
        ranks = signatures.call(EVALUATE, {**ids, f.TIMESTAMP: time})
        return {**ranks, **signatures.call(RATE, ids)}

    return _asked(ask, rows, movies)


def baseline_predictions(baseline: Baseline, rows: TestRows, data: EncodedData) -> Predictions:
    """Ranks and stars of a fitted baseline, by the same exact ranking as the model's.

    Args:
        baseline: fitted on `data`.
        rows: the test rows, whose users are numbered as in `data`; a movie that is not in the
            catalogue ranks behind all others.
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
    """The movies that a model recommends, by its own signature, with the test ratings hidden.

    Args:
        signatures: of the exported model.
        users: user ids, [users].
        data: for the catalogue.
        k: movies a user.

    Returns:
        `movie_index`, int32 [users, k]; -1 where there is none.
    """
    return recommended(signatures, users, data, k)[0]


def recommended(
    signatures: Signatures, users: Texts, data: EncodedData, k: int, order: Order = BLEND
) -> tuple[Int32, Float32]:
    """The same in an order of choice, with the predicted stars, float32 [users, k]."""
    index = {movie_id.encode(): i for i, movie_id in enumerate(data.catalogue.movie_id)}
    size = _block_size(len(data.catalogue))
    asked = {f.K: k, f.AS_JUDGED: True, f.ORDER: order}
    blocks = [
        signatures.call(RECOMMEND, {**asked, f.USER_ID: users[i : i + size]})
        for i in range(0, len(users), size)
    ]
    lists = [
        [index.get(movie_id, -1) for movie_id in row]
        for block in blocks
        for row in block[f.MOVIE_ID]
    ]
    stars = np.concatenate([block[f.RATING] for block in blocks])
    return np.array(lists, np.int32), stars.astype(np.float32)


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


def train_counts(data: EncodedData, rows: EncodedRatings) -> tuple[Int32, Int32]:
    """Numbers of train ratings of each row's user and movie, int32 [rows] each; 0 if unknown.

    A movie of the catalogue without train ratings is as unknown to training as one outside of it.
    """
    counts = []
    for train, tested in (
        (data.train.user_index, rows.user_index),
        (data.train.movie_index, rows.movie_index),
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
