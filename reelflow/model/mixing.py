"""The weights of a list's parts, chosen on validation ratings as they would be served.

Retrieval is a mixture of the towers and the linear item model: what predicts the next movie, and
what predicts a movie at large. No fixed share is good in both situations, so the split's own
validation ratings choose it. They also choose the weight of the predicted like in the final order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from reelflow.base.columns import TEST, VALIDATION
from reelflow.config import ModelConfig, TrainConfig
from reelflow.encoding.encoded import EncodedData, EncodedRatings, Int32
from reelflow.model.final_order import Weights, retrieval_ranks
from reelflow.model.items import ItemGram, ItemWeights
from reelflow.model.rankers import Asked, TowerRanker
from reelflow.model.signatures import Mixture, ServingModel
from reelflow.model.tasks import JointModel
from reelflow.model.timelines import sample_rows
from reelflow.saved_model.files import ChosenWeight, WeightTrial

SHARES: Final = tuple(step / 10 for step in range(11))
"""Shares of the linear item model that are tried."""
BLENDS: Final = (0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5)
"""Weights of the predicted like that are tried."""
FALLBACK_SHARE: Final = 0.5
"""Share without validation ratings to choose it."""
FALLBACK_BLEND: Final = 0.2
"""Weight of the predicted like without validation ratings to choose it."""
LEAST_UNSEEN: Final = 0.9
"""Share of the unseen top-10 accuracy of retrieval alone that the final order must keep."""

TOP: Final = 10
"""Length of the lists that the trials' figures are about."""
BLOCK_CELLS: Final = 1 << 24
"""Scores in memory at a time: 64 MiB of float32."""

Ranks = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Choice:
    """The mixture, and how it was chosen."""

    mixture: Mixture
    ridge: float | None
    """Ridge of the linear item model; None without it."""
    item_share: ChosenWeight | None
    blend: ChosenWeight | None


def choose(
    joint: JointModel,
    data: EncodedData,
    users: list[str],
    config: ModelConfig,
    train: TrainConfig,
    like_threshold: float,
) -> Choice:
    """Choose ridge and share of the linear item model, then the weight of the predicted like.

    Args:
        joint: trained on `data.train` alone.
        data: with the validation ratings apart from train.
        users: the user vocabulary, in order.
        config: the section `model`; weights that it sets are not searched.
        train: for the number of validation ratings and the seed of their sample.
        like_threshold: stars from which on a movie counts as liked.
    """
    rows = data.validation.only_known(data.sizes)
    rows = sample_rows(rows, train.validation_rows, train.seed)
    order = np.argsort(rows.user_index, kind="stable")
    search = _Search(joint, data, users, config, rows.take(order), like_threshold)
    items, ridge, share = search.item_share()
    blend = search.blend(items, 0.0 if share is None else share.weight)
    mixture = Mixture(
        items=items,
        item_share=0.0 if share is None else share.weight,
        blend=0.0 if blend is None else blend.weight,
    )
    return Choice(mixture, ridge, share, blend)


def refit(choice: Choice, data: EncodedData, config: ModelConfig) -> Mixture:
    """Return the mixture with item weights learned anew, from the data of the last training."""
    if choice.ridge is None:
        return choice.mixture
    items = ItemGram(data, config.item_movies).solve(choice.ridge)
    return Mixture(items, choice.mixture.item_share, choice.mixture.blend)


class _Search:
    """Measures mixtures on validation ratings, by the ranks that the signatures would give."""

    def __init__(
        self,
        joint: JointModel,
        data: EncodedData,
        users: list[str],
        config: ModelConfig,
        rows: EncodedRatings,
        like_threshold: float,
    ) -> None:
        """Take validation ratings, those of a user together."""
        self._joint, self._data, self._users, self._config = joint, data, users, config
        self._rows = rows
        self._liked = rows.rating >= like_threshold

    def item_share(self) -> tuple[ItemWeights | None, float | None, ChosenWeight | None]:
        """Choose ridge and share by the mean of 1 / log2(1 + unseen rank) over all rows.

        That is NDCG without a cutoff: the top counts most, and no depth counts nothing.
        """
        config = self._config
        if not self._joint.has_retrieval or not config.item_movies:
            return None, None, None
        gram = ItemGram(self._data, config.item_movies)
        if not len(self._rows):
            share = FALLBACK_SHARE if config.item_share is None else config.item_share
            ridge = config.item_ridge[0]
            return gram.solve(ridge), ridge, ChosenWeight(weight=share)
        shares = SHARES if config.item_share is None else (config.item_share,)
        best, result = -1.0, None
        for ridge in config.item_ridge:
            items = gram.solve(ridge)
            ranks = self._ranks_by_share(items, shares)
            depth = [float(np.mean(1.0 / np.log2(1.0 + of_share))) for of_share in ranks]
            at = int(np.argmax(depth))
            if depth[at] > best:
                trials = self._trials(shares, ranks)
                best, result = (
                    depth[at],
                    (items, ridge, ChosenWeight(weight=shares[at], trials=trials)),
                )
        assert result is not None
        return result

    def blend(self, items: ItemWeights | None, share: float) -> ChosenWeight | None:
        """Choose the weight of the predicted like by liked NDCG@10.

        The smallest weight that is within one standard error of the best (the rule of Breiman,
        Friedman, Olshen & Stone 1984, "Classification and regression trees"): a larger one costs
        movies that people turn to. One that costs more than a tenth of the unseen top-10 accuracy
        is no choice.
        """
        config, joint = self._config, self._joint
        if not joint.has_retrieval or not joint.has_rating:
            return None
        if config.blend_weight is not None:
            return ChosenWeight(weight=config.blend_weight)
        if not self._liked.any():
            return ChosenWeight(weight=FALLBACK_BLEND)
        ranks = self._ranks_by_blend(items, share)
        trials = self._trials(BLENDS, ranks)
        least = LEAST_UNSEEN * trials[0].metrics["unseen/top_10"]
        allowed = [at for at, t in enumerate(trials) if t.metrics["unseen/top_10"] >= least]
        gains = [_gains(of_weight[self._liked]) for of_weight in ranks]
        best = max(allowed, key=lambda at: gains[at].mean())
        users = self._rows.user_index[self._liked]
        chosen = next(at for at in allowed if _is_as_good(gains[at], gains[best], users))
        return ChosenWeight(weight=BLENDS[chosen], trials=trials)

    def _ranks_by_share(self, items: ItemWeights, shares: Sequence[float]) -> list[Ranks]:
        """Return the unseen ranks by retrieval alone, int [rows] for each share."""
        model = self._model(Mixture(items))
        ranker = model.ranker
        assert isinstance(ranker, TowerRanker)
        parts: list[list[Ranks]] = [[] for _ in shares]
        for asked, seen, rows, targets in self._blocks(model):
            towers, linear = ranker.parts(asked)
            for share, ranks in zip(shares, parts, strict=True):
                scores = (1 - share) * towers + share * linear
                ranks.append(retrieval_ranks(scores, seen, rows, targets)[1].numpy())
        return [np.concatenate(ranks) for ranks in parts]

    def _ranks_by_blend(self, items: ItemWeights | None, share: float) -> list[Ranks]:
        """Return the unseen ranks in the final order, int [rows] for each of `BLENDS`."""
        model = self._model(Mixture(items, share))
        parts: list[list[Ranks]] = [[] for _ in BLENDS]
        for asked, seen, rows, targets in self._blocks(model):
            scores, ones = model.ranker.scores(asked), tf.ones([asked.batch])
            for weight, ranks in zip(BLENDS, parts, strict=True):
                weights = Weights(ones, weight * ones)
                found = model.final.ranks(asked, scores, weights, seen, rows, targets)
                ranks.append(found[1].numpy())
        return [np.concatenate(ranks) for ranks in parts]

    def _model(self, mixture: Mixture) -> ServingModel:
        hidden = (VALIDATION, TEST)
        return ServingModel(self._joint, self._data, self._users, mixture, self._config, hidden)

    def _blocks(
        self, model: ServingModel
    ) -> Iterator[tuple[Asked, tf.Tensor, tf.Tensor, tf.Tensor]]:
        """Yield queries of distinct users, their seen movies, and each row's query and target."""
        size = max(1, min(4096, BLOCK_CELLS // len(self._data.catalogue)))
        for start in range(0, len(self._rows), size):
            users = self._rows.user_index[start : start + size]
            distinct, rows = np.unique(users, return_inverse=True)
            asked, seen = model.as_judged(tf.constant(distinct))
            targets = self._rows.movie_index[start : start + size]
            yield asked, seen, tf.constant(rows, tf.int32), tf.constant(targets)

    def _trials(self, weights: Sequence[float], ranks: Sequence[Ranks]) -> list[WeightTrial]:
        return [
            WeightTrial(weight=weight, metrics=self._metrics(of_weight))
            for weight, of_weight in zip(weights, ranks, strict=True)
        ]

    def _metrics(self, ranks: Ranks) -> dict[str, float]:
        hits = ranks <= TOP
        gains = _gains(ranks)
        liked = self._liked
        metrics = {
            "unseen/top_10": float(hits.mean()),
            "unseen/top_100": float((ranks <= 100).mean()),
            "unseen/ndcg_10": float(gains.mean()),
        }
        if liked.any():
            metrics["liked/top_10"] = float(hits[liked].mean())
            metrics["liked/ndcg_10"] = float(gains[liked].mean())
        if hits.any():
            metrics["stars_of_hits_10"] = float(self._rows.rating[hits].mean())
        return metrics


def _gains(ranks: Ranks) -> Floats:
    """Return each row's part of NDCG@10, float64 [rows]."""
    gains: Floats = np.where(ranks <= TOP, 1.0 / np.log2(1.0 + ranks), 0.0)
    return gains


def _is_as_good(gains: Floats, best: Floats, users: Int32) -> bool:
    """Return True if the mean is within one standard error of the best one's, paired by user.

    Args:
        gains: float64 [rows].
        best: float64 [rows].
        users: `user_index` of the rows; rows of a user are alike, and count as one draw.
    """
    lead = best - gains
    of_users = np.bincount(users, lead - lead.mean())
    error = float(np.sqrt(np.sum(of_users**2))) / len(lead)
    return bool(lead.mean() <= error)
