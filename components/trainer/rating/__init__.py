"""Rating models: which stars a user would give a film, or whether the user would like it."""

from components.trainer.rating.frozen import FrozenRatings
from components.trainer.rating.model import RatingModel, bias_ratings, freeze

__all__ = ["FrozenRatings", "RatingModel", "bias_ratings", "freeze"]
