"""The exported model: string ids in, recommendations out, as `saved_model.contract` promises."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import tensorflow as tf

from reelflow.base import columns as f
from reelflow.config import ModelConfig
from reelflow.encoding.encoded import EncodedData
from reelflow.model.final_order import FinalOrder
from reelflow.model.items import ItemWeights, LinearItems
from reelflow.model.rankers import Asked, Ranker, RatingRanker, TowerRanker
from reelflow.model.ranking import LOWEST, mask, top_k
from reelflow.model.tasks import JointModel
from reelflow.model.timelines import Histories, Timelines
from reelflow.saved_model.contract import (
    BLEND,
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

REASONS: Final = 20
"""Movies that `explain` names, at most."""


@dataclass(frozen=True)
class Mixture:
    """What is added to a trained joint model before it is exported."""

    items: ItemWeights | None = None
    """The linear item model; None: retrieval is by the towers alone."""
    item_share: float = 0.0
    """Share of the linear item model in the retrieval score, 0 to 1."""
    blend: float = 0.0
    """Weight of the predicted like in the final order."""


class ServingModel(tf.Module):
    """A trained joint model with its vocabularies, catalogue and users' timelines."""

    def __init__(
        self,
        joint: JointModel,
        data: EncodedData,
        users: list[str],
        mixture: Mixture,
        config: ModelConfig,
        hidden: Sequence[str] = (f.TEST,),
    ) -> None:
        """Freeze a trained model.

        Args:
            joint: the trained model.
            data: the training data, with the ratings held out from it.
            users: the user vocabulary, in order.
            mixture: the linear item model, and the weights of all parts.
            config: the section `model`.
            hidden: splits whose ratings `evaluate`, and requests with `as_judged`, must not know.
        """
        super().__init__()
        catalogue = data.catalogue
        self._users = _Index(users, data.new_users.user_id)
        self._movies = _Index(catalogue.movie_id)
        self._user_count, self._movie_count = len(users), len(catalogue)
        self._movie_ids = _constant([*catalogue.movie_id, ""])
        self._titles = _constant([*catalogue.title, ""])
        self._timelines = Timelines(Histories.of_all(data, hidden))
        self._ratings = joint.frozen_ratings()
        items = None
        if mixture.items is not None:
            items = LinearItems(mixture.items, self._movie_count, config.item_opinion)
        self.ranker = self._make_ranker(joint, data, items, mixture.item_share)
        self.final = FinalOrder(
            self._ratings,
            (self._timelines.star_mean, self._timelines.star_deviation),
            mixture.blend if joint.has_retrieval and joint.has_rating else 0.0,
            config.candidates,
            self._movie_count,
            self.ranker.block,
        )
        # Public: the report draws its map of movies from this variable of the SavedModel.
        self.directions = _constant(tf.math.l2_normalize(self.ranker.directions, axis=1))

    def _make_ranker(
        self, joint: JointModel, data: EncodedData, items: LinearItems | None, share: float
    ) -> Ranker:
        if joint.has_retrieval:
            return TowerRanker(joint, data, items, share)
        return RatingRanker(joint, self._ratings)

    def signatures(self) -> dict[str, Callable[..., Outputs]]:
        """Return the functions to export by the name of their signature in `contract.SIGNATURES`.

        Inputs with a default have it here too: TF Serving applies it, and Python does not.
        """
        functions: dict[str, Callable[..., Outputs]] = {
            RECOMMEND: self.recommend,
            RATE: self.rate,
            SIMILAR: self.similar,
            EVALUATE: self.evaluate,
            SCORE_ALL: self.score,
            EXPLAIN: self.explain,
            TIMELINE: self.timeline,
        }
        return {name: _signed(name, function) for name, function in functions.items()}

    def recommend(
        self,
        user_id: tf.Tensor,
        history: tf.Tensor,
        stars: tf.Tensor,
        exclusions: tf.Tensor,
        k: tf.Tensor,
        order: tf.Tensor,
        min_rating: tf.Tensor,
        include_seen: tf.Tensor,
        allowed: tf.Tensor,
        as_judged: tf.Tensor,
    ) -> Outputs:
        """Return the k best movies for each user, in the final order.

        Movies that the user has rated or that the request names are left out. A user whom train
        does not have is answered from what it has rated since and from `history`, and without any
        gets the popular movies; `source` names the case.

        Args:
            user_id: string [batch].
            history: movie ids, the newest last, string [batch or 1, n], padded with "".
            stars: of `history`, NaN where not known, float32 of the same shape, or [batch or 1, 1].
            exclusions: movie ids, string [batch or 1, n], padded with "".
            k: number of movies, int32, a scalar; of several the largest.
            order: one of `contract.ORDERS`, string [batch] or a scalar.
            min_rating: least predicted stars, float32 [batch] or a scalar.
            include_seen: True keeps rated and named movies, bool [batch] or a scalar.
            allowed: movies that may be in the list, bool [batch or 1, movies or 1], in the order of
                the catalogue.
            as_judged: True hides the test ratings, bool [batch] or a scalar.
        """
        users = self._users.lookup(user_id)
        keep, hide = _each(include_seen, users), _each(as_judged, users)
        asked, named = self._asked(users, history, stars, hide)
        seen = self._seen(users, named, hide)
        scores = self.ranker.scores(asked)
        left_out = seen & ~keep[:, None]
        left_out |= self._table(self._rows_of_movies(exclusions, tf.size(users)))
        left_out |= ~allowed
        left_out = tf.pad(left_out, [[0, 0], [0, tf.shape(scores)[1] - self._movie_count]])
        scores = tf.where(left_out, LOWEST, scores)
        weights = self.final.weights(_each(order, users), asked)
        least = _each(min_rating, users)
        best, movies, rating = self.final.lists(asked, scores, weights, tf.reduce_max(k), least)
        flags = tf.gather(seen, tf.maximum(movies, 0), axis=1, batch_dims=1)
        return {
            **self._named(movies),
            f.SCORE: best,
            f.RATING: rating,
            f.SEEN: flags & (movies >= 0),
            f.SOURCE: self._source(asked),
        }

    def as_judged(self, users: tf.Tensor) -> tuple[Asked, tf.Tensor]:
        """Return what may be known of users where a model is judged, and what they have seen.

        Args:
            users: distinct `user_index`, int32 [batch].

        Returns:
            Queries, and coordinates (query, movie), int32 [n, 2], ascending and distinct.
        """
        return self._judged(users, tf.constant([[""]]), tf.constant([[np.nan]], tf.float32))

    def _judged(
        self, users: tf.Tensor, history: tf.Tensor, stars: tf.Tensor
    ) -> tuple[Asked, tf.Tensor]:
        hide = tf.ones_like(users, tf.bool)
        asked, named = self._asked(users, history, stars, hide)
        return asked, tf.cast(tf.where(self._seen(users, named, hide)), tf.int32)

    def rate(self, user_id: tf.Tensor, movie_id: tf.Tensor) -> Outputs:
        """Return predicted stars of pairs of ids, string [batch]; unknown ids count as average."""
        users, movies = self._users.lookup(user_id), self._movies.lookup(movie_id)
        return {
            **self._rated(self._trained(users), movies),
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

    def evaluate(
        self,
        user_id: tf.Tensor,
        movie_id: tf.Tensor,
        history: tf.Tensor,
        stars: tf.Tensor,
        order: tf.Tensor,
    ) -> Outputs:
        """Return predicted stars and exact ranks of movies, as served with the test hidden.

        A rank is the place of the movie in the list that `recommend` gives the user, with rated
        movies (`rank_raw`) and without (`rank_unseen`). An unknown movie ranks behind all others.

        Args:
            user_id: string [batch]; rows of the same user should be neighbours, as each user is
                scored once.
            movie_id: string [batch].
            history: as for `recommend`: what the user has done since.
            stars: as for `recommend`.
            order: as for `recommend`.
        """
        users, movies = self._users.lookup(user_id), self._movies.lookup(movie_id)
        named = self._movies.lookup(history)
        batch = tf.range(tf.size(users))
        alike = tf.reduce_all(named == self._movie_count) & (tf.size(order) == 1)
        queries, rows = tf.unique(tf.where(alike, users, batch))
        first = tf.math.unsorted_segment_min(batch, rows, tf.size(queries))
        one = tf.gather(users, first)
        asked, seen = self._judged(one, _rows(history, first), _rows(stars, first))
        scores = self.ranker.scores(asked)
        weights = self.final.weights(tf.gather(_each(order, users), first), asked)
        known = movies < self._movie_count
        targets = tf.where(known, movies, 0)
        raw, unseen = self.final.ranks(asked, scores, weights, seen, rows, targets)
        last = self._movie_count + 1
        return {
            **self._rated(self._trained(users), movies),
            f.RANK_RAW: tf.where(known, raw, last),
            f.RANK_UNSEEN: tf.where(known, unseen, last),
        }

    def score(
        self, user_id: tf.Tensor, history: tf.Tensor, stars: tf.Tensor, as_judged: tf.Tensor
    ) -> Outputs:
        """Return retrieval scores of the whole catalogue in vocabulary order, and the seen movies.

        The first stage alone, unmasked: `recommend` puts its best into the final order.
        """
        users = self._users.lookup(user_id)
        hide = _each(as_judged, users)
        asked, named = self._asked(users, history, stars, hide)
        return {
            f.SCORE: self.ranker.scores(asked)[:, : self._movie_count],
            f.SEEN: self._seen(users, named, hide),
            f.SOURCE: self._source(asked),
        }

    def explain(
        self, user_id: tf.Tensor, movie_id: tf.Tensor, history: tf.Tensor, stars: tf.Tensor
    ) -> Outputs:
        """Return what well-rated movies of users add to the scores of others, the largest first.

        Only movies that the user rated at or above the user's own mean are named, and those of
        `history` without a worse opinion; `rest` is the remainder of the final score. Behind dense
        layers a movie's weight is by how much the score falls without it. Unknown movies, and
        scores by popularity, have no contributions.

        Returns:
            Ids and titles, string [batch, n], weights and the user's stars, NaN where not known,
            float32 [batch, n], with n up to `REASONS`; and `rest`, float32 [batch].
        """
        users, movies = self._users.lookup(user_id), self._movies.lookup(movie_id)
        hide = tf.zeros_like(users, tf.bool)
        asked, named = self._asked(users, history, stars, hide)
        known = movies < self._movie_count
        targets = tf.where(known, movies, 0)
        rated, opinions, own_stars = self._well_rated(users, named, history, stars)
        weights = self.ranker.shares(asked, rated, opinions, targets)
        valid = (rated != self._movie_count) & known[:, None] & ~asked.by_popularity[:, None]
        weights = tf.where(valid, weights, LOWEST)
        count = tf.minimum(tf.shape(rated)[1], REASONS)
        best, places = tf.math.top_k(weights, count)
        past = tf.where(best > LOWEST, tf.gather(rated, places, axis=1, batch_dims=1), -1)
        best = tf.where(past >= 0, best, 0.0)
        cells = tf.stack([tf.range(tf.size(users)), targets], axis=1)
        order = self.final.weights(tf.fill(tf.shape(users), BLEND), asked)
        retrieval = tf.gather_nd(self.ranker.scores(asked), cells)
        likes = self.final.likes(self._ratings.stars(asked.users, targets))
        score = tf.where(known, order.retrieval * retrieval + order.like * likes, 0.0)
        return {
            **self._named(past),
            f.WEIGHT: best,
            f.RATING: tf.gather(own_stars, places, axis=1, batch_dims=1),
            f.REST: score - tf.reduce_sum(best, axis=1),
        }

    def timeline(self, user_id: tf.Tensor, k: tf.Tensor) -> Outputs:
        """Return the k last movies of users, the newest first, their stars, and their number."""
        users = self._users.lookup(user_id)
        length = tf.cast(tf.clip_by_value(tf.reduce_max(k), 1, self._movie_count), tf.int64)
        movies, stars = self._timelines.latest_stars(users, length)
        movies, stars = tf.reverse(movies, axis=[1]), tf.reverse(stars, axis=[1])
        rows = tf.where(movies < self._movie_count, movies, -1)
        return {
            **self._named(rows),
            f.RATING: stars,
            f.COUNT: self._timelines.counts(users),
        }

    def _asked(
        self, users: tf.Tensor, history: tf.Tensor, stars: tf.Tensor, hide: tf.Tensor
    ) -> tuple[Asked, tf.Tensor]:
        """Join timelines and the requests' own histories.

        Returns:
            What is known of the users, and `movie_index` of `history`, int32 [batch, n].
        """
        named = self._rows_of_movies(history, tf.size(users))
        given = tf.broadcast_to(stars, tf.shape(named))
        opinions = self._timelines.opinions_of(users, given)
        length = self.ranker.history_length
        latest, felt = self._timelines.latest(users, length, hide)
        recent = tf.concat([latest, named], axis=1)
        felt = tf.concat([felt, opinions], axis=1)
        order = tf.argsort(tf.cast(recent != self._movie_count, tf.int32), axis=1, stable=True)
        order = order[:, tf.shape(recent)[1] - length :]
        rows, movies, rated = self._timelines.rated(users, hide)
        known = tf.cast(tf.where(named < self._movie_count), tf.int32)
        asked = Asked(
            users=self._trained(users),
            recent=tf.gather(recent, order, axis=1, batch_dims=1),
            opinions=tf.gather(felt, order, axis=1, batch_dims=1),
            rated_rows=tf.concat([rows, known[:, 0]], axis=0),
            rated_movies=tf.concat([movies, tf.gather_nd(named, known)], axis=0),
            rated_opinions=tf.concat([rated, tf.gather_nd(opinions, known)], axis=0),
            is_known=users < self._user_count,
            has_rated=self._has_history(rows, named),
        )
        return asked, named

    def _has_history(self, rows: tf.Tensor, named: tf.Tensor) -> tf.Tensor:
        """Return True where a history alone gives an answer, bool [batch]."""
        batch = tf.shape(named)[0]
        if not self.ranker.uses_histories:
            return tf.zeros([batch], tf.bool)
        counts = tf.math.unsorted_segment_sum(tf.ones_like(rows), rows, batch)
        return (counts > 0) | tf.reduce_any(named < self._movie_count, axis=1)

    def _well_rated(
        self, users: tf.Tensor, named: tf.Tensor, history: tf.Tensor, stars: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return movies that may be reasons, padded, their opinions and stars, [batch, n] each."""
        batch = tf.size(users)
        rows, *columns = self._timelines.well_rated(users)
        timeline = [
            tf.RaggedTensor.from_value_rowids(column, rows, nrows=batch).to_tensor(padding)
            for column, padding in zip(columns, (self._movie_count, 0.0, np.nan), strict=True)
        ]
        given = tf.broadcast_to(stars, tf.shape(named))
        opinions = self._timelines.opinions_of(users, given)
        twice = tf.reduce_any(named[:, :, None] == timeline[0][:, None, :], axis=2)
        fits = (opinions >= 0.0) & ~twice
        request = [tf.where(fits, named, self._movie_count), opinions, given]
        movies, felt, own = (
            tf.concat(pair, axis=1) for pair in zip(timeline, request, strict=True)
        )
        return movies, felt, own

    def _trained(self, users: tf.Tensor) -> tf.Tensor:
        """Return users as the trained model numbers them: new users are unknown to it."""
        return tf.minimum(users, self._user_count)

    def _rows_of_movies(self, movie_ids: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        """Look up ids [rows or 1, n], as indices [rows, n]; padding gets the unknown movie's."""
        movies = self._movies.lookup(movie_ids)
        return tf.tile(movies, [rows // tf.maximum(tf.shape(movies)[0], 1), 1])

    def _source(self, asked: Asked) -> tf.Tensor:
        """Return `contract.Source` of each answer, string [batch]."""
        unknown = tf.where(asked.has_rated, FROM_HISTORY, FROM_POPULARITY)
        return tf.where(asked.is_known, FROM_USER, unknown)

    def _seen(self, users: tf.Tensor, named: tf.Tensor, hide: tf.Tensor) -> tf.Tensor:
        """Return True for movies that users have rated or requests name, bool [batch, movies]."""
        cells = tf.concat([self._timelines.seen(users, hide), self._cells(named)], axis=0)
        return self._marked(cells, tf.size(users))

    def _table(self, movies: tf.Tensor) -> tf.Tensor:
        """Return True for the known movies of each row of indices, bool [batch, movies]."""
        return self._marked(self._cells(movies), tf.shape(movies)[0])

    def _marked(self, cells: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        empty = tf.zeros([rows, self._movie_count], tf.bool)
        return tf.tensor_scatter_nd_update(empty, cells, tf.ones_like(cells[:, 0], tf.bool))

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

    def _rated(self, users: tf.Tensor, movies: tf.Tensor) -> Outputs:
        """Return stars, and the probability of a like if the model gives it."""
        rated = {f.RATING: self._ratings.stars(users, movies)}
        if self._ratings.gives_likes:
            rated[f.LIKE] = self._ratings.likes(users, movies)
        return rated


def _signed(name: str, function: Callable[..., Outputs]) -> Callable[..., Outputs]:
    """Make a graph with the inputs of the contract, and their defaults."""
    inputs = SIGNATURES[name].inputs
    parameters = [
        inspect.Parameter(
            key,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=inspect.Parameter.empty
            if one.default is None
            else tf.constant(one.default, tf.as_dtype(one.dtype)),
        )
        for key, one in inputs.items()
    ]

    def signature(*values: tf.Tensor) -> Outputs:
        return function(*values)

    # TensorFlow takes names and defaults of a signature's inputs from the function.
    signature.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    specs = [
        tf.TensorSpec(None if one.rank is None else [None] * one.rank, one.dtype)
        for one in inputs.values()
    ]
    # Without AutoGraph, which would spend seconds on translating code that needs none.
    return tf.function(signature, input_signature=specs, autograph=False)


def _each(value: tf.Tensor, users: tf.Tensor) -> tf.Tensor:
    """Return an input of any shape as one value for each request, [batch]."""
    return tf.broadcast_to(tf.reshape(value, [-1]), tf.shape(users))


def _rows(matrix: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Select rows of a matrix; one that has a single row for all stays as it is."""
    return tf.cond(tf.shape(matrix)[0] == 1, lambda: matrix, lambda: tf.gather(matrix, rows))


def _constant(values: object) -> tf.Variable:
    """Make a variable, as a constant in the graph may not exceed 2 GiB."""
    return tf.Variable(values, trainable=False)


class _Index(tf.Module):
    """Vocabulary lookup to int32; an unknown word gets the vocabulary's size, `more` follow it."""

    def __init__(self, words: list[str], more: list[str] | None = None) -> None:
        super().__init__()
        all_words = [*words, *(more or ())]
        indices = np.arange(len(all_words))
        indices[len(words) :] += 1
        self._table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant(all_words, tf.string), tf.constant(indices, tf.int64)
            ),
            default_value=len(words),
        )

    def lookup(self, words: tf.Tensor) -> tf.Tensor:
        return tf.cast(self._table.lookup(words), tf.int32)
