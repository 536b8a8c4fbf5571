"""Rating models: which stars a user would give a movie, or whether the user would like it."""

from reelflow.model.rating.frozen import FrozenRatings
from reelflow.model.rating.model import RatingModel, bias_ratings, freeze

__all__ = ["FrozenRatings", "RatingModel", "bias_ratings", "freeze"]
