"""Users' ratings in order of time: their histories, their seen movies, batches of rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras as keras

from reelflow.base import columns as f
from reelflow.encoding.encoded import EncodedRatings
from reelflow.model.histories import OPINION_MAX, Floats, Histories, Ordered
from reelflow.model.layers import ranges


class Past(NamedTuple):
    """Movies that users have rated, the oldest first, each [batch, n]."""

    movies: tf.Tensor
    """`movie_index`, int32, padded with the unknown movie."""
    opinions: tf.Tensor
    """By how many standard deviations of all ratings the user rated the movie above the user's own
    mean, from -2 to 2, float32; 0 for padding."""
    gaps: tf.Tensor
    """Time since the rating before it: 1 + log2(1 + seconds), rounded down, below `GAPS`, int32; 0
    for the first rating, for padding, and where a request names movies."""

    @classmethod
    def nothing(cls, batch: tf.Tensor | int) -> Past:
        """Return histories of no movies."""
        nothing = tf.zeros([batch, 0], tf.int32)
        return cls(nothing, tf.cast(nothing, tf.float32), nothing)

    def take(self, order: tf.Tensor) -> Past:
        """Select movies of each row by position, int [batch, n]."""
        return Past(*(tf.gather(column, order, axis=1, batch_dims=1) for column in self))


class Timelines(tf.Module):
    """Users' movies with their stars, concatenated by user; part of the exported model.

    A user's visible ratings come first, then the hidden ones, each part in order of time. Training
    reads the visible ones by position (`recent`), serving all of them, or with `as_judged` the
    visible ones, by user.
    """

    def __init__(self, histories: Histories) -> None:
        """Make the tables."""
        super().__init__()
        ordered = Ordered(histories)
        self.count = histories.count
        """Number of timelines."""
        self.unknown_movie = histories.unknown_movie
        """The `movie_index` that stands for no movie."""
        self.star_mean = ordered.star_mean
        """Mean of the visible ratings."""
        self.star_deviation = ordered.star_deviation
        """Standard deviation of the visible ratings."""
        self._movies = _table(ordered.movies, tf.int32, "movies")
        self._stars = _table(ordered.stars, tf.float32, "stars")
        self._offsets = _table(ordered.offsets, tf.int64, "offsets")
        self._visible_ends = _table(ordered.visible_ends, tf.int64, "visible_ends")
        self._own_means = _table(ordered.own_means, tf.float32, "own_means")
        self._opinions = _table(ordered.opinions(), tf.float32, "opinions")
        self._gaps = _table(ordered.gaps, tf.uint8, "gaps")
        self._again = _table(ordered.again, tf.bool, "again") if ordered.again.any() else None
        self._well_rated = _table(ordered.well_rated, tf.bool, "well_rated")
        self._by_time = self._in_time = None
        if (by_time := ordered.by_time) is not None:
            in_time = np.empty_like(by_time)
            in_time[by_time] = np.arange(len(by_time), dtype=by_time.dtype)
            self._by_time = _table(by_time, tf.as_dtype(by_time.dtype), "by_time")
            self._in_time = _table(in_time, tf.as_dtype(in_time.dtype), "in_time")

    def recent(self, users: tf.Tensor, ends: tf.Tensor, length: int | tf.Tensor) -> Past:
        """Return the visible movies of `users` just before the positions `ends`, the oldest first.

        Args:
            users: int [batch].
            ends: int64 [batch], a position inside the user's range or at its end.
            length: number of movies, at most.

        Returns:
            Columns [batch, length], padded on the left.
        """
        positions, inside = self._before(users, ends, length)
        return self._at(positions, inside)

    def at(self, positions: tf.Tensor) -> Past:
        """Return the movies at positions, int64, -1 for padding."""
        return self._at(tf.maximum(positions, 0), positions >= 0)

    def latest(self, users: tf.Tensor, length: int | tf.Tensor, as_judged: tf.Tensor) -> Past:
        """Return the last movies of `users`, as `recent` does.

        Args:
            users: int [batch].
            length: number of movies, at most.
            as_judged: bool [batch], True leaves out hidden ratings.
        """
        return self._at(*self._latest(users, length, as_judged))

    def latest_stars(self, users: tf.Tensor, length: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the last movies of `users`, as `latest`, and their stars, NaN for padding."""
        positions, inside = self._latest(users, length, tf.zeros_like(users, tf.bool))
        return self._at(positions, inside).movies, tf.where(
            inside, tf.gather(self._stars, positions), np.nan
        )

    def ends_now(self, users: tf.Tensor) -> tf.Tensor:
        """Return the ends of the users' visible ratings, int64 [batch]."""
        return tf.gather(self._visible_ends, users)

    def rated(
        self, users: tf.Tensor, as_judged: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """List the movies that users have rated.

        Each movie occurs once a user, at its first time, however often it was rated.

        Args:
            users: int [batch].
            as_judged: bool [batch], True leaves out hidden ratings.

        Returns:
            Row of the batch, int32 [n], ascending; `movie_index`, int32 [n]; opinion, float32 [n];
            age, int32 [n]: number of ratings of the user since, hidden ones only if they are known.
        """
        rows, positions = self._rated(users, as_judged)
        places = positions
        if self._in_time is not None:
            in_time = tf.cast(tf.gather(self._in_time, positions), tf.int64)
            places = tf.where(tf.gather(as_judged, rows), positions, in_time)
        ages = tf.gather(self._ends(users, as_judged), rows) - 1 - places
        columns = (tf.gather(table, positions) for table in (self._movies, self._opinions))
        return rows, *columns, tf.cast(ages, tf.int32)

    def well_rated(self, users: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """List what users have rated at or above their own means.

        Returns:
            Row of the batch, int32 [n], ascending; `movie_index`, int32 [n]; stars, float32 [n].
        """
        rows, positions = self._rated(users, tf.zeros_like(users, tf.bool))
        kept = tf.where(tf.gather(self._well_rated, positions))[:, 0]
        rows, positions = tf.gather(rows, kept), tf.gather(positions, kept)
        return rows, tf.gather(self._movies, positions), tf.gather(self._stars, positions)

    def seen(self, users: tf.Tensor, as_judged: tf.Tensor | None = None) -> tf.Tensor:
        """Return coordinates (row of the batch, movie) of movies that users rated, int32 [n, 2].

        Args:
            users: int [batch].
            as_judged: as for `rated`; None leaves hidden ratings out.
        """
        hide = tf.ones_like(users, tf.bool) if as_judged is None else as_judged
        rows, movies, *_ = self.rated(users, hide)
        return tf.stack([rows, movies], axis=1)

    def opinions_of(self, users: tf.Tensor, stars: tf.Tensor, as_judged: tf.Tensor) -> tf.Tensor:
        """Return the opinions that stars of a request express, float32 [batch, n].

        Stars that are not known, NaN, express none. A user without ratings is taken to have the
        mean of all.

        Args:
            users: int [batch].
            stars: float32 [batch, n].
            as_judged: bool [batch], True: hidden ratings say nothing of the user's mean.
        """
        only_hidden = self.ends_now(users) == tf.gather(self._offsets, users)
        own = tf.where(as_judged & only_hidden, np.nan, tf.gather(self._own_means, users))
        means = tf.where(tf.math.is_nan(own), self.star_mean, own)[:, None]
        opinions = (stars - means) / (self.star_deviation or 1.0)
        clipped = tf.clip_by_value(opinions, -OPINION_MAX, OPINION_MAX)
        return tf.where(tf.math.is_nan(stars), 0.0, clipped)

    def counts(self, users: tf.Tensor) -> tf.Tensor:
        """Return the number of ratings of each user, hidden ones included, int32 [batch]."""
        ends = tf.gather(self._offsets, users + 1)
        return tf.cast(ends - tf.gather(self._offsets, users), tf.int32)

    def _ends(self, users: tf.Tensor, as_judged: tf.Tensor) -> tf.Tensor:
        everything = tf.gather(self._offsets, users + 1)
        return tf.where(as_judged, tf.gather(self._visible_ends, users), everything)

    def _before(
        self, users: tf.Tensor, ends: tf.Tensor, length: int | tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return positions before `ends`, 0 where there are none, and which there are."""
        positions = ends[:, None] - tf.range(length, 0, -1, dtype=tf.int64)[None, :]
        inside = positions >= tf.gather(self._offsets, users)[:, None]
        return tf.where(inside, positions, tf.zeros_like(positions)), inside

    def _latest(
        self, users: tf.Tensor, length: int | tf.Tensor, as_judged: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        positions, inside = self._before(users, self._ends(users, as_judged), length)
        if self._by_time is not None:
            # Hidden ratings lie behind the visible ones, though not all of them are later.
            by_time = tf.cast(tf.gather(self._by_time, positions), tf.int64)
            positions = tf.where(as_judged[:, None], positions, by_time)
        return positions, inside

    def _at(self, positions: tf.Tensor, inside: tf.Tensor) -> Past:
        return Past(
            tf.where(inside, tf.gather(self._movies, positions), self.unknown_movie),
            tf.where(inside, tf.gather(self._opinions, positions), 0.0),
            tf.where(inside, tf.cast(tf.gather(self._gaps, positions), tf.int32), 0),
        )

    def _rated(self, users: tf.Tensor, as_judged: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rows, positions = ranges(tf.gather(self._offsets, users), self._ends(users, as_judged))
        if self._again is None:
            return rows, positions
        first = tf.where(~tf.gather(self._again, positions))[:, 0]
        return tf.gather(rows, first), tf.gather(positions, first)


def _table(values: npt.ArrayLike, dtype: tf.DType, name: str) -> tf.Variable:
    return tf.Variable(values, trainable=False, dtype=dtype, name=name)


Batch = dict[str, npt.NDArray[np.generic]]


class Batches(keras.utils.Sequence):
    """The ratings of a split in batches, in a new order each epoch.

    Each batch is gathered by index from memory-mapped columns.
    """

    def __init__(
        self, rows: EncodedRatings, batch_size: int, seed: int | None, by_counts: bool = False
    ) -> None:
        """Cut a split into batches.

        Args:
            rows: the split.
            batch_size: ratings a batch; the last one may be smaller.
            seed: of the order; None keeps the split's own order.
            by_counts: rows are drawn for each epoch, with replacement, in proportion to the
                logarithm of 1 plus their rating; needs a seed.
        """
        super().__init__()
        self._rows = rows
        self._batch_size = batch_size
        self._random = None if seed is None else np.random.default_rng(seed)
        self._order = np.arange(len(rows))
        self._shares: Floats | None = None
        if by_counts:
            weights = np.log1p(rows.rating.astype(np.float64))
            self._shares = weights / weights.sum()
        self.on_epoch_end()

    def __len__(self) -> int:
        return -(-len(self._rows) // self._batch_size)

    def __getitem__(self, index: int) -> Batch:
        at = slice(index * self._batch_size, (index + 1) * self._batch_size)
        rows = self._rows.take(self._order[at])
        return {
            f.USER_INDEX: rows.user_index,
            f.MOVIE_INDEX: rows.movie_index,
            f.RATING: rows.rating,
            f.TIMESTAMP: rows.timestamp,
            f.HISTORY_END: rows.history_end,
        }

    def on_epoch_end(self) -> None:
        """Draw the next epoch's order."""
        if self._random is None:
            return
        if self._shares is None:
            self._random.shuffle(self._order)
        else:
            self._order = self._random.choice(len(self._rows), len(self._rows), p=self._shares)


def sample_rows(rows: EncodedRatings, count: int, seed: int) -> EncodedRatings:
    """Draw at most `count` rows by seed, in their own order."""
    if len(rows) <= count:
        return rows
    drawn = np.random.default_rng(seed).choice(len(rows), count, replace=False)
    return rows.take(np.sort(drawn))
