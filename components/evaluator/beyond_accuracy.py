"""What accuracy does not see: how much of the catalogue is recommended, and how unknown it is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from components.transform.encoded import Int32

Counts = npt.NDArray[np.int64]


def coverage(lists: Int32, movies: int) -> float:
    """Share of the catalogue that is recommended to somebody.

    Args:
        lists: recommended films, [users, k]; -1 where there is none.
        movies: size of the catalogue.
    """
    return len(np.unique(lists[lists >= 0])) / movies


def novelty(lists: Int32, raters: Counts, users: int) -> float:
    """Mean self-information of the recommended films, in bits.

    -log2 of the share of users who rated the film in train (Zhou et al. 2010, "Solving the apparent
    diversity-accuracy dilemma of recommender systems"): 0 for a film that everybody knows. A film
    that nobody rated counts as rated by one user, so that it is as novel as a film can be.

    Args:
        lists: as above.
        raters: number of train ratings of each film, [movies].
        users: number of users in train.
    """
    films = lists[lists >= 0]
    if len(films) == 0:
        return 0.0
    shares = np.maximum(raters[films], 1) / max(users, 1)
    return float(-np.mean(np.log2(shares)))
