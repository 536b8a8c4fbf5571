"""Knowledge of the users of requests: their timelines and the requests' own histories."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from reelflow.encoding.encoded import EncodedData
from reelflow.model.terms import Asked
from reelflow.model.timelines import Past, Timelines


class Knowledge(tf.Module):
    """Vocabularies and timelines of an exported model.

    Requests bring movies by id, int32 [batch, n] once looked up (*named*), and their stars.
    """

    def __init__(
        self,
        data: EncodedData,
        users: list[str],
        timelines: Timelines,
        length: int,
        uses_histories: bool,
    ) -> None:
        """Make the tables.

        Args:
            data: for the catalogue, and the new users.
            users: the user vocabulary, in order.
            timelines: of all ratings; those that a model is judged by are hidden.
            length: of `Asked.recent`.
            uses_histories: True if a history alone gives an answer.
        """
        super().__init__()
        self._users = _Index(users, data.new_users.user_id)
        self._movies = _Index(data.catalogue.movie_id)
        self.user_count, self.movie_count = len(users), len(data.catalogue)
        self.timelines = timelines
        self._length, self._uses_histories = length, uses_histories

    def users(self, user_id: tf.Tensor) -> tf.Tensor:
        """Return numbers of timelines, int32 [batch]: of train, the unknown user, new users."""
        return self._users.lookup(user_id)

    def movies(self, movie_id: tf.Tensor) -> tf.Tensor:
        """Return `movie_index`, int32 of the same shape; the number of movies if unknown."""
        return self._movies.lookup(movie_id)

    def asked(
        self, users: tf.Tensor, history: tf.Tensor, stars: tf.Tensor, hide: tf.Tensor
    ) -> tuple[Asked, tf.Tensor]:
        """Join timelines and the requests' own histories.

        Args:
            users: numbers of timelines, int32 [batch].
            history: movie ids, the newest last, string [batch or 1, n], padded with "".
            stars: of `history`, NaN where not known, float32 of the same shape, or [batch or 1, 1].
            hide: True leaves hidden ratings out, bool [batch].

        Returns:
            What is known of the users, and `movie_index` of `history`, int32 [batch, n].
        """
        named = self.rows_of(history, tf.size(users))
        given = tf.broadcast_to(stars, tf.shape(named))
        opinions = self.timelines.opinions_of(users, given, hide)
        latest = self.timelines.latest(users, self._length, hide)
        told = Past(named, opinions, tf.zeros_like(named))
        recent = Past(*(tf.concat(pair, axis=1) for pair in zip(latest, told, strict=True)))
        is_known = tf.cast(recent.movies != self.movie_count, tf.int32)
        order = tf.argsort(is_known, axis=1, stable=True)
        order = order[:, tf.shape(order)[1] - self._length :]
        rows, movies, rated, ages = self.timelines.rated(users, hide)
        is_known = tf.cast(named < self.movie_count, tf.int32)
        known = tf.cast(tf.where(is_known), tf.int32)
        since = tf.cumsum(is_known, axis=1, exclusive=True, reverse=True)
        ages += tf.gather(tf.reduce_sum(is_known, axis=1), rows)
        asked = Asked(
            users=self.trained(users),
            recent=recent.take(order),
            rated_rows=tf.concat([rows, known[:, 0]], axis=0),
            rated_movies=tf.concat([movies, tf.gather_nd(named, known)], axis=0),
            rated_opinions=tf.concat([rated, tf.gather_nd(opinions, known)], axis=0),
            rated_ages=tf.concat([ages, tf.gather_nd(since, known)], axis=0),
            is_known=users < self.user_count,
            has_rated=self._has_history(rows, named),
        )
        return asked, named

    def as_judged(
        self, users: tf.Tensor, history: tf.Tensor | None = None, stars: tf.Tensor | None = None
    ) -> tuple[Asked, tf.Tensor]:
        """Return what may be known of users where a model is judged, and what they have seen.

        Args:
            users: numbers of timelines, int32 [batch].
            history: as for `asked`; None: there is none.
            stars: as for `asked`.

        Returns:
            Queries, and coordinates (query, movie), int32 [n, 2], ascending and distinct.
        """
        history = tf.constant([[""]]) if history is None else history
        stars = tf.constant([[np.nan]], tf.float32) if stars is None else stars
        hide = tf.ones_like(users, tf.bool)
        asked, named = self.asked(users, history, stars, hide)
        return asked, tf.cast(tf.where(self.seen_table(users, named, hide)), tf.int32)

    def _has_history(self, rows: tf.Tensor, named: tf.Tensor) -> tf.Tensor:
        """Return True where a history alone gives an answer, bool [batch]."""
        batch = tf.shape(named)[0]
        if not self._uses_histories:
            return tf.zeros([batch], tf.bool)
        counts = tf.math.unsorted_segment_sum(tf.ones_like(rows), rows, batch)
        return (counts > 0) | tf.reduce_any(named < self.movie_count, axis=1)

    def has_timeline(self, users: tf.Tensor) -> tf.Tensor:
        """Return True where ratings alone give an answer, bool [batch]."""
        return (self.timelines.counts(users) > 0) & self._uses_histories

    def well_rated(
        self, users: tf.Tensor, named: tf.Tensor, stars: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return movies that may be reasons, each once, padded, [batch, n].

        What a request says of a movie counts more than the timeline, a later entry of it more than
        an earlier one; a movie that it names without stars is no reason against the timeline.

        Args:
            users: numbers of timelines, int32 [batch].
            named: `movie_index` of the requests' histories, int32 [batch, n].
            stars: of these, as for `asked`.

        Returns:
            `movie_index`, int32; and stars, NaN where not known, float32.
        """
        batch, everything = tf.size(users), tf.zeros_like(users, tf.bool)
        rows, *columns = self.timelines.well_rated(users)
        past, own = (
            tf.RaggedTensor.from_value_rowids(column, rows, nrows=batch).to_tensor(padding)
            for column, padding in zip(columns, (self.movie_count, np.nan), strict=True)
        )
        given = tf.broadcast_to(stars, tf.shape(named))
        opinions = self.timelines.opinions_of(users, given, everything)
        same = named[:, :, None] == past[:, None, :]
        past = tf.where(
            tf.reduce_any(same & (opinions < 0.0)[:, :, None], axis=1), self.movie_count, past
        )
        rated = tf.pad(self._table(self.timelines.seen(users, everything), batch), [[0, 0], [0, 1]])
        rated_before = tf.gather(rated, named, axis=1, batch_dims=1)
        places = tf.range(tf.shape(named)[1])
        again = (named[:, :, None] == named[:, None, :]) & (places[:, None] < places)
        fits = (opinions >= 0.0) & ~tf.reduce_any(same, axis=2) & ~tf.reduce_any(again, axis=2)
        fits &= ~(rated_before & tf.math.is_nan(given))
        movies = tf.concat([past, tf.where(fits, named, self.movie_count)], axis=1)
        return movies, tf.concat([own, given], axis=1)

    def trained(self, users: tf.Tensor) -> tf.Tensor:
        """Return users as the trained model numbers them: new users are unknown to it."""
        return tf.minimum(users, self.user_count)

    def rows_of(self, movie_ids: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        """Look up ids [rows or 1, n], as indices [rows, n]; padding gets the unknown movie's."""
        movies = self._movies.lookup(movie_ids)
        return tf.tile(movies, [rows // tf.maximum(tf.shape(movies)[0], 1), 1])

    def seen(self, users: tf.Tensor, named: tf.Tensor, hide: tf.Tensor) -> tf.Tensor:
        """Return coordinates (row, movie) of what users have rated or requests name, int32 [n, 2].

        In any order; some may be there twice.
        """
        return tf.concat([self.timelines.seen(users, hide), self.cells(named)], axis=0)

    def seen_table(self, users: tf.Tensor, named: tf.Tensor, hide: tf.Tensor) -> tf.Tensor:
        """Return True for what users have rated or requests name, bool [batch, movies]."""
        return self._table(self.seen(users, named, hide), tf.size(users))

    def among(self, movies: tf.Tensor, cells: tf.Tensor) -> tf.Tensor:
        """Return which movies, -1 for none, int32 [batch, n], are among coordinates, bool."""
        table = self._table(cells, tf.shape(movies)[0])
        found = tf.gather(table, tf.maximum(movies, 0), axis=1, batch_dims=1)
        return found & (movies >= 0)

    def _table(self, cells: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        empty = tf.zeros([rows, self.movie_count], tf.bool)
        return tf.tensor_scatter_nd_update(empty, cells, tf.ones_like(cells[:, 0], tf.bool))

    def cells(self, movies: tf.Tensor) -> tf.Tensor:
        """Return coordinates (row, movie) of the known movies among indices [batch, n]."""
        known = tf.where(movies < self.movie_count)
        return tf.stack([tf.cast(known[:, 0], tf.int32), tf.gather_nd(movies, known)], axis=1)


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
