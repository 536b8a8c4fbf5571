"""The exported model: string ids in, recommendations out, as `saved_model.contract` promises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import tensorflow as tf

from reelflow.base import columns as f
from reelflow.config import ModelConfig
from reelflow.encoding.encoded import EncodedData
from reelflow.model.histories import Histories
from reelflow.model.layers import rows_of
from reelflow.model.ranking import LOWEST, mask, top_k
from reelflow.model.ready_lists import LENGTH, Columns, ReadyLists, Request
from reelflow.model.signing import Outputs, each, runs, select, side_by_side, signed
from reelflow.model.stages import Mixture, Stages
from reelflow.model.tasks import JointModel
from reelflow.model.timelines import Timelines
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
    SIMILAR,
    TIMELINE,
)

SAMPLE: Final = 256
"""Users whose queries an index is made for."""
REASONS: Final = 20
"""Movies that `explain` names, at most."""


class ServingModel(tf.Module):
    """A trained joint model with its vocabularies, catalogue and users' timelines."""

    def __init__(
        self,
        joint: JointModel,
        data: EncodedData,
        users: list[str],
        mixture: Mixture,
        config: ModelConfig,
        timelines: Timelines | None = None,
    ) -> None:
        """Freeze a trained model.

        Args:
            joint: see `Stages.of`.
            data: see `Stages.of`.
            users: see `Stages.of`.
            mixture: see `Stages.of`.
            config: see `Stages.of`.
            timelines: of all ratings; those hidden are what `evaluate`, and requests with
                `as_judged`, must not know. None: those of the test.
        """
        super().__init__()
        catalogue = data.catalogue
        self._user_count, self._movie_count = len(users), len(catalogue)
        self._movie_ids = _constant([*catalogue.movie_id, ""])
        self._titles = _constant([*catalogue.title, ""])
        timelines = timelines or Timelines(Histories.of_all(data))
        stages = Stages.of(joint, data, users, mixture, config, timelines)
        self._knowledge, self.ranker, self._ratings, self.final = stages
        self.ready_lists: ReadyLists | None = None
        self._config = config
        # Public: the report draws its map of movies from this variable of the SavedModel.
        movies = (
            joint.candidate_tower.served()[:, :-1]
            if joint.has_retrieval
            else self._ratings.directions
        )
        self.directions = _constant(tf.math.l2_normalize(movies, axis=1))

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
        return {name: signed(name, function) for name, function in functions.items()}

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
        users, k = self._knowledge.users(user_id), tf.reduce_max(k)
        request = Request(
            history, stars, exclusions, order, min_rating, include_seen, allowed, as_judged
        )

        # A function of its own, which is passed by as one step where it is not needed.
        @tf.function(autograph=False, experimental_attributes={"_noinline": True})
        def compute() -> tuple[tf.Tensor, ...]:
            return self._lists(users, k, request)

        if (ready := self.ready_lists) is None:
            columns = self._lists(users, k, request)
        else:
            known = request.says_nothing_new() & ready.hold(k)
            columns = tf.cond(known, lambda: self._ready(ready, users, k), compute)
        best, movies, rating, seen, source = columns
        return {
            **self._named(movies),
            f.SCORE: best,
            f.RATING: rating,
            f.SEEN: seen,
            f.SOURCE: source,
        }

    def _lists(self, users: tf.Tensor, k: tf.Tensor, request: Request) -> tuple[tf.Tensor, ...]:
        """Compute the lists of `recommend`: scores, movies, stars, seen, and sources."""
        keep, hide = each(request.include_seen, users), each(request.as_judged, users)
        exclusions = self._knowledge.rows_of(request.exclusions, tf.size(users))
        asked, named = self._knowledge.asked(users, request.history, request.stars, hide)
        seen = self._knowledge.seen(users, named, hide)
        excluded = self._knowledge.cells(exclusions)
        hidden = tf.gather(seen, tf.where(~tf.gather(keep, seen[:, 0]))[:, 0])
        weights = self.final.weights(each(request.order, users), asked)
        least = each(request.min_rating, users)
        left_out = tf.concat([hidden, excluded], axis=0)
        found = self.ranker.best(asked, left_out, request.allowed, self.final.searched(k, least))
        best, movies, rating = self.final.lists(asked, found, weights, k, least)
        # Most requests want nothing that was seen.
        flags = tf.cond(
            tf.reduce_any(keep),
            lambda: self._knowledge.among(movies, seen),
            lambda: tf.zeros_like(movies, tf.bool),
        )
        return best, movies, rating, flags, self._source(asked.is_known, asked.has_rated)

    def _ready(self, ready: ReadyLists, users: tf.Tensor, k: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Return what `_lists` would where requests say nothing new."""
        best, movies, rating = ready(users, k)
        source = self._source(users < self._user_count, self._knowledge.has_timeline(users))
        return best, movies, rating, tf.zeros_like(movies, tf.bool), source

    def prepare(self) -> None:
        """Make what is made once, for serving: index and ready lists, as the sizes ask for them."""
        config, users = self._config, self._knowledge.timelines.count
        if config.approximate_from is not None and self._movie_count >= config.approximate_from:
            some = tf.cast(tf.linspace(0, self._user_count - 1, SAMPLE), tf.int32)
            hide, usual = tf.zeros_like(some, tf.bool), Request.usual()
            asked, _ = self._knowledge.asked(some, usual.history, usual.stars, hide)
            self.ranker.make_index(asked, config.probed_buckets)
        if users > config.ready_lists:
            return
        request = Request.usual()

        def compute(batch: tf.Tensor) -> Columns:
            best, movies, rating, *_ = self._lists(batch, tf.constant(LENGTH), request)
            return best, movies, rating

        self.ready_lists = ReadyLists(compute, users, self._movie_count, config.candidates)

    def rate(self, user_id: tf.Tensor, movie_id: tf.Tensor) -> Outputs:
        """Return predicted stars of pairs of ids, string [batch]; unknown ids count as average."""
        users, movies = self._knowledge.users(user_id), self._knowledge.movies(movie_id)
        return {
            **self._rated(self._knowledge.trained(users), movies),
            KNOWN_USER: users < self._user_count,
            KNOWN_MOVIE: movies < self._movie_count,
        }

    def similar(self, movie_id: tf.Tensor, k: tf.Tensor) -> Outputs:
        """Return the k nearest movies by cosine of their embeddings, without the movie itself."""
        movies = self._knowledge.movies(movie_id)
        known = movies < self._movie_count
        directions = rows_of(self.directions, tf.where(known, movies, 0))
        cosines = tf.matmul(directions, self.directions, transpose_b=True)
        cosines = tf.where(known[:, None], cosines, LOWEST)
        scores = mask(cosines, self._knowledge.cells(movies[:, None]))
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
        users, movies = self._knowledge.users(user_id), self._knowledge.movies(movie_id)
        named = self._knowledge.movies(history)
        batch = tf.range(tf.size(users))
        alike = tf.reduce_all(named == self._movie_count) & (tf.size(order) == 1)
        queries, rows = tf.unique(tf.where(alike, users, batch))
        first = tf.math.unsorted_segment_min(batch, rows, tf.size(queries))
        one = tf.gather(users, first)
        asked, seen = self._knowledge.as_judged(one, select(history, first), select(stars, first))
        scores = self.ranker.scores(asked)
        weights = self.final.weights(tf.gather(each(order, users), first), asked)
        known = movies < self._movie_count
        targets = tf.where(known, movies, 0)
        raw, unseen = self.final.ranks(asked, scores, weights, seen, rows, targets)
        last = self._movie_count + 1
        return {
            **self._rated(self._knowledge.trained(users), movies),
            f.RANK_RAW: tf.where(known, raw, last),
            f.RANK_UNSEEN: tf.where(known, unseen, last),
        }

    def score(
        self, user_id: tf.Tensor, history: tf.Tensor, stars: tf.Tensor, as_judged: tf.Tensor
    ) -> Outputs:
        """Return retrieval scores of the whole catalogue in vocabulary order, and the seen movies.

        The first stage alone, unmasked: `recommend` puts its best into the final order.
        """
        users = self._knowledge.users(user_id)
        hide = each(as_judged, users)
        asked, named = self._knowledge.asked(users, history, stars, hide)
        return {
            f.SCORE: self.ranker.scores(asked)[:, : self._movie_count],
            f.SEEN: self._knowledge.seen_table(users, named, hide),
            f.SOURCE: self._source(asked.is_known, asked.has_rated),
        }

    def explain(
        self, user_id: tf.Tensor, movie_id: tf.Tensor, history: tf.Tensor, stars: tf.Tensor
    ) -> Outputs:
        """Return what well-rated movies of users add to the scores of others, the largest first.

        Only movies that the user rated at or above the user's own mean are named, and those of
        `history` without a worse opinion; `rest` is the remainder of the final score. Behind dense
        layers a movie's weight is by how much the score falls without it. Unknown movies, and
        scores by popularity, have no contributions. Rows of the same user with the same history
        should be neighbours, as what is known of each is computed once.

        Returns:
            Ids and titles, string [batch, n], weights and the user's stars, NaN where not known,
            float32 [batch, n], with n up to `REASONS`; and `rest`, float32 [batch].
        """
        rows = runs(user_id, history, stars)
        count = tf.reduce_max(tf.concat([rows, [-1]], axis=0)) + 1
        first = tf.math.unsorted_segment_min(tf.range(tf.size(rows)), rows, count)
        users, movies = self._knowledge.users(user_id), self._knowledge.movies(movie_id)
        one, stars = tf.gather(users, first), select(stars, first)
        hide = tf.zeros_like(one, tf.bool)
        asked, named = self._knowledge.asked(one, select(history, first), stars, hide)
        known = movies < self._movie_count
        targets = tf.where(known, movies, 0)
        rated, own_stars = self._knowledge.well_rated(one, named, stars)
        cells, table = side_by_side(targets, rows, first)
        explained = self.ranker.explained(asked, rated, table)
        weights, retrieval = (tf.gather_nd(one, cells) for one in explained)
        by_popularity = tf.gather(asked.by_popularity, rows)
        rated, own_stars = tf.gather(rated, rows), tf.gather(own_stars, rows)
        valid = (rated != self._movie_count) & (known & ~by_popularity)[:, None]
        weights = tf.where(valid, weights, LOWEST)
        count = tf.minimum(tf.shape(rated)[1], REASONS)
        best, places = tf.math.top_k(weights, count)
        past = tf.where(best > LOWEST, tf.gather(rated, places, axis=1, batch_dims=1), -1)
        best = tf.where(past >= 0, best, 0.0)
        order = self.final.weights(tf.fill(tf.shape(one), BLEND), asked).take(rows)
        likes = self.final.likes(self._ratings.stars(tf.gather(asked.users, rows), targets))
        score = tf.where(known, order.retrieval * retrieval + order.like * likes, 0.0)
        return {
            **self._named(past),
            f.WEIGHT: best,
            f.RATING: tf.gather(own_stars, places, axis=1, batch_dims=1),
            f.REST: score - tf.reduce_sum(best, axis=1),
        }

    def timeline(self, user_id: tf.Tensor, k: tf.Tensor) -> Outputs:
        """Return the k last movies of users, the newest first, their stars, and their number."""
        users = self._knowledge.users(user_id)
        length = tf.cast(tf.clip_by_value(tf.reduce_max(k), 1, self._movie_count), tf.int64)
        movies, stars = self._knowledge.timelines.latest_stars(users, length)
        movies, stars = tf.reverse(movies, axis=[1]), tf.reverse(stars, axis=[1])
        rows = tf.where(movies < self._movie_count, movies, -1)
        return {
            **self._named(rows),
            f.RATING: stars,
            f.COUNT: self._knowledge.timelines.counts(users),
        }

    def _source(self, is_known: tf.Tensor, has_rated: tf.Tensor) -> tf.Tensor:
        """Return `contract.Source` of each answer, string [batch]."""
        return tf.where(is_known, FROM_USER, tf.where(has_rated, FROM_HISTORY, FROM_POPULARITY))

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


def _constant(values: object) -> tf.Variable:
    """Make a variable, as a constant in the graph may not exceed 2 GiB."""
    return tf.Variable(values, trainable=False)
