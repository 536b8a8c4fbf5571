"""The weights of a list's parts, chosen on validation ratings as they would be served.

Retrieval is a mixture of terms: what predicts the next movie, and what predicts a movie at large.
No fixed weights are good in both situations, so the split's own validation ratings choose them.
They also choose the weight of the predicted like in the final order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from reelflow.base.columns import (
    DIRECTED,
    ITEMS,
    NEIGHBOURS,
    SPECTRAL,
    TEST,
    TOWERS,
    VALIDATION,
)
from reelflow.config import ModelConfig, TrainConfig
from reelflow.encoding.encode import is_split_by_time
from reelflow.encoding.encoded import EncodedData, EncodedRatings
from reelflow.model.directed import DirectedLearner
from reelflow.model.final_order import Weights
from reelflow.model.histories import Histories
from reelflow.model.items import HALF_LIFE, ItemLearner
from reelflow.model.mix_search import Block, MixSearch, Ranks, choose_mix, is_as_good, ranking_gains
from reelflow.model.neighbours import NeighbourLearner
from reelflow.model.requests import Knowledge
from reelflow.model.spectral import SpectralLearner
from reelflow.model.stages import Mixture, Stages
from reelflow.model.tasks import JointModel
from reelflow.model.terms import Asked, Learner, Settings, Term
from reelflow.model.timelines import Timelines, sample_rows
from reelflow.model.tower_term import Towers
from reelflow.saved_model.files import ChosenMix, ChosenWeight, MixTrial, WeightTrial

LEARNERS: Final[Mapping[str, type[Learner]]] = {
    ITEMS: ItemLearner,
    SPECTRAL: SpectralLearner,
    DIRECTED: DirectedLearner,
    NEIGHBOURS: NeighbourLearner,
}
"""Closed-form terms by name, in the order in which their settings are chosen."""
FALLBACK_MIX: Final[Mapping[str, float]] = {TOWERS: 0.5, ITEMS: 0.5}
"""Weights without validation ratings to choose them."""
BLENDS: Final = (0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5)
"""Weights of the predicted like that are tried."""
FALLBACK_BLEND: Final = 0.2
"""Weight of the predicted like without validation ratings to choose it."""
LEAST_UNSEEN: Final = 0.98
"""Share of the unseen top-10 accuracy of retrieval alone that the final order must keep."""

TOP: Final = 10
"""Length of the lists that the trials' figures are about."""
MIX_ROWS: Final = 10_000
"""Validation ratings that mixtures are measured on, at most."""
MIX_CELLS: Final = 1 << 25
"""Scores of each term that are kept in memory for it, at most: 128 MiB of float32."""
BLOCK_CELLS: Final = 1 << 22
"""Scores in memory at a time, 16 MiB of float32: few, as fresh memory costs more than they do."""
LEAST_ROWS: Final = 32
"""Rows at a time, at least: for each block the factors of all movies are read."""


@dataclass(frozen=True)
class Choice:
    """The mixture, and how it was chosen."""

    mixture: Mixture
    mix: ChosenMix | None
    """None without retrieval."""
    blend: ChosenWeight | None


def choose(
    joint: JointModel,
    data: EncodedData,
    users: list[str],
    config: ModelConfig,
    train: TrainConfig,
    like_threshold: float,
) -> Choice:
    """Choose the terms' settings and weights, then the weight of the predicted like.

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
    search = _Search(joint, data, users, config, rows, like_threshold, train.seed)
    terms, mix = search.mix()
    weights = {TOWERS: 1.0} if mix is None else mix.weights
    mixture = Mixture({name: terms[name] for name in terms if name in weights}, weights)
    blend = search.blend(mixture)
    mixture = Mixture(mixture.terms, weights, 0.0 if blend is None else blend.weight)
    return Choice(mixture, mix, blend)


def refit(choice: Choice, data: EncodedData, config: ModelConfig) -> Mixture:
    """Return the mixture with closed-form terms learned anew, from the data of the last training.

    Settings and weights stay.
    """
    if choice.mix is None:
        return choice.mixture
    settings = choice.mix.settings
    terms = {name: LEARNERS[name](data, config).learn(settings[name]) for name in settings}
    return Mixture(terms, choice.mixture.weights, choice.mixture.blend)


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
        seed: int,
    ) -> None:
        """Take validation ratings."""
        self._joint, self._data, self._users, self._config = joint, data, users, config
        self._rows = _by_user(rows)
        self._timelines = Timelines(Histories.of_all(data, (VALIDATION, TEST)))
        self._like_threshold, self._seed = like_threshold, seed

    def mix(self) -> tuple[Mapping[str, Term], ChosenMix | None]:
        """Choose each term's settings by what it adds to those before it, then all weights.

        By the mean of 1 / log2(1 + unseen rank), which is NDCG without a cutoff: the top counts
        most, and no depth counts nothing.
        """
        config = self._config
        if not self._joint.has_retrieval:
            return {}, None
        set_by_hand: Mapping[str, float] | None = config.mix  # type: ignore[assignment]
        learners = self._learners(set_by_hand)
        rows = self._rows_of_mix()
        if config.mix_objective == "liked":
            rows = rows.take(np.flatnonzero(self._liked(rows)))
        names = [TOWERS, *learners]
        fixed = None if set_by_hand is None else _normalised(set_by_hand, names)
        if not len(rows):
            weights = fixed or _normalised(FALLBACK_MIX, names)
            settings = {name: _whole(learners[name].default) for name in weights if name != TOWERS}
            terms = {name: learners[name].learn(settings[name]) for name in settings}
            return terms, _chosen(weights, settings, [])
        search = MixSearch(self._blocks(rows))
        trials: list[MixTrial] = []
        search.add(TOWERS, Towers(self._joint))
        terms, settings = {}, {}
        for name, learner in learners.items():
            terms[name], settings[name], tried = self._settings(learner, search, rows)
            trials += tried
            search.add(name, terms[name])
        found = search.tried(names) if fixed is None else search.ranked([fixed])
        chosen = choose_mix(found, rows.user_index) if fixed is None else fixed
        trials += [
            self._mix_trial(mix, settings, ranks, rows)
            for mix, ranks in found
            if sum(map(bool, mix.values())) > 1 or mix.get(TOWERS)
        ]
        return terms, _chosen(chosen, settings, trials)

    def _settings(
        self, learner: Learner, search: MixSearch, rows: EncodedRatings
    ) -> tuple[Term, Settings, list[MixTrial]]:
        """Choose a term's settings one after the other, the others as they are best so far."""
        best, term, tried, trials = learner.default, None, [], []
        gain = -1.0
        for name, values in learner.options.items():
            for one in ({**best, name: value} for value in values):
                if one in tried:
                    continue
                tried.append(one)
                candidate = learner.learn(one)
                alone, reached = search.try_out(candidate)
                trials.append(
                    self._mix_trial({learner.name: 1.0}, {learner.name: one}, alone, rows)
                )
                if reached > gain:
                    gain, term, best = reached, candidate, one
        assert term is not None, "every learner has settings"
        return term, best, trials

    def _learners(self, set_by_hand: Mapping[str, float] | None) -> dict[str, Learner]:
        """Return the learners of the terms that may weigh."""
        if not self._config.item_movies:
            return {}
        if set_by_hand is not None:
            wanted = {name for name in LEARNERS if set_by_hand.get(name)}
        else:
            # The next movie says nothing of movies that are held out at random. Without times
            # nothing is next, or near.
            suits = (None, is_split_by_time(self._data))[: 1 + self._data.sizes.has_timestamps]
            wanted = {name for name in LEARNERS if LEARNERS[name].by_time in suits}
        learners = LEARNERS.items()
        return {name: make(self._data, self._config) for name, make in learners if name in wanted}

    def _rows_of_mix(self) -> EncodedRatings:
        """Draw the rows that mixtures are measured on."""
        rows = sample_rows(self._rows, MIX_ROWS, self._seed)
        users = np.unique(rows.user_index)
        most = max(1, MIX_CELLS // len(self._data.catalogue))
        if len(users) > most:
            drawn = np.random.default_rng(self._seed).choice(users, most, replace=False)
            rows = rows.take(np.flatnonzero(np.isin(rows.user_index, drawn)))
        return rows

    def blend(self, mixture: Mixture) -> ChosenWeight | None:
        """Choose the weight of the predicted like by liked NDCG@10.

        The smallest weight that is within one standard error of the best (the rule of Breiman,
        Friedman, Olshen & Stone 1984, "Classification and regression trees"): a larger one costs
        movies that people turn to. One that costs more than a fiftieth of the unseen top-10
        accuracy is no choice.
        """
        config, joint = self._config, self._joint
        if not joint.has_retrieval or not joint.has_rating:
            return None
        if config.blend_weight is not None:
            return ChosenWeight(weight=config.blend_weight)
        liked = self._liked(self._rows)
        if not liked.any():
            return ChosenWeight(weight=FALLBACK_BLEND)
        ranks = self._ranks_by_blend(mixture)
        trials = [
            WeightTrial(weight=weight, metrics=self._metrics(of_weight, self._rows))
            for weight, of_weight in zip(BLENDS, ranks, strict=True)
        ]
        least = LEAST_UNSEEN * trials[0].metrics["unseen/top_10"]
        allowed = [at for at, t in enumerate(trials) if t.metrics["unseen/top_10"] >= least]
        gains = [ranking_gains(of_weight[liked], TOP) for of_weight in ranks]
        best = max(allowed, key=lambda at: gains[at].mean())
        users = self._rows.user_index[liked]
        chosen = next(at for at in allowed if is_as_good(gains[at], gains[best], users))
        return ChosenWeight(weight=BLENDS[chosen], trials=trials)

    def _ranks_by_blend(self, mixture: Mixture) -> list[Ranks]:
        """Return the unseen ranks in the final order, int [rows] for each of `BLENDS`."""
        knowledge, ranker, _, final = Stages.of(
            self._joint, self._data, self._users, mixture, self._config, self._timelines
        )
        parts: list[list[Ranks]] = []
        for asked, seen, rows, targets in self._blocks_of(knowledge, self._rows):
            scores, ones = ranker.scores(asked), tf.ones([asked.batch])
            weights = [Weights(ones, weight * ones) for weight in BLENDS]
            found = final.ranks_by(asked, scores, weights, seen, rows, targets)
            parts.append([unseen.numpy() for _, unseen in found])
        return [np.concatenate(ranks) for ranks in zip(*parts, strict=True)]

    def _blocks(self, all_rows: EncodedRatings) -> Iterator[Block]:
        tower = self._joint.query_tower
        knowledge = Knowledge(
            self._data, self._users, self._timelines, tower.history_length, tower.uses_histories
        )
        for asked, *arrays in self._blocks_of(knowledge, all_rows):
            seen, rows, targets = (array.numpy() for array in arrays)
            yield asked, seen, rows, targets

    def _blocks_of(
        self, knowledge: Knowledge, all_rows: EncodedRatings
    ) -> Iterator[tuple[Asked, tf.Tensor, tf.Tensor, tf.Tensor]]:
        """Yield queries of distinct users, their seen movies, and each row's query and target."""
        size = max(LEAST_ROWS, min(4096, BLOCK_CELLS // len(self._data.catalogue)))
        for start in range(0, len(all_rows), size):
            users = all_rows.user_index[start : start + size]
            distinct, rows = np.unique(users, return_inverse=True)
            asked, seen = knowledge.as_judged(tf.constant(distinct))
            targets = all_rows.movie_index[start : start + size]
            yield asked, seen, tf.constant(rows, tf.int32), tf.constant(targets)

    def _mix_trial(
        self,
        weights: Mapping[str, float],
        settings: Mapping[str, Settings],
        ranks: Ranks,
        rows: EncodedRatings,
    ) -> MixTrial:
        return MixTrial(
            weights={name: weight for name, weight in weights.items() if weight},
            settings={name: dict(one) for name, one in settings.items() if weights.get(name)},
            gain=float(ranking_gains(ranks).mean()),
            metrics=self._metrics(ranks, rows),
        )

    def _liked(self, rows: EncodedRatings) -> npt.NDArray[np.bool_]:
        liked: npt.NDArray[np.bool_] = rows.rating >= self._like_threshold
        return liked

    def _metrics(self, ranks: Ranks, rows: EncodedRatings) -> dict[str, float]:
        hits = ranks <= TOP
        gains = ranking_gains(ranks, TOP)
        liked = self._liked(rows)
        metrics = {
            "unseen/top_10": float(hits.mean()),
            "unseen/top_100": float((ranks <= 100).mean()),
            "unseen/ndcg_10": float(gains.mean()),
        }
        if liked.any():
            metrics["liked/top_10"] = float(hits[liked].mean())
            metrics["liked/ndcg_10"] = float(gains[liked].mean())
        if hits.any():
            metrics["stars_of_hits_10"] = float(rows.rating[hits].mean())
        return metrics


def _by_user(rows: EncodedRatings) -> EncodedRatings:
    return rows.take(np.argsort(rows.user_index, kind="stable"))


def _whole(settings: Settings) -> Settings:
    """Let all of a history count alike: without validation nothing tells that the next is asked."""
    return {**settings, HALF_LIFE: 0.0} if HALF_LIFE in settings else settings


def _normalised(mix: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    """Divide weights by the sum of those that there are; the towers alone without any."""
    some = {name: mix[name] for name in names if mix.get(name)}
    return {name: weight / sum(some.values()) for name, weight in some.items()} or {TOWERS: 1.0}


def _chosen(
    weights: Mapping[str, float], settings: Mapping[str, Settings], trials: list[MixTrial]
) -> ChosenMix:
    kept = {name: round(weight, 4) for name, weight in weights.items() if weight}
    return ChosenMix(
        weights=kept,
        settings={name: dict(one) for name, one in settings.items() if name in kept},
        trials=trials,
    )
