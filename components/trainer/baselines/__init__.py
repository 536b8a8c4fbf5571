"""Plain recommenders that a model must beat: the floor of the gate."""

from components.trainer.baselines.base import Baseline
from components.trainer.baselines.biased_mf import BiasedMF
from components.trainer.baselines.ease import EASE
from components.trainer.baselines.ials import IALS
from components.trainer.baselines.item_knn import ItemKNN
from components.trainer.baselines.popularity import Popularity

# `pipeline.config.BASELINES` has the same names, so that a configuration is checked without these.
BASELINES: dict[str, type[Baseline]] = {
    "popularity": Popularity,
    "item_knn": ItemKNN,
    "ease": EASE,
    "ials": IALS,
    "biased_mf": BiasedMF,
}

__all__ = ["BASELINES", "Baseline"]
