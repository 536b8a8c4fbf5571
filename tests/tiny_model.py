"""A tiny SavedModel with all signatures (docs/architecture.md), for tests of what uses a model.

Five users, twelve movies, weights from a seed; nothing is trained. Movie "12" has no ratings,
movies "3" and "4" have the same title.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from reelflow.saved_model import files, golden
from reelflow.saved_model.client import Signatures
from reelflow.saved_model.contract import SIGNATURES
from reelflow.saved_model.files import CATALOGUE, GOLDEN, ModelInfo, StarScale
from reelflow.saved_model.manifest import write_manifest

USERS = ["1", "2", "3", "4", "5"]
MOVIES = [str(number) for number in range(1, 13)]
TITLES = ["Toy Story (1995)", "Jumanji (1995)", "Twins (1988)", "Twins (1988)"]
TITLES += [f"Movie {number} ({1990 + number})" for number in range(5, 13)]
COUNTS = [2, 2, 1, 1, 3, 1, 1, 1, 1, 1, 1, 0]
SEEN = {"1": ["5", "6"], "2": ["5", "7", "1"], "3": ["5", "8", "2"], "4": ["9", "1"], "5": ["10"]}
LOWEST = float(np.finfo(np.float32).min)
SIZE = 4
STARS = StarScale(
    lowest=1.0, highest=5.0, mean=3.0, deviation=1.4, like_threshold=3.8, liked=4.5, disliked=2.0
)

DEFAULTS = {
    name: tf.constant(one.default, one.dtype)
    for name, one in SIGNATURES["serving_default"].inputs.items()
    if one.default is not None
}


def _specs(name: str) -> list[tf.TensorSpec]:
    return [
        tf.TensorSpec(None if one.rank is None else [None] * one.rank, one.dtype)
        for one in SIGNATURES[name].inputs.values()
    ]


class TinyModel(tf.Module):
    """Dot products of random embeddings, with every rule of the contract."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        random = np.random.default_rng(seed)
        self.users = _table(USERS)
        self.movies = _table(MOVIES)
        self.user_vectors = tf.Variable(
            random.normal(size=(len(USERS) + 1, SIZE)), dtype=tf.float32
        )
        self.vectors = tf.Variable(random.normal(size=(len(MOVIES), SIZE)), dtype=tf.float32)
        seen = [[movie in SEEN.get(user, ()) for movie in MOVIES] for user in [*USERS, ""]]
        self.seen = tf.constant(seen)
        self.counts = tf.constant(COUNTS, tf.float32)

    @tf.function(input_signature=_specs("serving_default"))
    def recommend(
        self,
        user_id: tf.Tensor,
        history: tf.Tensor = DEFAULTS["history"],
        stars: tf.Tensor = DEFAULTS["stars"],
        exclusions: tf.Tensor = DEFAULTS["exclusions"],
        k: tf.Tensor = DEFAULTS["k"],
        order: tf.Tensor = DEFAULTS["order"],
        min_rating: tf.Tensor = DEFAULTS["min_rating"],
        include_seen: tf.Tensor = DEFAULTS["include_seen"],
        allowed: tf.Tensor = DEFAULTS["allowed"],
        as_judged: tf.Tensor = DEFAULTS["as_judged"],
    ) -> dict[str, tf.Tensor]:
        """By the score, or by stars; there is no test split to hide."""
        whole, rows = self.score(user_id, history, stars, as_judged), tf.shape(user_id)[0]
        users = tf.repeat(self.users.lookup(user_id), len(MOVIES))
        ratings = self._rating(users, tf.tile(tf.range(len(MOVIES)), [rows]))
        ratings = tf.reshape(ratings, [rows, len(MOVIES)])
        keep = tf.reshape(include_seen, [-1, 1])
        masked = (whole["seen"] & ~keep) | self._many_hot(exclusions, rows) | ~allowed
        masked |= ratings < tf.reshape(min_rating, [-1, 1])
        by_stars = tf.reshape(order, [-1, 1]) == "stars"
        shown = tf.where(by_stars, ratings, whole["score"])
        top = _top(tf.where(masked, LOWEST, shown), k)
        places = self.movies.lookup(top["movie_id"])
        rating = tf.gather(tf.pad(ratings, [[0, 0], [0, 1]]), places, axis=1, batch_dims=1)
        seen = tf.gather(tf.pad(whole["seen"], [[0, 0], [0, 1]]), places, axis=1, batch_dims=1)
        return {**top, "rating": rating, "seen": seen, "source": whole["source"]}

    @tf.function(input_signature=_specs("score"))
    def score(
        self,
        user_id: tf.Tensor,
        history: tf.Tensor = DEFAULTS["history"],
        stars: tf.Tensor = DEFAULTS["stars"],
        as_judged: tf.Tensor = DEFAULTS["as_judged"],
    ) -> dict[str, tf.Tensor]:
        """A movie of the history that got fewer than 3 stars counts against its like."""
        user = self.users.lookup(user_id)
        known = user < len(USERS)
        movies = self._many_hot(history, tf.shape(user)[0])
        with_history = tf.reduce_any(movies, axis=1)
        named = self.movies.lookup(history)
        signs = tf.where(tf.broadcast_to(stars, tf.shape(named)) < 3.0, -1.0, 1.0)
        hot = tf.reduce_sum(tf.one_hot(named, len(MOVIES)) * signs[:, :, None], axis=1)
        hot = tf.broadcast_to(hot, [tf.shape(user)[0], len(MOVIES)])
        own = tf.gather(self.user_vectors, user)
        query = tf.where(known[:, None], own, hot @ self.vectors)
        scores = query @ tf.transpose(self.vectors)
        return {
            "score": tf.where((known | with_history)[:, None], scores, self.counts),
            "seen": tf.gather(self.seen, user) | movies,
            "source": tf.where(known, "user", tf.where(with_history, "history", "popularity")),
        }

    @tf.function(input_signature=_specs("explain"))
    def explain(
        self,
        user_id: tf.Tensor,
        movie_id: tf.Tensor,
        history: tf.Tensor = DEFAULTS["history"],
        stars: tf.Tensor = DEFAULTS["stars"],
    ) -> dict[str, tf.Tensor]:
        """A known user's score is all `rest`, a stranger's the sum over the movies named."""
        whole = self.score(user_id, history, stars, DEFAULTS["as_judged"])
        movie = self.movies.lookup(movie_id)
        score = tf.gather(whole["score"], movie, batch_dims=1)
        counts = self._many_hot(history, tf.size(movie)) & (whole["source"] == "history")[:, None]
        products = tf.gather(self.vectors, movie) @ tf.transpose(self.vectors)
        best = _top(tf.where(counts, products, LOWEST), len(MOVIES))
        weight = tf.where(best["movie_id"] == "", 0.0, best.pop("score"))
        rating = tf.where(best["movie_id"] == "", np.nan, self._own_stars(best["movie_id"]))
        rest = score - tf.reduce_sum(weight, axis=1)
        return {**best, "weight": weight, "rating": rating, "rest": rest}

    @tf.function(input_signature=_specs("timeline"))
    def timeline(self, user_id: tf.Tensor, k: tf.Tensor = DEFAULTS["k"]) -> dict[str, tf.Tensor]:
        user = self.users.lookup(user_id)
        newest_first = tf.ragged.constant([SEEN.get(u, [])[::-1] for u in [*USERS, ""]])
        ids = tf.gather(newest_first, user).to_tensor("", shape=[None, len(MOVIES)])
        ids = ids[:, : tf.reduce_max(k)]
        movies = self.movies.lookup(ids)
        return {
            "movie_id": ids,
            "title": tf.gather(tf.constant([*TITLES, ""]), movies),
            "rating": tf.where(ids == "", np.nan, self._own_stars(ids)),
            "count": tf.reduce_sum(tf.cast(tf.gather(self.seen, user), tf.int32), axis=1),
        }

    @tf.function(input_signature=_specs("rate"))
    def rate(self, user_id: tf.Tensor, movie_id: tf.Tensor) -> dict[str, tf.Tensor]:
        user, movie = self.users.lookup(user_id), self.movies.lookup(movie_id)
        return {
            "rating": self._rating(user, movie),
            "known_user": user < len(USERS),
            "known_movie": movie < len(MOVIES),
        }

    @tf.function(input_signature=_specs("similar"))
    def similar(self, movie_id: tf.Tensor, k: tf.Tensor = DEFAULTS["k"]) -> dict[str, tf.Tensor]:
        movie = self.movies.lookup(movie_id)
        units = tf.math.l2_normalize(self.vectors, axis=1)
        query = tf.gather(units, tf.minimum(movie, len(MOVIES) - 1))
        unknown = (movie == len(MOVIES))[:, None]
        itself = tf.one_hot(movie, len(MOVIES), on_value=True, off_value=False)
        return _top(tf.where(unknown | itself, LOWEST, query @ tf.transpose(units)), k)

    @tf.function(input_signature=_specs("evaluate"))
    def evaluate(
        self,
        user_id: tf.Tensor,
        movie_id: tf.Tensor,
        history: tf.Tensor = DEFAULTS["history"],
        stars: tf.Tensor = DEFAULTS["stars"],
        order: tf.Tensor = DEFAULTS["order"],
    ) -> dict[str, tf.Tensor]:
        """By the score, whatever the order."""
        user, movie = self.users.lookup(user_id), self.movies.lookup(movie_id)
        whole = self.score(user_id, history, stars, DEFAULTS["as_judged"])
        scores, unseen = whole["score"], tf.where(whole["seen"], LOWEST, whole["score"])
        return {
            "rating": self._rating(user, movie),
            "rank_raw": _rank(scores, movie, scores),
            "rank_unseen": _rank(unseen, movie, scores),
        }

    def signatures(self) -> dict[str, Any]:
        """By name, as Trainer exports them."""
        return {
            "serving_default": self.recommend,
            "rate": self.rate,
            "similar": self.similar,
            "evaluate": self.evaluate,
            "score": self.score,
            "explain": self.explain,
            "timeline": self.timeline,
        }

    def _own_stars(self, ids: tf.Tensor) -> tf.Tensor:
        """The stars that users have given, the same for each movie whoever rates: 1 to 5."""
        return tf.cast(1 + self.movies.lookup(ids) % 5, tf.float32)

    def _rating(self, user: tf.Tensor, movie: tf.Tensor) -> tf.Tensor:
        vectors = tf.gather(self.vectors, tf.minimum(movie, len(MOVIES) - 1))
        product = tf.reduce_sum(tf.gather(self.user_vectors, user) * vectors, axis=1)
        return 0.5 + 4.5 * tf.sigmoid(product)

    def _many_hot(self, ids: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        hot = tf.one_hot(self.movies.lookup(ids), len(MOVIES), on_value=True, off_value=False)
        return tf.broadcast_to(tf.reduce_any(hot, axis=1), [rows, len(MOVIES)])


def _table(ids: list[str]) -> tf.lookup.StaticHashTable:
    values = tf.range(len(ids), dtype=tf.int32)
    return tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(tf.constant(ids), values), len(ids)
    )


def _top(scores: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
    k = tf.reduce_max(k)
    scores = tf.pad(scores, [[0, 0], [0, k]], constant_values=LOWEST)
    best, places = tf.math.top_k(scores, k)
    places = tf.where(best > LOWEST, places, len(MOVIES))
    return {
        "movie_id": tf.gather(tf.constant([*MOVIES, ""]), places),
        "title": tf.gather(tf.constant([*TITLES, ""]), places),
        "score": best,
    }


def _rank(scores: tf.Tensor, movie: tf.Tensor, raw: tf.Tensor) -> tf.Tensor:
    target = tf.gather(raw, tf.minimum(movie, len(MOVIES) - 1), batch_dims=1)
    itself = tf.one_hot(movie, len(MOVIES), on_value=True, off_value=False)
    above = tf.reduce_sum(tf.cast((scores >= target[:, None]) & ~itself, tf.int32), axis=1)
    return tf.where(movie < len(MOVIES), 1 + above, len(MOVIES) + 1)


REQUESTS = [
    ("serving_default", {"user_id": ["1", "2", "nobody"]}),
    ("serving_default", {"user_id": ["3"], "k": 3, "exclusions": [["1", "9"]]}),
    ("serving_default", {"user_id": ["nobody"], "history": [["4", ""]]}),
    ("rate", {"user_id": ["1", "nobody"], "movie_id": ["2", "nothing"]}),
    ("similar", {"movie_id": ["1", "12"], "k": 4}),
    ("evaluate", {"user_id": ["1"], "movie_id": ["5"]}),
]


def export(
    folder: Path, model: TinyModel | None = None, signatures: Mapping[str, Any] | None = None
) -> Path:
    """Write the model with its `assets.extra/`, golden requests answered by `model` itself.

    Args:
        folder: where `saved_model.pb` goes.
        model: none means a fresh one.
        signatures: what to export instead of the model's own signatures.
    """
    model = model or TinyModel()
    tf.saved_model.save(model, str(folder), signatures=signatures or model.signatures())
    ModelInfo(movies=len(MOVIES), users=len(USERS), stars=STARS).write(folder)
    golden.write(folder / GOLDEN, golden.record(Signatures(model.signatures()), REQUESTS))
    genres = [["Comedy"] if number % 2 else [] for number in range(len(MOVIES))]
    years = pa.array([1995, 1995, 1988, 1988, *[None] * 8], pa.int64())
    columns = {
        "movie_id": MOVIES,
        "title": TITLES,
        "genres": pa.array(genres, pa.list_(pa.string())),
        "year": years,
        "rating_count": pa.array(COUNTS, pa.int64()),
    }
    pq.write_table(pa.table(columns), folder / CATALOGUE)
    pq.write_table(pa.table({"user_id": USERS}), folder / files.USERS)
    write_manifest(folder)
    return folder
