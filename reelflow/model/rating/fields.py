"""Embedded fields of a pair for the network heads: user, movie, and their attributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras as keras

from reelflow.encoding.encoded import EncodedData, Int32, Tokens
from reelflow.model.candidates import CandidateTower, genre_shares
from reelflow.model.timelines import Past
from reelflow.model.towers import QueryTower
from reelflow.model.weights import GENRES, MOVIES, UNNAMED, USERS, YEARS, Weight

UNKNOWN_RATE = 0.02
"""Share of training rows whose user is hidden, and of those whose movie is, to train the rows of
the unknown ones."""


@dataclass(frozen=True)
class Field:
    """A categorical attribute of users or movies: one category an owner, or a mean of several."""

    name: str
    of_user: bool
    """True for an attribute of users, False for one of movies."""
    categories: int
    table: Int32 | npt.NDArray[np.float32]
    """Category of each owner, int32 [owners + 1], or the weights of all categories, float32
    [owners + 1, categories]; the last owner is the unknown one."""
    identity: bool = False
    """True if it identifies the owner, and is hidden in some training rows; the last category is
    then the unknown owner's."""
    vocabulary: str = UNNAMED
    """Vocabulary of the categories, as `reelflow.model.weights` names it."""


def user_field(data: EncodedData) -> Field:
    """Make the field of the user's identity."""
    users = data.sizes.users
    table = np.arange(users + 1, dtype=np.int32)
    return Field("user", True, users + 1, table, identity=True, vocabulary=USERS)


def movie_field(data: EncodedData) -> Field:
    """Make the field of the movie's identity; movies without ratings count as unknown."""
    movies = len(data.catalogue)
    rows = np.where(data.rating_counts > 0, np.arange(movies), movies)
    rows = np.append(rows, movies).astype(np.int32)
    return Field("movie", False, movies + 1, rows, identity=True, vocabulary=MOVIES)


def genre_fields(data: EncodedData, count: int) -> list[Field]:
    """Make a field of each of the movie's first `count` genres; the last category is none."""
    movies, none = len(data.catalogue), data.sizes.genres
    counts = data.catalogue.genre_counts
    starts = np.cumsum(counts) - counts
    fields = []
    for place in range(count):
        table = np.full(movies + 1, none, np.int32)
        has = np.flatnonzero(counts > place)
        table[has] = data.catalogue.genre_indices[starts[has] + place]
        fields.append(Field(f"genre_{place + 1}", False, none + 1, table, vocabulary=GENRES))
    return fields


def genres_field(data: EncodedData) -> Field:
    """Make one field of all genres of the movie, their mean."""
    shares = genre_shares(data.catalogue, data.sizes.genres).numpy()
    table = np.pad(shares, [(0, 1), (0, 0)])
    return Field("genres", False, data.sizes.genres, table, vocabulary=GENRES)


def year_field(data: EncodedData) -> Field:
    """Make the field of the release year; the last category is none."""
    years = data.catalogue.year
    known = sorted({year for year in years if year is not None})
    places = {year: place for place, year in enumerate(known)}
    table = [len(known) if year is None else places[year] for year in years]
    rows = np.array([*table, len(known)], np.int32)
    return Field("year", False, len(known) + 1, rows, vocabulary=YEARS)


def token_fields(tokens: Tokens | None, of_user: bool) -> list[Field]:
    """Make a field of each feature, such as `occupation`; an owner's first word of it counts.

    Args:
        tokens: features of all users or of all movies; None gives no field.
        of_user: True for features of users.
    """
    if tokens is None:
        return []
    names = np.array([word.partition("=")[0] for word in tokens.words])
    fields = []
    for name in tokens.names:
        words = np.flatnonzero(names == name)
        table = np.full(len(tokens.counts) + 1, len(words), np.int32)
        # The last writer wins: from the back, that is an owner's first word.
        here = np.flatnonzero(names[tokens.indices] == name)[::-1]
        table[tokens.owners[here]] = np.searchsorted(words, tokens.indices[here])
        fields.append(Field(name, of_user, len(words) + 1, table))
    return fields


class FieldEmbeddings(keras.layers.Layer):
    """Embeddings of the rating model's own, one table a field."""

    def __init__(self, fields: Sequence[Field], size: int, l2: float) -> None:
        super().__init__(name="fields")
        # The user's fields first, as in the exported tables.
        self.fields = sorted(fields, key=lambda field: not field.of_user)
        self._l2 = l2
        initializer = keras.initializers.RandomNormal(stddev=0.05)
        self._embeddings = [
            self.add_weight(field.name, [field.categories, size], initializer=initializer)
            for field in self.fields
        ]
        self._tables = [tf.constant(field.table) for field in self.fields]

    def call(self, users: tf.Tensor, movies: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Embed pairs.

        Args:
            users: int [batch]; either may be the unknown one.
            movies: int [batch]; either may be the unknown one.
            training: hides some users and some movies, and adds L2 losses.

        Returns:
            float32 [batch, fields, size].
        """
        rows = []
        for at, field in enumerate(self.fields):
            owners = users if field.of_user else movies
            if training and field.identity:
                hidden = tf.random.uniform(tf.shape(owners)) < UNKNOWN_RATE
                owners = tf.where(hidden, len(field.table) - 1, owners)
            rows.append(self._embed(at, owners))
        embedded = tf.stack(rows, axis=1)
        if training:
            squares = tf.reduce_sum(tf.square(embedded), axis=[1, 2])
            self.add_loss(self._l2 * tf.reduce_mean(squares))
        return embedded

    def named_weights(self) -> dict[str, Weight]:
        """Return the tables, for a later model to start with."""
        return {
            field.name: Weight(table, field.vocabulary, has_unknown_row=field.identity)
            for field, table in zip(self.fields, self._embeddings, strict=True)
        }

    def tables(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Embed all users and all movies, float32 [owners + 1, fields, size] each."""
        sides = []
        for of_user in (True, False):
            places = [at for at, field in enumerate(self.fields) if field.of_user is of_user]
            owners = tf.range(len(self.fields[places[0]].table))
            sides.append(tf.stack([self._embed(at, owners) for at in places], axis=1))
        return sides[0], sides[1]

    def _embed(self, at: int, owners: tf.Tensor) -> tf.Tensor:
        categories = tf.gather(self._tables[at], owners)
        if categories.dtype == tf.float32:
            return tf.matmul(categories, self._embeddings[at])
        return tf.gather(self._embeddings[at], categories)


class TowerEmbeddings(keras.layers.Layer):
    """The retrieval towers' outputs, trained by both tasks, as in TFRS's multi-task tutorial.

    For query towers without history: a user then has one embedding, whatever the time.
    """

    def __init__(
        self, users: int, query_tower: QueryTower, candidate_tower: CandidateTower
    ) -> None:
        super().__init__(name="towers")
        self._users = users
        self._query_tower, self._candidate_tower = query_tower, candidate_tower

    def call(self, users: tf.Tensor, movies: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Embed known pairs, float32 [batch, 2, size]; dropout and L2 are the towers'."""
        query = self._queries(users, training)
        return tf.stack([query, self._candidate_tower(movies)[:, :-1]], axis=1)

    def named_weights(self) -> dict[str, Weight]:
        """Return nothing, as the weights are the towers'."""
        return {}

    def tables(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Embed all users and all movies; the unknown movie is the mean of the others."""
        users = tf.range(self._users + 1)
        movies = self._candidate_tower.catalogue()[:, :-1]
        movies = tf.concat([movies, tf.reduce_mean(movies, axis=0, keepdims=True)], axis=0)
        return self._queries(users, False)[:, None], movies[:, None]

    def _queries(self, users: tf.Tensor, training: bool | None) -> tf.Tensor:
        return self._query_tower(users, Past.nothing(tf.size(users)), training=training)[:, :-1]
