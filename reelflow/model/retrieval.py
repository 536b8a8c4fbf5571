"""The retrieval task: score the movie that the user turned to above all others.

A loss is a class in the table `RETRIEVAL_LOSSES`, under its name in `model.loss`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tensorflow_recommenders as tfrs

from reelflow.baselines.recent_popularity import recent_shares
from reelflow.config import ModelConfig, TrainConfig
from reelflow.encoding.encoded import EncodedData
from reelflow.model.candidates import CandidateTower
from reelflow.model.histories import Floats
from reelflow.model.layers import is_large
from reelflow.model.losses import (
    bayesian_personalised_ranking,
    draw_negatives,
    draw_once,
    full_softmax,
    in_batch_softmax,
    softmax,
)
from reelflow.model.seen import SeenMovies
from reelflow.model.timelines import Timelines

Odds: TypeAlias = npt.NDArray[np.float64]
FULL_BELOW = 2
"""Times the size of the sample that a catalogue is compared in full up to, which is as fast."""


class RetrievalBatch(NamedTuple):
    """Queries and the movies that they should find."""

    queries: tf.Tensor
    """Embeddings divided by the temperature, float32 [batch, size + 1]."""
    users: tf.Tensor
    """`user_index`, int32 [batch]."""
    targets: tf.Tensor
    """`movie_index`, int32 [batch]."""
    weights: tf.Tensor | None = None
    """Of the rows in the mean, float32 [batch]; None: all alike."""
    products: tf.DType = tf.float32
    """Type that softmaxes are multiplied in."""


class RetrievalLoss(ABC):
    """A retrieval loss: mean over the batch, in nats."""

    trains_on_catalogue: bool = False
    """True if training compares with all movies; False if it needs the targets' embeddings only."""
    on_timelines: ClassVar[bool] = False
    """True if training takes whole windows of timelines (`sequences.Windows`); False if it takes
    ratings of many users, as those of the batch are its negatives."""

    def __init__(
        self,
        data: EncodedData,
        config: ModelConfig,
        candidate_tower: CandidateTower,
        seen: SeenMovies,
    ) -> None:
        self._config = config
        self._candidate_tower = candidate_tower
        self._seen = seen
        self._popularity = popularity(data)

    @abstractmethod
    def training(self, batch: RetrievalBatch, candidates: tf.Tensor) -> tf.Tensor:
        """Return the loss of a training step.

        Args:
            batch: queries and targets.
            candidates: embeddings of all movies, float32 [movies, size + 1], if the loss
                `trains_on_catalogue`; or else of the targets, float32 [batch, size + 1].
        """

    def validation(self, batch: RetrievalBatch, movies: tf.Tensor) -> tf.Tensor:
        """Return the loss over all `movies`, float32 [movies, size + 1], without sampling."""
        return self._full(batch, movies, learns=False)

    def _full(self, batch: RetrievalBatch, movies: tf.Tensor, learns: bool) -> tf.Tensor:
        queries, users, targets, weights, products = batch
        seen = self._seen.rows(users)
        return full_softmax(queries, movies, targets, seen, weights, products, learns)

    @staticmethod
    @abstractmethod
    def chance(data: EncodedData, model: ModelConfig, train: TrainConfig) -> float:
        """Return the training loss of a model that has learned nothing, in nats."""


class FullSoftmax(RetrievalLoss):
    """Softmax over the catalogue, seen movies left out (`model.mask_seen`)."""

    trains_on_catalogue = True
    on_timelines = True

    def training(self, batch: RetrievalBatch, candidates: tf.Tensor) -> tf.Tensor:
        """Return the loss of a training step, the same as in validation."""
        return self._full(batch, candidates, learns=True)

    @staticmethod
    def chance(data: EncodedData, model: ModelConfig, train: TrainConfig) -> float:
        """Return the mean logarithm of the number of competing movies, the target included."""
        movies = len(data.catalogue)
        if not model.mask_seen:
            return math.log(movies)
        seen = np.bincount(data.train.user_index)[data.train.user_index]
        return float(np.log(np.maximum(movies - seen + 1, 1)).mean())


class SampledSoftmax(FullSoftmax):
    """Softmax over a sample of movies that all ratings of a step share, corrected for its odds.

    Half of the sample is drawn evenly, half by popularity, each movie at most once; a score is
    raised by the logarithm of how rarely its movie is drawn (logQ, as in Bengio & Senécal 2008,
    "Adaptive importance sampling to accelerate training of a neural probabilistic language model"),
    so that the sum over the sample is that over the catalogue on average. Validation is exact. Of a
    large catalogue only the movies that a step compares are embedded.
    """

    by_rows = False
    """True if no step embeds the whole catalogue, however small it is."""

    def __init__(
        self,
        data: EncodedData,
        config: ModelConfig,
        candidate_tower: CandidateTower,
        seen: SeenMovies,
    ) -> None:
        super().__init__(data, config, candidate_tower, seen)
        self._movies = len(data.catalogue)
        self._odds: Odds | None = None
        self.trains_on_catalogue = not self.by_rows
        if self._movies > FULL_BELOW * config.sampled_movies:
            self._odds = odds(self._popularity.numpy(), config.sampled_movies)
            self._ends = tf.constant(np.cumsum(self._odds))
            self._rarity = tf.constant(-np.log(self._odds), tf.float32)
            if is_large(self._movies, config.embedding_size):
                self.trains_on_catalogue = False

    def training(self, batch: RetrievalBatch, candidates: tf.Tensor) -> tf.Tensor:
        """Return the loss over the sample; in small catalogues over all movies."""
        queries, users, targets, weights, products = batch
        if self._odds is not None:
            drawn = draw_once(self._ends, self._config.sampled_movies)
        elif self.trains_on_catalogue:
            return super().training(batch, candidates)
        else:
            drawn = tf.range(self._movies)
        if self.trains_on_catalogue:
            positives, negatives = tf.gather(candidates, targets), tf.gather(candidates, drawn)
        else:
            positives, negatives = candidates, self._candidate_tower(drawn, training=True)
        if self._odds is not None:
            # Queries are divided by the temperature, the last column of ones too.
            rarity = self._config.temperature * tf.gather(self._rarity, drawn)[:, None]
            negatives = tf.concat([negatives[:, :-1], negatives[:, -1:] + rarity], axis=1)
        excluded = self._seen.among(users, targets, drawn)
        return softmax(queries, positives, negatives, excluded, weights=weights, products=products)


class SampledByRows(SampledSoftmax):
    """The same loss, for tables of which a step takes only the rows that it needs."""

    by_rows = True


class InBatchSoftmax(RetrievalLoss):
    """Softmax over the movies of the batch, with logQ correction (`model.logq`)."""

    def training(self, batch: RetrievalBatch, candidates: tf.Tensor) -> tf.Tensor:
        """Return the loss over the batch's own targets."""
        probabilities = self._popularity if self._config.logq else None
        return in_batch_softmax(
            batch.queries, candidates, batch.targets, probabilities, batch.products
        )

    def validation(self, batch: RetrievalBatch, movies: tf.Tensor) -> tf.Tensor:
        """Return the full softmax; without logQ, weighted by how often movies are negatives."""
        if not self._config.logq:
            offsets = self._config.temperature * tf.math.log(self._popularity)[:, None]
            movies = tf.concat([movies[:, :-1], movies[:, -1:] + offsets], axis=1)
        return super().validation(batch, movies)

    @staticmethod
    def chance(data: EncodedData, model: ModelConfig, train: TrainConfig) -> float:
        """Return the logarithm of the batch size; with logQ, of a model that knows popularity."""
        rows = len(data.train)
        return math.log(max(1, min(train.ratings_per_step(rows, on_timelines=False), rows)))


class TfrsRetrieval(InBatchSoftmax):
    """TFRS's own task, `tfrs.tasks.Retrieval`, with accidental hits removed.

    The tutorials' designs train by it. `InBatchSoftmax` has the same values and gradients in a
    third to a twentieth of the time (`losses.in_batch_softmax`).
    """

    def __init__(
        self,
        data: EncodedData,
        config: ModelConfig,
        candidate_tower: CandidateTower,
        seen: SeenMovies,
    ) -> None:
        super().__init__(data, config, candidate_tower, seen)
        self._task = tfrs.tasks.Retrieval(remove_accidental_hits=True)
        # The task counts on AutoGraph, which the training step does without.
        self._graph = tf.function(self._task)

    def training(self, batch: RetrievalBatch, candidates: tf.Tensor) -> tf.Tensor:
        """Return the mean over the batch of the task's loss, which is a sum."""
        queries, _, targets, *_ = batch
        shares = tf.gather(self._popularity, targets) if self._config.logq else None
        loss = self._graph(
            queries,
            candidates,
            candidate_sampling_probability=shares,
            candidate_ids=targets,
            compute_metrics=False,
        )
        return loss / tf.cast(tf.size(targets), loss.dtype)


class BayesianPersonalisedRanking(RetrievalLoss):
    """BPR: pairs of the target and sampled negatives, without seen ones (`model.mask_seen`)."""

    def __init__(
        self,
        data: EncodedData,
        config: ModelConfig,
        candidate_tower: CandidateTower,
        seen: SeenMovies,
    ) -> None:
        super().__init__(data, config, candidate_tower, seen)
        movies = len(data.catalogue)
        self._probabilities = (
            self._popularity
            if config.negatives == "popularity"
            else tf.fill([movies], 1.0 / movies)
        )

    def training(self, batch: RetrievalBatch, candidates: tf.Tensor) -> tf.Tensor:
        """Return the loss against sampled movies; draws of seen movies have no weight."""
        queries, users, targets, *_ = batch
        count = self._config.negative_count
        negatives = draw_negatives(self._probabilities, tf.size(users), count)
        embedded = self._candidate_tower(tf.reshape(negatives, [-1]), training=True)
        shape = [tf.size(users), negatives.shape[1], queries.shape[1]]
        embedded = tf.reshape(embedded, shape)
        excluded = negatives == targets[:, None]
        if self._seen.table is not None:
            excluded |= tf.gather(tf.gather(self._seen.table, users), negatives, batch_dims=1)
        return bayesian_personalised_ranking(
            tf.reduce_sum(queries * candidates, axis=1),
            tf.einsum("bd,bnd->bn", queries, embedded),
            tf.cast(~excluded, tf.float32),
        )

    def validation(self, batch: RetrievalBatch, movies: tf.Tensor) -> tf.Tensor:
        """Return the expectation of the training loss, exact and without random draws."""
        queries, users, targets, *_ = batch
        scores = tf.matmul(queries, movies, transpose_b=True)
        cells = tf.stack([tf.range(tf.size(targets)), targets], axis=1)
        weights = tf.tile(self._probabilities[None], [tf.size(targets), 1])
        seen = self._seen.rows(users)
        if seen.dtype == tf.bool:
            weights = tf.where(seen, 0.0, weights)
        else:
            weights = tf.tensor_scatter_nd_update(weights, seen, tf.zeros(tf.shape(seen)[:1]))
        weights = tf.tensor_scatter_nd_update(weights, cells, tf.zeros(tf.shape(cells)[:1]))
        return bayesian_personalised_ranking(tf.gather_nd(scores, cells), scores, weights)

    @staticmethod
    def chance(data: EncodedData, model: ModelConfig, train: TrainConfig) -> float:
        """Return the loss of pairs that are ordered by the toss of a coin."""
        return math.log(2)


RETRIEVAL_LOSSES: Final[Mapping[str, type[RetrievalLoss]]] = {
    "sampled_softmax": SampledSoftmax,
    "full_softmax": FullSoftmax,
    "in_batch_softmax": InBatchSoftmax,
    "tfrs_retrieval": TfrsRetrieval,
    "bpr": BayesianPersonalisedRanking,
}
"""Name in `model.loss` to the loss."""


class RetrievalTask:
    """Embeds the candidates and takes the configured loss of queries and targets."""

    def __init__(
        self,
        data: EncodedData,
        candidate_tower: CandidateTower,
        timelines: Timelines,
        config: ModelConfig,
        by_rows: bool = False,
    ) -> None:
        self._config = config
        self._candidate_tower = candidate_tower
        self.products = tf.float32
        """Type that the softmaxes of training are multiplied in; tables and sums are float32."""
        seen = SeenMovies(data, timelines, config.mask_seen, dense=not by_rows)
        loss = RETRIEVAL_LOSSES[config.loss]
        if by_rows and loss is SampledSoftmax:
            loss = SampledByRows
        self._loss = loss(data, config, candidate_tower, seen)

    def __call__(
        self,
        queries: tf.Tensor,
        users: tf.Tensor,
        targets: tf.Tensor,
        training: bool,
        weights: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the mean loss in nats, and in training the L2 penalty on the towers' outputs.

        Args:
            queries: float32 [batch, size + 1].
            users: `user_index` of each query, int32 [batch].
            targets: `movie_index` of the movie that the user turned to, int32 [batch].
            training: True for a training step; validation compares with the whole catalogue.
            weights: of the rows in the mean, float32 [batch]; None: all alike.
        """
        l2, on_catalogue = self._config.tower_l2, self._loss.trains_on_catalogue or not training
        if on_catalogue:
            candidates = self._candidate_tower.catalogue(training)
            positives = tf.gather(candidates, targets) if l2 else None
        else:
            candidates = positives = self._candidate_tower(targets, training=True)
        penalty = tf.constant(0.0)
        if l2 and training:
            penalty = l2 * (_mean_square(queries, weights) + _mean_square(positives, weights))
        products = self.products if training else tf.float32
        queries /= self._config.temperature
        batch = RetrievalBatch(queries, users, targets, weights, products)
        loss = self._loss.training if training else self._loss.validation
        return loss(batch, candidates), penalty


def _mean_square(rows: tf.Tensor, weights: tf.Tensor | None) -> tf.Tensor:
    """Return the mean over the batch of squared norms, the bias column left out."""
    squares = tf.reduce_sum(tf.square(rows[:, :-1]), axis=1)
    if weights is None:
        return tf.reduce_mean(squares)
    return tf.reduce_sum(weights * squares) / tf.reduce_sum(weights)


def odds(shares: Floats, count: int) -> Odds:
    """Return how likely each movie is in a sample, half of it drawn evenly, half by popularity.

    Args:
        shares: popularity, float [movies], which sums to 1.
        count: size of the sample, fewer than there are movies.

    Returns:
        float64 [movies], at most 1, which sums to `count`.
    """
    wanted = count * (0.5 / len(shares) + 0.5 * shares.astype(np.float64))
    certain = np.zeros(len(shares), np.bool_)
    while True:
        rest = np.where(certain, 0.0, wanted)
        scaled = np.where(certain, 1.0, rest * (count - certain.sum()) / rest.sum())
        if not (scaled > 1.0).any():
            return scaled
        certain |= scaled >= 1.0


def popularity(data: EncodedData) -> tf.Tensor:
    """Return the share of each movie among the train ratings, float32 [movies].

    A movie without ratings counts as a tenth of a rating, so that logarithms stay finite.
    """
    counts = np.maximum(data.rating_counts, 0.1)
    return tf.constant(counts / counts.sum(), tf.float32)


def recent_popularity(data: EncodedData, half_life: float) -> tf.Tensor:
    """Return `recent_shares`, the popularity of late, float32 [movies]."""
    return tf.constant(recent_shares(data, half_life), tf.float32)
