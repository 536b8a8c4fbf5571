"""Simple recommenders that the gate can require a model to beat (`gate.baselines`)."""

from collections.abc import Mapping
from typing import Final

from reelflow.baselines.base import Baseline, Settings
from reelflow.baselines.biased_mf import BiasedMF
from reelflow.baselines.directed import Directed
from reelflow.baselines.ease import EASE
from reelflow.baselines.ials import IALS
from reelflow.baselines.item_knn import ItemKNN
from reelflow.baselines.popularity import Popularity
from reelflow.baselines.position_knn import PositionKNN
from reelflow.baselines.recency_ease import RecencyEASE
from reelflow.baselines.recent_popularity import RecentPopularity

BASELINES: Final[Mapping[str, type[Baseline]]] = {
    "popularity": Popularity,
    "recent_popularity": RecentPopularity,
    "item_knn": ItemKNN,
    "ease": EASE,
    "recency_ease": RecencyEASE,
    "directed": Directed,
    "position_knn": PositionKNN,
    "ials": IALS,
    "biased_mf": BiasedMF,
}
"""Name to the baseline; `reelflow.config.BASELINES` has the same names, without these imports."""

__all__ = ["BASELINES", "Baseline", "Settings"]
