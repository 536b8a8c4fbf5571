"""Plain recommenders that a model must beat: the floor of the gate."""

from reelflow.baselines.base import Baseline
from reelflow.baselines.biased_mf import BiasedMF
from reelflow.baselines.ease import EASE
from reelflow.baselines.ials import IALS
from reelflow.baselines.item_knn import ItemKNN
from reelflow.baselines.popularity import Popularity

# `reelflow.config.BASELINES` has the same names, so that a configuration is checked without these.
BASELINES: dict[str, type[Baseline]] = {
    "popularity": Popularity,
    "item_knn": ItemKNN,
    "ease": EASE,
    "ials": IALS,
    "biased_mf": BiasedMF,
}

__all__ = ["BASELINES", "Baseline"]
