"""Fields of a pair, each an embedding: the user, the movie, and what is known of the two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras as keras

from reelflow.encoding.encoded import EncodedData, Int32, Tokens
from reelflow.model.towers import CandidateTower, QueryTower, genre_shares
from reelflow.model.weights import GENRES, MOVIES, USERS, YEARS, Weight

UNKNOWN_RATE = 0.02
"""Share of training rows whose user, and of those whose movie, is hidden: they train the row that
strangers get."""


@dataclass(frozen=True)
class Field:
    """One field; its owner, a user or a movie, has one category of it or a mean of several."""

    name: str
    of_user: bool
    """Whose it is: the user's, or else the movie's."""
    categories: int
    table: Int32 | npt.NDArray[np.float32]
    """For each owner, the unknown one last: its category, int32 [owners + 1], or the weights of all
    categories, float32 [owners + 1, categories]."""
    identity: bool = False
    """Whether it says who the owner is, which is hidden now and then; the last category is the
    stranger's."""
    words: str = ""
    """What its categories are, as `reelflow.model.weights` names it."""


def user_field(data: EncodedData) -> Field:
    """The user's own embedding."""
    users = data.sizes.users
    table = np.arange(users + 1, dtype=np.int32)
    return Field("user", True, users + 1, table, identity=True, words=USERS)


def movie_field(data: EncodedData) -> Field:
    """The movie's own embedding; movies that nobody rated share the unknown movie's."""
    movies = len(data.catalogue)
    rows = np.where(data.rating_counts > 0, np.arange(movies), movies)
    rows = np.append(rows, movies).astype(np.int32)
    return Field("movie", False, movies + 1, rows, identity=True, words=MOVIES)


def genre_fields(data: EncodedData, count: int) -> list[Field]:
    """The movie's first `count` genres, a field each; the last category is none."""
    movies, none = len(data.catalogue), data.sizes.genres
    counts = data.catalogue.genre_counts
    starts = np.cumsum(counts) - counts
    fields = []
    for place in range(count):
        table = np.full(movies + 1, none, np.int32)
        has = np.flatnonzero(counts > place)
        table[has] = data.catalogue.genre_indices[starts[has] + place]
        fields.append(Field(f"genre_{place + 1}", False, none + 1, table, words=GENRES))
    return fields


def genres_field(data: EncodedData) -> Field:
    """All genres of the movie, their mean."""
    shares = genre_shares(data.catalogue, data.sizes.genres).numpy()
    table = np.pad(shares, [(0, 1), (0, 0)])
    return Field("genres", False, data.sizes.genres, table, words=GENRES)


def year_field(data: EncodedData) -> Field:
    """The release year, a category each; the last one is none."""
    years = data.catalogue.year
    known = sorted({year for year in years if year is not None})
    places = {year: place for place, year in enumerate(known)}
    table = [len(known) if year is None else places[year] for year in years]
    rows = np.array([*table, len(known)], np.int32)
    return Field("year", False, len(known) + 1, rows, words=YEARS)


def token_fields(tokens: Tokens | None, of_user: bool) -> list[Field]:
    """A field for each feature of words, such as `occupation`; of several words the first counts.

    Args:
        tokens: of all users or of all movies; None gives no field.
        of_user: whose they are.
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
    """A table of embeddings a field, of the rating model's own."""

    def __init__(self, fields: Sequence[Field], size: int, l2: float) -> None:
        super().__init__(name="fields")
        # The user's fields first: so it is in the exported tables, too.
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
        """What a later model can begin with."""
        return {
            field.name: Weight(table, field.words, stranger=field.identity)
            for field, table in zip(self.fields, self._embeddings, strict=True)
        }

    def tables(self) -> tuple[tf.Tensor, tf.Tensor]:
        """All users' and all movies' embeddings, float32 [owners + 1, fields, size] each."""
        sides = []
        for of_user in (True, False):
            places = [at for at, field in enumerate(self.fields) if field.of_user is of_user]
            owners = tf.range(len(self.fields[places[0]].table))
            sides.append(tf.stack([self._embed(at, owners) for at in places], axis=1))
        return sides[0], sides[1]

    def _embed(self, at: int, owners: tf.Tensor) -> tf.Tensor:
        found = tf.gather(self._tables[at], owners)
        if found.dtype == tf.float32:
            return tf.matmul(found, self._embeddings[at])
        return tf.gather(self._embeddings[at], found)


class TowerEmbeddings(keras.layers.Layer):
    """The retrieval towers' embeddings, trained by both tasks, as in TFRS's multi-task tutorial.

    For towers that know users by their ids alone: a user has one embedding then, whatever the time.
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
        """Nothing of its own."""
        return {}

    def tables(self) -> tuple[tf.Tensor, tf.Tensor]:
        """All users' and all movies' embeddings; the unknown movie's is the mean of the others."""
        users = tf.range(self._users + 1)
        movies = self._candidate_tower.catalogue()[:, :-1]
        movies = tf.concat([movies, tf.reduce_mean(movies, axis=0, keepdims=True)], axis=0)
        return self._queries(users, False)[:, None], movies[:, None]

    def _queries(self, users: tf.Tensor, training: bool | None) -> tf.Tensor:
        no_history = tf.zeros([tf.size(users), 0], tf.int32)
        return self._query_tower(users, no_history, training=training)[:, :-1]
