"""Plain recommenders that a model must beat: the floor of the gate."""

from components.trainer.baselines.base import Baseline
from components.trainer.baselines.popularity import Popularity

BASELINES: dict[str, type[Baseline]] = {"popularity": Popularity}

__all__ = ["BASELINES", "Baseline"]
