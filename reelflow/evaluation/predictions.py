"""What models and baselines say of the test rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from reelflow.base import columns as f
from reelflow.baselines import Baseline
from reelflow.encoding.encoded import EncodedData, EncodedRatings, Int32, Int64
from reelflow.evaluation.metrics import Predictions
from reelflow.model.ranking import exact_ranks
from reelflow.model.timelines import Timelines
from reelflow.saved_model.client import Signatures
from reelflow.saved_model.contract import EVALUATE, SIGNATURES

BLOCK_CELLS = 1 << 24
"""Scores that a block of rows holds at a time: 64 MiB of float32."""


@dataclass(frozen=True)
class TestRows:
    """The test split twice: as raw ids for models, as integers for baselines; the same rows."""

    user_id: npt.NDArray[np.object_]
    movie_id: npt.NDArray[np.object_]
    encoded: EncodedRatings

    def __len__(self) -> int:
        return len(self.encoded)

    def take(self, rows: Int64) -> TestRows:
        """The given rows, in the given order."""
        return TestRows(self.user_id[rows], self.movie_id[rows], self.encoded.take(rows))

    def drawn(self, count: int, seed: int) -> Int64:
        """Positions of at most `count` rows, drawn by seed, ascending."""
        if len(self) <= count:
            return np.arange(len(self))
        return np.sort(np.random.default_rng(seed).choice(len(self), count, replace=False))

    def sample(self, count: int, seed: int) -> TestRows:
        """At most `count` rows, drawn by seed, in their own order."""
        return self if len(self) <= count else self.take(self.drawn(count, seed))


def ask_model(saved_model: Path, rows: TestRows, movies: int) -> Predictions:
    """Send all rows through the exported model's own `evaluate` signature.

    What is measured is what will be served; another model (the champion) answers from its own
    vocabulary, catalogue and histories.

    Args:
        saved_model: folder of the SavedModel.
        rows: the test rows.
        movies: size of the catalogue, to bound memory.
    """
    return ask(Signatures.load(saved_model), rows, movies)


def ask(signatures: Signatures, rows: TestRows, movies: int) -> Predictions:
    """Send all rows through the signature `evaluate` of a model, exported or not yet."""
    parts = [
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
    ours = _joined([(p[f.RATING], p[f.RANK_RAW], p[f.RANK_UNSEEN]) for p in parts])
    if not parts or f.LIKE not in parts[0]:
        return ours
    return replace(ours, likes=np.concatenate([p[f.LIKE] for p in parts]))


def ask_baseline(baseline: Baseline, rows: TestRows, data: EncodedData) -> Predictions:
    """Ranks and stars of a fitted baseline, by the same exact ranking as the model's."""
    movies = len(data.catalogue)
    timelines = Timelines(
        data.train.movie_index, data.train.timestamp, data.offsets, unknown=movies
    )
    parts = []
    for block in _blocks(rows, movies):
        users, wanted = block.encoded.user_index, block.encoded.movie_index
        known = wanted < movies
        scores = tf.constant(baseline.scores(users))
        raw, unseen = exact_ranks(
            scores, np.where(known, wanted, 0), timelines.seen(tf.constant(users))
        )
        last = np.int32(movies + 1)
        stars = baseline.stars(users, wanted)
        parts.append((stars, tf.where(known, raw, last), tf.where(known, unseen, last)))
    return _joined(parts)


def train_counts(data: EncodedData, rows: TestRows) -> tuple[Int32, Int32]:
    """How many train ratings each row's user and movie have, int [rows] each; 0 if unknown."""
    counts = []
    for train, wanted in (
        (data.train.user_index, rows.encoded.user_index),
        (data.train.movie_index, rows.encoded.movie_index),
    ):
        size = int(max(train.max(initial=0), wanted.max(initial=0))) + 1
        counts.append(np.bincount(train, minlength=size)[wanted].astype(np.int32))
    return counts[0], counts[1]


def _blocks(rows: TestRows, movies: int) -> list[TestRows]:
    size = max(1, min(1024, BLOCK_CELLS // max(movies, 1)))
    return [rows.take(np.arange(i, min(i + size, len(rows)))) for i in range(0, len(rows), size)]


def _joined(parts: list[tuple[tf.Tensor, tf.Tensor, tf.Tensor]]) -> Predictions:
    columns = zip(*parts, strict=True)
    stars, raw, unseen = (np.concatenate([np.asarray(p) for p in column]) for column in columns)
    return Predictions(stars=stars, rank_raw=raw, rank_unseen=unseen)


# The champion on the candidate's test rows, as far as it can be asked at all.


class NotComparable(Exception):
    """The champion does not understand these test rows; says why in words."""


def ask_champion(saved_model: Path, rows: TestRows, movies: int) -> Predictions:
    """Send all rows through the champion's own `evaluate` signature.

    A registry keeps models for years: this one may come from another version of Reelflow or of
    TensorFlow. It answers from its own vocabulary, catalogue and histories.

    Args:
        saved_model: folder of the SavedModel.
        rows: the test rows.
        movies: size of the catalogue, to bound memory.

    Raises:
        NotComparable: it does not load, or has another `evaluate` than models have today.
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
        return ask(signatures, rows, movies)
    except (OSError, TypeError, ValueError, tf.errors.OpError) as error:
        words = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise NotComparable(f"it cannot be asked: {words}") from error


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
