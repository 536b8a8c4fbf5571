"""The exported model: string ids in, recommendations out, as `saved_model.contract` promises."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from reelflow.base import columns as f
from reelflow.encoding.encoded import EncodedData
from reelflow.model.ranking import LOWEST, exact_ranks, make_ranker, mask, top_k
from reelflow.model.tasks import JointModel
from reelflow.saved_model.contract import (
    EVALUATE,
    EXPLAIN,
    FROM_HISTORY,
    FROM_POPULARITY,
    FROM_USER,
    KNOWN_MOVIE,
    KNOWN_USER,
    RATE,
    RECOMMEND,
    SCORE_ALL,
    SIGNATURES,
    SIMILAR,
    TIMELINE,
)

Outputs = dict[str, tf.Tensor]


class ServingModel(tf.Module):
    """A trained joint model with its vocabularies, catalogue and users' timelines."""

    def __init__(self, joint: JointModel, data: EncodedData, users: list[str]) -> None:
        """Freeze a trained model.

        Args:
            joint: the trained model.
            data: the training data.
            users: the user vocabulary, in order.
        """
        super().__init__()
        catalogue = data.catalogue
        self._users = _Index(users)
        self._movies = _Index(catalogue.movie_id)
        self._user_count, self._movie_count = len(users), len(catalogue)
        self._movie_ids = _constant([*catalogue.movie_id, ""])
        self._titles = _constant([*catalogue.title, ""])
        self._popularity = _constant(tf.math.log(joint.popularity))
        self._timelines = joint.timelines
        self._ratings = joint.frozen_ratings()
        self._ranker = make_ranker(joint, self._ratings, data)
        # Public: the report draws its map of movies from this variable of the SavedModel.
        self.directions = _constant(tf.math.l2_normalize(self._ranker.directions, axis=1))

    def signatures(self) -> dict[str, Callable[..., Outputs]]:
        """Return the functions to export by the name of their signature in `contract.SIGNATURES`.

        `history`, `exclusions` and `k` have defaults, which TF Serving applies and Python does not.
        """
        inputs = SIGNATURES[RECOMMEND].inputs
        defaults = {
            name: tf.constant(inputs[name].default, inputs[name].dtype)
            for name in (f.HISTORY, f.EXCLUSIONS, f.K)
        }

        def serving_default(
            user_id: tf.Tensor,
            history: tf.Tensor = defaults[f.HISTORY],
            exclusions: tf.Tensor = defaults[f.EXCLUSIONS],
            k: tf.Tensor = defaults[f.K],
        ) -> Outputs:
            return self.recommend(user_id, history, exclusions, k)

        def similar(movie_id: tf.Tensor, k: tf.Tensor = defaults[f.K]) -> Outputs:
            return self.similar(movie_id, k)

        def score(user_id: tf.Tensor, history: tf.Tensor = defaults[f.HISTORY]) -> Outputs:
            return self.score(user_id, history)

        def explain(
            user_id: tf.Tensor, movie_id: tf.Tensor, history: tf.Tensor = defaults[f.HISTORY]
        ) -> Outputs:
            return self.explain(user_id, movie_id, history)

        def timeline(user_id: tf.Tensor, k: tf.Tensor = defaults[f.K]) -> Outputs:
            return self.timeline(user_id, k)

        functions: dict[str, Callable[..., Outputs]] = {
            RECOMMEND: serving_default,
            RATE: self.rate,
            SIMILAR: similar,
            EVALUATE: self.evaluate,
            SCORE_ALL: score,
            EXPLAIN: explain,
            TIMELINE: timeline,
        }
        return {name: _signed(name, function) for name, function in functions.items()}

    def recommend(
        self, user_id: tf.Tensor, history: tf.Tensor, exclusions: tf.Tensor, k: tf.Tensor
    ) -> Outputs:
        """Return the k best movies for each user, without seen, requested and excluded ones.

        An unknown user is scored by the movies in `history`, and without any gets the popular
        movies; `source` names the case.

        Args:
            user_id: string [batch].
            history: movie ids, the newest last, string [batch or 1, n], padded with "".
            exclusions: movie ids, string [batch or 1, n], padded with "".
            k: number of movies, int32, a scalar.
        """
        users = self._users.lookup(user_id)
        named = self._rows_of_movies(history, tf.size(users))
        excluded = self._rows_of_movies(exclusions, tf.size(users))
        scores, source = self._scores_now(users, named)
        cells = self._cells(tf.concat([named, excluded], axis=1))
        scores = mask(scores, tf.concat([self._timelines.seen(users), cells], axis=0))
        best, movies = top_k(scores, tf.reduce_max(k), self._ranker.block)
        return {**self._named(movies), f.SCORE: best, f.SOURCE: source}

    def rate(self, user_id: tf.Tensor, movie_id: tf.Tensor) -> Outputs:
        """Return predicted stars of pairs of ids, string [batch]; unknown ids count as average."""
        users, movies = self._users.lookup(user_id), self._movies.lookup(movie_id)
        return {
            **self._rated(users, movies, None),
            KNOWN_USER: users < self._user_count,
            KNOWN_MOVIE: movies < self._movie_count,
        }

    def similar(self, movie_id: tf.Tensor, k: tf.Tensor) -> Outputs:
        """Return the k nearest movies by cosine of their embeddings, without the movie itself."""
        movies = self._movies.lookup(movie_id)
        known = movies < self._movie_count
        directions = tf.gather(self.directions, tf.where(known, movies, 0))
        cosines = tf.matmul(directions, self.directions, transpose_b=True)
        cosines = tf.where(known[:, None], cosines, LOWEST)
        scores = mask(cosines, self._cells(movies[:, None]))
        best, nearest = top_k(scores, tf.reduce_max(k))
        return {**self._named(nearest), f.SCORE: best}

    def evaluate(self, user_id: tf.Tensor, movie_id: tf.Tensor, timestamp: tf.Tensor) -> Outputs:
        """Return predicted stars and exact ranks of movies that users turned to at given times.

        The query's history is the user's ratings strictly before `timestamp`, seconds, int64
        [batch]. An unknown movie ranks behind all others.
        """
        users, movies = self._users.lookup(user_id), self._movies.lookup(movie_id)
        ends = self._timelines.ends_before(users, timestamp)
        recent = self._timelines.recent(users, ends, self._ranker.history_length)
        by_popularity = self._source(users, recent) == FROM_POPULARITY
        scores = self._ranker.scores(users, recent, by_popularity)[:, : self._movie_count]
        known = movies < self._movie_count
        raw, unseen = exact_ranks(scores, tf.where(known, movies, 0), self._timelines.seen(users))
        last = self._movie_count + 1
        return {
            **self._rated(users, movies, timestamp),
            f.RANK_RAW: tf.where(known, raw, last),
            f.RANK_UNSEEN: tf.where(known, unseen, last),
        }

    def score(self, user_id: tf.Tensor, history: tf.Tensor) -> Outputs:
        """Return scores of the whole catalogue in vocabulary order, unmasked, and the seen movies.

        For callers with filters of their own.
        """
        users = self._users.lookup(user_id)
        named = self._rows_of_movies(history, tf.size(users))
        scores, source = self._scores_now(users, named)
        scores = scores[:, : self._movie_count]
        cells = tf.concat([self._timelines.seen(users), self._cells(named)], axis=0)
        seen = tf.tensor_scatter_nd_update(
            tf.zeros_like(scores, tf.bool), cells, tf.ones_like(cells[:, 0], tf.bool)
        )
        return {f.SCORE: scores, f.SEEN: seen, f.SOURCE: source}

    def explain(self, user_id: tf.Tensor, movie_id: tf.Tensor, history: tf.Tensor) -> Outputs:
        """Return the contributions of a user's history to the score of a movie, the largest first.

        Weights and `rest` (the user's own embedding and the movie's bias) sum to the score; behind
        dense layers a movie's weight is by how much the score falls without it. Unknown movies and
        scores by popularity have no contributions.
        """
        users, movies = self._users.lookup(user_id), self._movies.lookup(movie_id)
        recent = self._recent(users, self._rows_of_movies(history, tf.size(users)))
        known = movies < self._movie_count
        weights, rest = self._ranker.shares(users, recent, tf.where(known, movies, 0))
        valid = (recent != self._movie_count) & known[:, None]
        unknown = (self._source(users, recent) == FROM_POPULARITY) & known
        popularity = tf.gather(self._popularity, tf.where(known, movies, 0))
        rest = tf.where(unknown, popularity, tf.where(known, rest, 0.0))
        order = tf.argsort(tf.where(valid, weights, LOWEST), axis=1, direction="DESCENDING")
        past = tf.gather(tf.where(valid, recent, -1), order, axis=1, batch_dims=1)
        weights = tf.gather(tf.where(valid, weights, 0.0), order, axis=1, batch_dims=1)
        return {**self._named(past), f.WEIGHT: weights, f.REST: rest}

    def timeline(self, user_id: tf.Tensor, k: tf.Tensor) -> Outputs:
        """Return the k last movies of users' timelines, the newest first, and their lengths."""
        users = self._users.lookup(user_id)
        ends = self._timelines.ends_now(users)
        length = tf.cast(tf.clip_by_value(tf.reduce_max(k), 1, self._movie_count), tf.int64)
        movies = tf.reverse(self._timelines.recent(users, ends, length), axis=[1])
        rows = tf.where(movies < self._movie_count, movies, -1)
        return {**self._named(rows), f.COUNT: self._timelines.counts(users)}

    def _recent(self, users: tf.Tensor, named: tf.Tensor) -> tf.Tensor:
        """Return the last movies of timelines and then `named`, [batch, history_length]."""
        length = self._ranker.history_length
        timelines = self._timelines.recent(users, self._timelines.ends_now(users), length)
        recent = tf.concat([timelines, named], axis=1)
        order = tf.argsort(tf.cast(recent != self._movie_count, tf.int32), axis=1, stable=True)
        recent = tf.gather(recent, order, axis=1, batch_dims=1)
        return recent[:, tf.shape(recent)[1] - length :]

    def _source(self, users: tf.Tensor, recent: tf.Tensor) -> tf.Tensor:
        by_history = tf.reduce_any(recent != self._movie_count, axis=1)
        source = tf.where(by_history, FROM_HISTORY, FROM_POPULARITY)
        return tf.where(users < self._user_count, FROM_USER, source)

    def _scores_now(self, users: tf.Tensor, named: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return scores, [batch, movies and the ranker's padding], and their sources, [batch]."""

        def with_history() -> tuple[tf.Tensor, tf.Tensor]:
            recent = self._recent(users, named)
            source = self._source(users, recent)
            return self._ranker.scores(users, recent, source == FROM_POPULARITY), source

        def precomputed() -> tuple[tf.Tensor, tf.Tensor]:
            source = tf.where(users < self._user_count, FROM_USER, FROM_POPULARITY)
            return self._ranker.scores_now(users), source

        return tf.cond(tf.reduce_any(named != self._movie_count), with_history, precomputed)

    def _rows_of_movies(self, movie_ids: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        """Look up ids [rows or 1, n], as indices [rows, n]; padding gets the unknown movie's."""
        movies = self._movies.lookup(movie_ids)
        return tf.tile(movies, [rows // tf.maximum(tf.shape(movies)[0], 1), 1])

    def _cells(self, movies: tf.Tensor) -> tf.Tensor:
        """Return coordinates (row, movie) of the known movies among indices [batch, n]."""
        known = tf.where(movies < self._movie_count)
        return tf.stack([tf.cast(known[:, 0], tf.int32), tf.gather_nd(movies, known)], axis=1)

    def _named(self, movies: tf.Tensor) -> Outputs:
        """Return ids and titles of movie indices; "" for those below 0."""
        rows = tf.where(movies >= 0, movies, self._movie_count)
        return {
            f.MOVIE_ID: tf.gather(self._movie_ids, rows),
            f.TITLE: tf.gather(self._titles, rows),
        }

    def _rated(self, users: tf.Tensor, movies: tf.Tensor, times: tf.Tensor | None) -> Outputs:
        """Return stars, and the probability of a like if the model gives it."""
        rated = {f.RATING: self._ratings.stars(users, movies, times)}
        if self._ratings.gives_likes:
            rated[f.LIKE] = self._ratings.likes(users, movies, times)
        return rated


def _signed(name: str, function: Callable[..., Outputs]) -> Callable[..., Outputs]:
    """Make a graph with the inputs of the contract, in the order of the function's arguments."""
    inputs = SIGNATURES[name].inputs.values()
    specs = [
        tf.TensorSpec(None if one.rank is None else [None] * one.rank, one.dtype) for one in inputs
    ]
    # Without AutoGraph, which would spend seconds on translating code that needs none.
    return tf.function(function, input_signature=specs, autograph=False)


def _constant(values: object) -> tf.Variable:
    """Make a variable, as a constant in the graph may not exceed 2 GiB."""
    return tf.Variable(values, trainable=False)


class _Index(tf.Module):
    """Vocabulary lookup to int32; an unknown word gets the vocabulary's size."""

    def __init__(self, words: list[str]) -> None:
        super().__init__()
        self._table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant(words), tf.range(len(words), dtype=tf.int64)
            ),
            default_value=len(words),
        )

    def lookup(self, words: tf.Tensor) -> tf.Tensor:
        return tf.cast(self._table.lookup(words), tf.int32)
