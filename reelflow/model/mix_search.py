"""The search for the weights of retrieval terms, on a simplex, by ranks of validation ratings."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from reelflow.encoding.encoded import Int32
from reelflow.model.ranking import standardised
from reelflow.model.terms import Asked, Term

Ranks = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Mix = Mapping[str, float]
"""Term to its weight; the sum is 1."""
Block = tuple[Asked, Int32, Int32, Int32]
"""Queries; coordinates (query, movie) of seen movies; each row's query, and its target."""

STEPS: Final = {1: 1, 2: 10, 3: 5, 4: 4}
"""Number of terms to the parts of 1 that the first round's weights are made of; of more terms 3."""
SHARES: Final = (0.3, 0.6)
"""Shares at which a term's settings are tried beside the terms before it."""
SLACK: Final = 0.25
"""Standard errors that a mixture with fewer terms may be worse than the best."""
ROUNDS: Final = 2
"""Rounds after the first, each with half of the step, around the best."""


class Scores(NamedTuple):
    """Scores of the queries of a block."""

    unseen: npt.NDArray[np.float32]
    """float32 [queries, movies], seen movies -inf."""
    of_targets: npt.NDArray[np.float32]
    """Scores of the rows' targets, seen or not, float32 [rows]."""


class MixSearch:
    """Scores of terms for validation ratings, computed once, and the ranks of their mixtures."""

    def __init__(self, blocks: Iterable[Block]) -> None:
        """Keep the queries."""
        self._blocks = list(blocks)
        self._parts: dict[str, list[Scores]] = {}
        self._base: list[Scores] = []
        self._gain = 0.0

    def add(self, name: str, term: Term) -> None:
        """Compute a term's scores, and mix them with those before as the first round does."""
        self._parts[name] = parts = self._scores(term)
        mixed = [parts, *(self._beside(parts, share) for share in SHARES if self._base)]
        for scores in mixed:
            gain = float(ranking_gains(self._ranks(scores)).mean())
            if gain > self._gain:
                self._gain, self._base = gain, scores

    def try_out(self, term: Term) -> tuple[Ranks, float]:
        """Try a term alone, and beside those that were added.

        Returns:
            The unseen ranks by the term alone, int32 [rows]; and the best mean gain of all.
        """
        parts = self._scores(term)
        alone = self._ranks(parts)
        others = [self._ranks(self._beside(parts, share)) for share in SHARES if self._base]
        return alone, max(float(ranking_gains(ranks).mean()) for ranks in (alone, *others))

    def _scores(self, term: Term) -> list[Scores]:
        found = []
        for asked, seen, rows, targets in self._blocks:
            scores = standardised(term.scores(asked))[0].numpy()
            of_targets = scores[rows, targets]
            scores[seen[:, 0], seen[:, 1]] = -np.inf
            found.append(Scores(scores, of_targets))
        return found

    def _beside(self, parts: Sequence[Scores], share: float) -> list[Scores]:
        pairs = zip(self._base, parts, strict=True)
        return [_sum([(1 - share, base), (share, part)]) for base, part in pairs]

    def _ranks(self, scores: Sequence[Scores]) -> Ranks:
        pairs = zip(scores, self._blocks, strict=True)
        return np.concatenate([_unseen_ranks(one, block) for one, block in pairs])

    def ranked(self, mixes: Sequence[Mix]) -> list[tuple[Mix, Ranks]]:
        """Return mixtures with the unseen ranks by each, int32 [rows]."""
        parts: list[list[Ranks]] = [[] for _ in mixes]
        for at, block in enumerate(self._blocks):
            for mix, ranks in zip(mixes, parts, strict=True):
                weighed = [(weight, self._parts[name][at]) for name, weight in mix.items()]
                ranks.append(_unseen_ranks(_sum(weighed), block))
        return [(mix, np.concatenate(ranks)) for mix, ranks in zip(mixes, parts, strict=True)]

    def tried(self, names: Sequence[str]) -> list[tuple[Mix, Ranks]]:
        """Try a grid on the simplex, then the neighbours of the best, with ever smaller steps."""
        parts = STEPS.get(len(names), 3)
        mixes = [
            {name: part / parts for name, part in zip(names, row, strict=True)}
            for row in itertools.product(range(parts + 1), repeat=len(names))
            if sum(row) == parts
        ]
        found = self.ranked(mixes)
        step = 1 / parts
        for _ in range(ROUNDS if len(names) > 1 else 0):
            step /= 2
            best, _ = max(found, key=lambda one: ranking_gains(one[1]).mean())
            around = [_moved(best, *pair, step) for pair in itertools.permutations(names, 2)]
            known = [dict(mix) for mix, _ in found]
            found += self.ranked([mix for mix in around if mix and mix not in known])
        return found


def choose_mix(tried: Sequence[tuple[Mix, Ranks]], users: Int32) -> Mix:
    """Choose by the mean of 1 / log2(1 + rank).

    Of those within `SLACK` standard errors of the best the one with the fewest terms, and of these
    the best: a term costs size and time. A whole standard error, as in the choice of the blend,
    would leave out terms that do help: they are many small gains.

    Args:
        tried: mixtures with the ranks of the validation rows.
        users: `user_index` of the rows.
    """
    gains = [ranking_gains(ranks) for _, ranks in tried]
    best = max(gains, key=lambda one: float(one.mean()))
    good = [at for at, one in enumerate(gains) if is_as_good(one, best, users, SLACK)]

    def merit(at: int) -> tuple[int, float]:
        return -sum(weight > 0 for weight in tried[at][0].values()), float(gains[at].mean())

    return tried[max(good, key=merit)][0]


def ranking_gains(ranks: Ranks, top: int | None = None) -> Floats:
    """Return each row's part of NDCG, float64 [rows]; with `top` that of NDCG@top."""
    gains: Floats = 1.0 / np.log2(1.0 + ranks)
    return gains if top is None else np.where(ranks <= top, gains, 0.0)


def is_as_good(gains: Floats, best: Floats, users: Int32, errors: float = 1.0) -> bool:
    """Return True if the mean is within some standard errors of the best one's, paired by user.

    Args:
        gains: float64 [rows].
        best: float64 [rows].
        users: `user_index` of the rows; rows of a user are alike, and count as one draw.
        errors: number of standard errors.
    """
    lead = best - gains
    of_users = np.bincount(users, lead - lead.mean())
    error = float(np.sqrt(np.sum(of_users**2))) / len(lead)
    return bool(lead.mean() <= errors * error)


def _moved(mix: Mix, source: str, target: str, step: float) -> Mix | None:
    """Move weight from one term to another; None if the first does not have it."""
    if mix[source] < step - 1e-9:
        return None
    moved = {**mix, source: mix[source] - step, target: mix[target] + step}
    return {name: round(weight, 6) for name, weight in moved.items()}


def _unseen_ranks(scores: Scores, block: Block) -> Ranks:
    """Rank each row's target among the movies that its user has not seen, int32 [rows].

    Ties count against the target, as in `ranking.exact_ranks`. Row by row, as NumPy counts faster
    than TensorFlow gathers.
    """
    _, _, rows, targets = block
    ranks = [
        np.count_nonzero(scores.unseen[row] >= of_target)
        for row, of_target in zip(rows.tolist(), scores.of_targets, strict=True)
    ]
    # A target that is itself masked competes all the same.
    return np.array(ranks, np.int32) + (scores.unseen[rows, targets] < scores.of_targets)


def _sum(weighed: Sequence[tuple[float, Scores]]) -> Scores:
    """Add up scores by their weights; what is seen stays so."""
    (weight, first), *others = [(np.float32(weight), one) for weight, one in weighed if weight]
    unseen, of_targets = weight * first.unseen, weight * first.of_targets
    for weight, one in others:
        unseen += weight * one.unseen
        of_targets += weight * one.of_targets
    return Scores(unseen, of_targets)
